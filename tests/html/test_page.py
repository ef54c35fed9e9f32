"""The page itself: contrast of its colours, and how it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.html import page
from edgekit.html.page import (
    Cell,
    Column,
    Facts,
    Fold,
    Link,
    Page,
    Section,
    Table,
    Verdict,
    render_page,
)
from edgekit.html.text import printable

from .html import find, read_html

STYLE = Path(page.__file__).with_name("templates") / "page.css"


def colours() -> list[dict[str, str]]:
    """Return the colours of the light and the dark page."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    sets = [dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in (light, dark)]
    assert sets[0].keys() == sets[1].keys()
    return sets


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", colours(), ids=["light", "dark"])
def test_text_and_plots_are_legible(palette: dict[str, str]) -> None:
    texts = [(ink, paper) for ink in ("text", "muted", "link") for paper in ("page", "card", "sunk")]
    texts += [
        (name, f"{name}-back") for name in ("passed", "failed", "warning", "skipped", "neutral", "mark")
    ]
    texts += [(name, "card") for name in ("passed", "failed", "warning", "neutral")]
    texts += [(ink, f"{name}-back") for ink in ("text", "link") for name in ("passed", "failed")]
    for ink, paper in texts:
        assert contrast(palette[ink], palette[paper]) >= 4.5, (ink, paper)
    for n in range(1, 9):
        assert contrast(palette[f"series-{n}"], palette["card"]) >= 3, n


def test_every_colour_is_defined() -> None:
    style = STYLE.read_text()
    assert set(re.findall(r"var\(--([\w-]+)\)", style)) - {"c"} <= colours()[0].keys()


def small(text: str = "x") -> Page:
    cells: list[tuple[Cell, ...]] = [(Link(text, "one"), text)]
    table = Table(text, (Column(text), Column(text, numeric=True)), cells)
    return Page(
        text,
        text,
        Verdict("passed", text),
        [Section("one", text, [Fold(text, [table])])],
        Facts([(text, text)]),
    )


def test_text_is_escaped_wherever_it_stands() -> None:
    evil = "<script>alert(1)</script>\"'&"
    html = render_page(small(evil))
    assert "<script" not in html
    assert find(read_html(html), "h1")[0].text == evil


def test_no_text_goes_on_for_pages() -> None:
    heading = find(read_html(render_page(small("W" * 9000))), "h1")[0].text
    assert heading == "W" * 800 + "… [7,800 characters left out] …" + "W" * 400


def test_what_html_cannot_hold_is_shown_by_a_picture() -> None:
    assert printable("a\x00b\x1bc\x7fd\ud800e\ufffe\r\nf\rg\th\x9b") == "a␀b␛c␡d\ufffde\ufffd\nf␍g\th\ufffd"
    read_html(render_page(small("\x00\ud800")).encode().decode())
