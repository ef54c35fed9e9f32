"""The page of a vocabulary: every figure is on it, and nothing from outside."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.conversion.trim.held import Cut, Respelled
from edgekit.conversion.trim.page import render_html
from edgekit.conversion.trim.survey import Reach, Size, Survey
from edgekit.files.whole import write_whole
from tests.html.browser import OUTSIDE, SIDEWAYS, Browser, open_browser, why_no_browser
from tests.html.html import find, read_html

SURVEY = Survey(
    checkpoint="navigator <&>",
    rows=262_144,
    corpora=("train.jsonl", "notes.txt"),
    languages=("en", "nb"),
    texts=6000,
    tokens=236_856,
    met=9_524,
    needed=11_995,
    sizes=(
        Size(8_000, False, 0.9931, 0.9912, {"int8": 108_900_000, "int4": 62_100_000}, Cut(80, 31, 7)),
        Size(16_000, True, 1.0, 0.9998, {"int8": 114_400_000, "int4": 67_600_000}, Cut(80, 2, 0)),
        Size(262_144, True, 1.0, 1.0, {"int8": 282_800_000, "int4": 235_900_000}, Cut(80, 0, 0)),
    ),
    reach=tuple(Reach(n, min(1.0, n / 9_524) ** 0.2) for n in range(0, 9_525, 150)),
    held_out="eval.jsonl",
    checked=True,
    open_words=("Luigi", "Kwame"),
    proposal=16_000,
    respelled=(Respelled("Kwame", ("▁Kwame",), ("▁", "K", "w", "ame")),),
    respelled_at=8_000,
)


def test_every_size_and_figure_is_on_the_page() -> None:
    html = render_html(SURVEY)
    words = " ".join("".join(element.inside) for element in find(read_html(html), "td"))
    for shown in (
        "99.3%",
        "99.1%",
        "&gt;99.9%",
        "108.9 MB",
        "67.6 MB",
        "too small",
        "fits",
        "whole",
        "7 of 80",
    ):
        assert shown in html, shown
    assert "114.4 MB" in words
    assert "needs 11,995 of 262,144 pieces; keeping 16,000 saves 168.4 MB at int8" in html
    assert "navigator &lt;&amp;&gt;" in html
    assert len(find(read_html(html), "svg")) == 2
    assert "http" not in html.replace("http-equiv", "")


def test_words_that_are_open_and_how_they_are_spelled_are_shown() -> None:
    html = render_html(SURVEY)
    assert "Words as 8,000 pieces spell them" in html
    assert "▁ K w ame" in html
    assert "such as Luigi, Kwame" in html


def test_a_size_that_fits_is_not_proposed_for_that_alone() -> None:
    html = render_html(dataclasses.replace(SURVEY, proposal=None))
    assert "none of these sizes can be proposed" in html


def test_without_a_size_that_fits_the_page_warns() -> None:
    html = render_html(dataclasses.replace(SURVEY, sizes=(SURVEY.sizes[0], SURVEY.sizes[2])))
    assert "none of these sizes holds them" in html


def test_the_same_survey_gives_the_same_bytes() -> None:
    assert render_html(SURVEY) == render_html(dataclasses.replace(SURVEY))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.mark.skipif(why_no_browser() is not None, reason=why_no_browser() or "")
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.slow
def test_it_fits_a_phone_and_a_desk(browser: Browser, tmp_path: Path, width: int) -> None:
    write_whole(tmp_path / "v.html", render_html(SURVEY))
    browser.open(tmp_path / "v.html", width=width)
    assert browser.run(OUTSIDE) == []
    assert browser.run(SIDEWAYS) == []
    assert browser.log() == []
