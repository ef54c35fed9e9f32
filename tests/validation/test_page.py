"""The page of a validation: the verdict first, nothing missing, nothing from outside, nothing broken by its content.

Every page is that of a real report on the demo, or of a variation of one.
"""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest

from edgekit.figures import duration
from edgekit.validation.checks import CHECKS, generation, template, weights
from edgekit.validation.page import render_html
from edgekit.validation.report import Parity
from edgekit.validation.worst import WorstExample
from tests.html.html import Element, find, read_html
from tests.validation.variations import HOSTILE, IMPOSSIBLE, hostile, judged, unlooked

pytestmark = pytest.mark.slow


def read(report: Parity) -> list[Element]:
    return read_html(render_html(report))


def test_pages_are_well_formed_and_need_nothing_from_outside(any_report: Parity) -> None:
    html = render_html(any_report)
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


def test_pages_can_be_read_by_everyone(any_report: Parity) -> None:
    elements = read(any_report)
    assert find(elements, "html")[0].attributes["lang"] == "en"
    levels = [int(element.tag[1]) for element in elements if re.fullmatch(r"h[1-6]", element.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in itertools.pairwise(levels))
    for plot in find(elements, "svg"):
        assert plot.attributes["role"] == "img" and plot.attributes["aria-label"]
    for heading in find(elements, "th"):
        assert heading.attributes["scope"] in ("col", "row")
    assert len(find(elements, "caption")) == len(find(elements, "table"))


@pytest.mark.parametrize("name", ["plain_report", "triage_report"])
def test_a_page_is_drawn_from_its_json_too(name: str, request: pytest.FixtureRequest) -> None:
    report: Parity = request.getfixturevalue(name)
    assert render_html(Parity.from_json(report.to_json())) == render_html(report)


def test_a_passing_report_says_so_and_shows_every_part(plain_report: Parity) -> None:
    elements = read(plain_report)
    verdict = find(elements, "section", class_="warning")[0].text
    assert "Too few rows to tell: " in verdict and "rows would be enough" in verdict
    ids = {element.attributes.get("id") for element in find(elements, "h2")}
    skipped = ("merge", "sidecar", "gpu", "runtimes")
    ran = {f"check-{module.NAME}" for module in CHECKS if module.NAME not in skipped}
    assert ids - {"worst"} == {"verdict", "checks", "not-checked", "environment", *ran}
    titles = [plot.attributes["aria-label"].split(".")[0] for plot in find(elements, "svg")]
    assert [title for title in titles if title != "Where answers begin to differ"] == [
        "KL divergence by position",
        "Log-probability of each token",
        "Task metrics",
        "Signal-to-quantization-noise ratio by layer",
    ]
    everything = find(elements, "body")[0].text
    versions = plain_report.reference.versions
    for words in (
        "transformers",
        versions["transformers"],
        plain_report.reference.digest,
        "(--runtime 0.11.0",
    ):
        assert words in everything


def test_the_time_of_what_all_checks_share_is_told(plain_report: Parity) -> None:
    said = find(read(plain_report), "body")[0].text
    for step in plain_report.steps:
        assert f"{step.title} {duration(step.seconds)}" in said
    assert re.search(r"s in all: open what is compared .*, the checks themselves [\d.]+ s\.", said)


def test_equal_and_awkward_texts_are_counted_once(plain_report: Parity) -> None:
    from edgekit.validation.checks import tokens

    found = plain_report.section(tokens.Section)
    assert found is not None and found.equal == found.texts
    said = f"{found.texts} of {found.texts} texts have equal ids: {found.texts - found.awkward_texts} of the data"
    assert said in find(read(plain_report), "body")[0].text


def test_a_failing_report_says_what_failed_by_how_much_and_what_helps(plain_report: Parity) -> None:
    limit = 0.4 * next(g.value for g in plain_report.check("logits").gates if g.name == "max_kl")
    strict = judged(plain_report, dataclasses.replace(IMPOSSIBLE, max_kl=limit))
    verdict = find(read(strict), "section", class_="failed")[0].text
    assert re.search(r"mean KL [\d.e−-]+, allowed at most [\d.e−-]+ \(2.5 times as much\)", verdict)  # noqa: RUF001
    assert re.search(r"same top token [\d.]+, allowed at least 2 \([\d.]+ below\)", verdict)
    assert "→ use a finer recipe" in verdict
    assert verdict.index("mean KL") < verdict.index("same top token")


def test_an_adapter_is_named_with_its_base_and_shown_beside_its_merged_bundle(triage_report: Parity) -> None:
    elements = read(triage_report)
    assert find(elements, "h1")[0].text == "support-triage on settings-navigator"
    everything = find(elements, "body")[0].text
    assert f"{triage_report.reference.name} on checkpoint, in peft" in everything
    assert re.search(r"[\d.]+ [kM]B on a base of [\d.]+ MB", everything)
    heading = next(h for h in find(elements, "h2") if h.text == "Sidecar or merged")
    assert heading.attributes["id"] == "merged"
    table = next(table for table in find(elements, "table") if "Sidecar on the base" in table.text)
    for words in ("support-triage against merged", "int8", "Task: exact match, reference"):
        assert words in table.text
    assert "Sidecar minus merged, paired by row" in everything
    assert "The sidecar against the adapter, the worst first" in everything
    assert "27 more projections" in everything


def test_skipped_checks_and_missing_sections_are_told(plain_report: Parity) -> None:
    elements = read(unlooked(plain_report))
    assert not find(elements, "svg")
    table = next(table for table in find(elements, "table") if "Skipped checks" in table.text)
    assert table.text.count("no reference") == len(CHECKS)


@pytest.mark.parametrize("name", [module.NAME for module in CHECKS])
def test_any_one_section_may_be_missing(triage_report: Parity, name: str) -> None:
    read(dataclasses.replace(triage_report, sections={**triage_report.sections, name: None}))


def test_the_first_differing_token_is_marked_on_both_sides(plain_report: Parity) -> None:
    example = WorstExample("p", "left", "turn left", "turn right", 1, 5, "became wrong")
    case = template.Case("one turn", "failed", "<user>a", "<user>b", 6)
    sections = {**plain_report.sections, "template": template.Section((case,))}
    report = dataclasses.replace(plain_report, worst=(example,) * 14, sections=sections)
    marks = [mark.text for mark in find(read(report), "mark")]
    assert marks[:2] == ["left", "right"]
    assert len(marks) == 2 * (12 + 1)  # the worst examples, and the template that differs


def test_a_damaged_tensor_comes_first_and_is_named(plain_report: Parity) -> None:
    found = plain_report.section(weights.Section)
    assert found is not None
    rows = list(found.tensors)
    at = next(n for n, row in enumerate(rows) if row.kind == "down_proj")
    expected = rows[at].expected_sqnr_db
    assert expected is not None
    rows[at] = dataclasses.replace(rows[at], sqnr_db=expected - 11)
    report = dataclasses.replace(
        plain_report, sections={**plain_report.sections, "weights": weights.Section(tuple(rows))}
    )
    table = next(t for t in find(read(report), "table") if t.text.startswith("The worst first"))
    first = table.text.split("Remark")[1].split("model.")[1]
    assert first.startswith(rows[at].tensor.removeprefix("model.")) and "11 dB short" in first


def test_where_answers_differ_is_drawn(plain_report: Parity) -> None:
    found = plain_report.section(generation.Section)
    assert found is not None
    apart = dataclasses.replace(found, divergence=(generation.HistogramBin(0, 4, 3),), median_divergence=2.0)
    report = dataclasses.replace(plain_report, sections={**plain_report.sections, "generation": apart})
    assert "3 answers differ. Half of them by token 2." in render_html(report)


def test_untrusted_text_reads_as_it_was_written(triage_report: Parity) -> None:
    body = find(read(hostile(triage_report)), "body")[0].text
    for text in HOSTILE[:4]:
        assert " ".join(text.split()) in body
    assert "window.hacked" in body
    assert "W" * 1200 not in body
