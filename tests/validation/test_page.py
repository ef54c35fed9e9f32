"""The page of a validation: the verdict first, nothing missing, nothing from outside, nothing broken by its content."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.figures import decibels, duration, number, percent, percent_points, size
from edgekit.html.passages import first_word, side_by_side
from edgekit.html.text import shorten
from edgekit.validation.page import render_html, write_html
from edgekit.validation.result import ParityReport
from tests.html.html import Element, find, read_html

from . import reports

ALL = [reports.passing, reports.failing, reports.adapted, reports.minimal, reports.hostile]
Maker = Callable[[], ParityReport]


def read(report: ParityReport) -> list[Element]:
    return read_html(render_html(report))


@pytest.mark.parametrize("make", ALL)
def test_pages_are_well_formed_and_need_nothing_from_outside(make: Maker) -> None:
    html = render_html(make())
    elements = read_html(html.encode().decode())
    ids = [element.attributes["id"] for element in elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in elements:
        assert element.tag not in ("script", "iframe", "object", "img", "form", "base")
        assert not any(
            name.startswith("on") or name in ("src", "srcset", "style") for name in element.attributes
        )
        address = element.attributes.get("href", "#")
        assert address == "data:," or address.lstrip("#") in ["", *ids]
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(element.attributes.get(name, "").split()) <= set(ids)
    style = "".join(find(elements, "style")[0].inside)
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"(?:href|src)=[\"']?(?:https?:)?//", html)


@pytest.mark.parametrize("make", ALL)
def test_pages_can_be_read_by_everyone(make: Maker) -> None:
    elements = read(make())
    assert find(elements, "html")[0].attributes["lang"] == "en"
    levels = [int(element.tag[1]) for element in elements if re.fullmatch(r"h[1-6]", element.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in itertools.pairwise(levels))
    for plot in find(elements, "svg"):
        assert plot.attributes["role"] == "img" and plot.attributes["aria-label"]
    for heading in find(elements, "th"):
        assert heading.attributes["scope"] in ("col", "row")
    assert len(find(elements, "caption")) == len(find(elements, "table"))


@pytest.mark.parametrize("make", ALL)
def test_the_same_report_gives_the_same_page(make: Maker) -> None:
    assert render_html(make()) == render_html(make())


def test_a_page_is_drawn_from_its_json_too() -> None:
    report = reports.failing()
    assert render_html(ParityReport.from_json(report.to_json())) == render_html(report)


def test_a_passing_report_says_so_and_shows_every_part() -> None:
    elements = read(reports.passing())
    assert find(elements, "section", class_="passed")[0].text.endswith(
        "The bundle says what the fine-tune said"
    )
    ids = {element.attributes.get("id") for element in find(elements, "h2")}
    checked = {f"check-{name}" for name in reports.TITLES if name not in ("merge", "runtimes")}
    assert ids == {"verdict", "checks", "worst", "not-checked", "environment", *checked}
    titles = [plot.attributes["aria-label"].split(".")[0] for plot in find(elements, "svg")]
    assert titles == [
        "KL divergence by position",
        "Log-probability of each token",
        "Where answers begin to differ",
        "Task metrics",
        "Signal-to-quantization-noise ratio by layer",
    ]
    everything = find(elements, "body")[0].text
    for words in (
        "transformers",
        "5.20.1",
        "77d0" * 16,
        "from an earlier run",
        "add --runtime 0.11.0,0.14.0",
    ):
        assert words in everything


def test_a_failing_report_says_what_failed_by_how_much_and_what_helps() -> None:
    verdict = find(read(reports.failing()), "section", class_="failed")[0].text
    assert "Mean KL divergence 0.1834, allowed at most 0.05 (3.7 times as much)" in verdict
    assert "Same top token 0.891, allowed at least 0.97 (0.079 below)" in verdict
    assert "Answers that end in a loop 0.01515, allowed at most 0 (0.015 above)" in verdict
    assert "→ convert again: the bundle's template loses the system message" in verdict
    assert verdict.index("Other runtimes") < verdict.index("warning Adapter merge")


def test_an_adapter_is_named_with_its_base_and_shown_beside_its_merged_bundle() -> None:
    elements = read(reports.adapted())
    assert find(elements, "h1")[0].text == "sentiment on settings-navigator"
    everything = find(elements, "body")[0].text
    assert "sentiment-lora on gemma-3-270m-it, in peft" in everything
    assert "5.9 MB on a base of 271.6 MB" in everything
    assert "Say how it feels." in everything
    heading = next(h for h in find(elements, "h2") if h.text == "Sidecar or merged")
    assert heading.attributes["id"] == "merged"
    table = next(table for table in find(elements, "table") if "Sidecar on the base" in table.text)
    for words in ("5.9 MB", "228 MB", "int4", "92% (88% to 96%)", "Task: exact match, reference"):
        assert words in table.text, table.text
    assert (
        "keeps the task better than the merged bundle: exact match 92.0% against 87.0% merged" in everything
    )
    assert "The merged bundle was made from another checkpoint" in everything
    assert "paired by row: +5.0 pp (+1.0 pp to +9.0 pp); p = 0.012 (McNemar, exact)" in everything


def test_a_projection_that_is_not_the_adapters_comes_first() -> None:
    elements = read(reports.adapted())
    table = next(table for table in find(elements, "table") if "The sidecar against" in table.text)
    assert table.text.count("not the adapter's") == 2
    assert table.text.index("layers.11.self_attn") < table.text.index("layers.0.self_attn")
    assert "21 more projections" in find(elements, "body")[0].text


def test_skipped_checks_and_missing_sections_are_told() -> None:
    elements = read(reports.minimal())
    assert not find(elements, "svg")
    table = next(table for table in find(elements, "table") if "Skipped checks" in table.text)
    assert table.text.count("no reference") == 9


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ParityReport)])
def test_any_one_section_may_be_missing(name: str) -> None:
    report = reports.failing()
    if getattr(report, name) is not None and "Section" in type(getattr(report, name)).__name__:
        without: Any = {name: None}
        read(dataclasses.replace(report, **without))


def test_empty_sections_are_no_trouble() -> None:
    def emptied(value: object) -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.replace(
                value, **{f.name: emptied(getattr(value, f.name)) for f in dataclasses.fields(value)}
            )
        return () if isinstance(value, tuple) else {} if isinstance(value, dict) else value

    report = emptied(reports.failing())
    assert isinstance(report, ParityReport)
    read(report)


def test_the_first_differing_token_is_marked_on_both_sides() -> None:
    elements = read(reports.failing())
    marks = [mark.text for mark in find(elements, "mark")]
    assert marks[2:4] == ["22", "20"]
    assert len(marks) == 2 * (12 + 1)  # the worst examples, and the template that differs


def test_a_damaged_tensor_comes_first_and_is_named() -> None:
    elements = read(reports.failing())
    table = next(table for table in find(elements, "table") if table.text.startswith("The worst first"))
    first = table.text.split("Remark")[1].split("model.")[1]
    assert first.startswith("layers.7.mlp.down_proj.weight") and "11 dB short" in first


def test_untrusted_text_reads_as_it_was_written() -> None:
    report = reports.hostile()
    elements = read(report)
    body = find(elements, "body")[0].text
    for text in reports.HOSTILE[:4]:
        assert " ".join(text.split()) in body
    assert "window.hacked" in body
    assert "W" * 1200 not in body


def test_a_report_is_written_beside_its_json(tmp_path: Path) -> None:
    path = tmp_path / "bundle" / "reports" / "validate.html"
    write_html(reports.hostile(), path)
    assert path.read_text("utf-8") == render_html(reports.hostile())


@pytest.mark.parametrize(
    ("reference", "bundle", "difference", "marks"),
    [
        ("one two three", "one too three", 4, ["two", "too"]),
        ("one two", "one", 3, [" two", "[ends here]"]),
        ("a b", "a\n\nb", 1, [" b", "\n\nb"]),
        ("x", "y", None, ["x", "y"]),
        ("abcd", "abxd", 0, ["abcd", "abxd"]),
        ("same", "same", None, []),
        ("a", "b", 99, ["a", "b"]),
        ("夜間モード" * 20, "昼" * 50, 0, ["夜間モード" * 4 + "夜間モー", "昼" * 24]),
    ],
)
def test_marks(reference: str, bundle: str, difference: int | None, marks: list[str]) -> None:
    passages = side_by_side(reference, bundle, difference)
    assert [run.text for passage in passages for run in passage.runs if run.mark] == marks
    for passage, whole in zip(passages, (reference, bundle), strict=True):
        assert "".join(run.text for run in passage.runs).replace("[ends here]", "") == whole


def test_only_the_end_of_a_long_common_beginning_is_shown() -> None:
    reference, _ = side_by_side("a" * 5000 + "x" + "b" * 5000, "a" * 5000 + "y", 5000)
    assert reference.runs[0].text.startswith("[4,700 equal characters] …aaa")
    assert len("".join(run.text for run in reference.runs)) < 1200


def test_a_bundle_alone_is_one_passage() -> None:
    (only,) = side_by_side(None, "answer", None)
    assert only.label == "Bundle"


def test_first_words_and_short_texts() -> None:
    assert [first_word(text) for text in ("", "  ", " a b", '":{x', "word.")] == [
        "",
        "  ",
        " a",
        '":{',
        "word",
    ]
    assert shorten("x" * 130, 100) == "x" * 130
    assert shorten("x" * 200, 100) == "x" * 66 + "… [100 characters left out] …" + "x" * 34


def test_figures_in_words() -> None:
    assert [number(value) for value in (0, 0.012346, 1234.5, 123456.7, -2.5, 1.2e-9, math.inf, math.nan)] == [
        "0", "0.01235", "1234", "123,457", "−2.5", "1.2e-09", "∞", "not a number",  # noqa: RUF001
    ]  # fmt: skip
    assert [percent(value) for value in (0, 1, 0.9734, 0.99999, 0.00012, -0.0012, 0.5)] == [
        "0%", "100%", "97.3%", ">99.9%", "0.012%", "−0.12%", "50%",  # noqa: RUF001
    ]  # fmt: skip
    assert percent_points(-0.012) == "−1.2 pp"  # noqa: RUF001
    assert [decibels(value) for value in (41.234, math.inf)] == ["41.2 dB", "exact"]
    assert [duration(value) for value in (0.42, 12.4, 200)] == ["0.4 s", "12 s", "3 min 20 s"]
    assert [size(value) for value in (12, 271_581_184)] == ["12 bytes", "271.6 MB"]
