"""Results as rows of texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.benchmark.compare import compare
from edgekit.benchmark.result import Switch, Switching
from edgekit.benchmark.table import (
    COLUMNS,
    COMPARISON_COLUMNS,
    comparison_rows,
    markdown,
    number,
    rows,
    switch_lines,
)
from tests.benchmark.results import result


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0421, "0.042"), (1.5, "1.50"), (123.45, "123.5"), (98765.4, "98,765")]
)
def test_figures_have_three_or_four_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_case_is_a_row_of_medians_and_middle_halves() -> None:
    (row,) = rows([result(40.0, 50.0, 60.0)])
    assert len(row) == len(COLUMNS)
    assert row[:3] == ["host", "demo", "cpu t2 pp8 tg5"]
    assert row[4] == "50.00 (45.00 to 55.00)"
    assert row[-2:] == ["400.0/100.0", "0.001/0.001"]


def test_a_failed_case_says_why() -> None:
    case = replace(result(1.0).cases[0], failure="it crashed")
    (begun,) = rows([replace(result(1.0), cases=(case,))])
    (never,) = rows([replace(result(1.0), cases=(replace(case, runs=()),))])
    assert begun[2].endswith("(FAILED)") and begun[4] == "1.00"
    assert never[3] == "FAILED: it crashed" and len(never) == len(COLUMNS)


def test_what_the_engine_derived_is_marked() -> None:
    case = result(1.0).cases[0]
    runs = tuple(replace(run, ttft=None, total=None, stamps=()) for run in case.runs)
    (row,) = rows([replace(result(1.0), cases=(replace(case, runs=runs),))])
    assert row[5:8] == ["—", "90.00 (derived)", "—"]


def test_a_comparison_is_a_row_for_each_figure() -> None:
    found = comparison_rows(compare(result(80.0, 81.0), result(40.0, 40.5), interleaved=True))
    decode = next(row for row in found if row[2] == "decode")
    assert len(decode) == len(COMPARISON_COLUMNS)
    assert decode[3:6] == ["40.25 tok/s", "80.50 tok/s", "2.000x"]
    assert decode[-1] == "better"


def test_markdown_can_be_pasted() -> None:
    assert markdown(("case", "figure x"), [["a|b", "1"]]).splitlines() == [
        "| case | figure x |",
        "| --- | ---: |",
        "| a\\|b | 1 |",
    ]


def test_switching_is_a_sentence() -> None:
    switching = Switching(("sentiment", ""), (Switch(0.001, 0.002, 0.0005),))
    (line,) = switch_lines([replace(result(1.0), switching=switching)])
    assert line == (
        "host: switching between sentiment, the base alone takes 3.00 ms until a word is fed with the other, 0.500 ms "
        "of them for the word (1 switches)"
    )
    assert switch_lines([result(1.0)]) == []
