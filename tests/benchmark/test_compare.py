"""Two sets of runs side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.benchmark.compare import compare
from edgekit.errors import InputError
from tests.benchmark.results import CASE, result


def test_a_difference_within_the_interval_is_no_difference() -> None:
    noisy = compare(result(40.0, 50.0, 60.0), result(41.0, 51.0, 59.0), interleaved=True)
    clear = compare(result(80.0, 81.0, 82.0), result(40.0, 41.0, 42.0), interleaved=True)
    assert [c.verdict for c in noisy if c.metric == "decode"] == ["same"]
    assert [c.verdict for c in clear if c.metric == "decode"] == ["better"]


def test_one_run_a_side_says_nothing() -> None:
    assert {c.verdict for c in compare(result(80.0), result(40.0), interleaved=True)} == {"unclear"}


def test_other_cases_cannot_be_compared() -> None:
    other = replace(result(1.0), cases=(replace(result(1.0).cases[0], case=replace(CASE, prefill=9)),))
    with pytest.raises(InputError, match="no case in common"):
        compare(result(1.0), other, interleaved=False)
