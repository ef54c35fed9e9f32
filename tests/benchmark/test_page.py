"""The page of a benchmark, by what it says."""

from __future__ import annotations

from dataclasses import replace

from edgekit.benchmark.compare import compare
from edgekit.benchmark.page import render_html
from edgekit.benchmark.report import Bench
from edgekit.benchmark.result import BenchResult, Check
from tests.benchmark.results import CASE, result


def grid() -> BenchResult:
    """Two prompt lengths, so that there is an axis to draw along."""
    short = result(40.0, 50.0).cases[0]
    return replace(result(), cases=(short, replace(short, case=replace(CASE, prefill=64))))


def test_the_same_report_gives_the_same_page() -> None:
    report = Bench((grid(),), (), (), ())
    assert render_html(report) == render_html(report)


def test_an_axis_with_two_values_is_drawn() -> None:
    along, alone = (render_html(Bench((found,), (), (), ())) for found in (grid(), result(40.0, 50.0)))
    assert "Prefill by prompt length" in along and "Decode by depth" not in along
    assert "Prefill by prompt length" not in alone
    for title in ("Time between tokens, by percentile", "Time between tokens, along the output"):
        assert title in alone


def test_a_problem_is_the_verdict() -> None:
    page = render_html(Bench((result(1.0),), (), ("host: it crashed",), ()))
    assert "1 problem" in page and "host: it crashed" in page
    assert "Measured: 1 runs" in render_html(Bench((result(1.0),), (), (), ()))


def test_an_answer_that_differs_is_shown_with_both() -> None:
    differs = replace(result(1.0), check=Check("hi", "there", "you"))
    page = render_html(Bench((differs,), (), differs.failures, ()))
    assert "this machine" in page and "you" in page


def test_each_baseline_has_a_table() -> None:
    new = result(80.0, 81.0)
    others = [replace(result(40.0, 41.0), bundle=replace(new.bundle, name=name)) for name in ("a", "b")]
    pairs = tuple(pair for other in others for pair in compare(new, other, interleaved=True))
    page = render_html(Bench((new, *others), pairs, (), ()))
    assert page.count("This run against a: ") and page.count("This run against b: ")
