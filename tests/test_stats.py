"""Medians, their intervals and their ratios: against a hand, and what holds of any values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.stats import median_interval, median_ratio, summarize

VALUES = st.lists(st.floats(0.001, 1000), min_size=2, max_size=12)


def test_a_summary_by_hand() -> None:
    summary = summarize([4.0, 1.0, 3.0, 2.0])
    assert summary is not None
    assert (summary.count, summary.median, summary.low, summary.high) == (4, 2.5, 1.75, 3.25)
    assert (summary.minimum, summary.maximum, summary.mean) == (1.0, 4.0, 2.5)
    assert summary.deviation == pytest.approx((5 / 3) ** 0.5)
    assert summarize([]) is None
    single = summarize([7.0])
    assert single is not None and single.deviation == 0.0


@given(VALUES)
def test_a_median_s_interval_holds_it_and_stays_within_the_values(values: list[float]) -> None:
    found = median_interval(values)
    assert found.low is not None and found.high is not None
    rounding = 1 + 1e-12
    assert min(values) <= found.low * rounding
    assert found.low <= found.value * rounding
    assert found.value <= found.high * rounding
    assert found.high <= max(values) * rounding
    assert median_interval(values) == found


def test_a_median_s_interval_shrinks_with_more_values() -> None:
    few, many = median_interval([1.0, 2.0, 3.0, 4.0, 5.0]), median_interval([1.0, 2.0, 3.0, 4.0, 5.0] * 40)
    assert few.low is not None and few.high is not None and many.low is not None and many.high is not None
    assert many.high - many.low < few.high - few.low
    assert median_interval([1.0]).low is None


def test_the_ratio_of_medians_and_its_interval() -> None:
    ratio = median_ratio([11.0, 12.0, 13.0], [10.0, 10.0, 10.0], paired=False)
    assert ratio is not None
    assert ratio.value == pytest.approx(1.2)
    assert ratio.low is not None and ratio.high is not None
    assert 1.1 <= ratio.low <= 1.2 <= ratio.high <= 1.3
    single = median_ratio([2.0], [1.0, 1.0], paired=True)
    assert single is not None and (single.value, single.low, single.paired) == (2.0, None, False)
    assert median_ratio([1.0], [0.0], paired=False) is None
    assert median_ratio([], [1.0], paired=False) is None


@given(VALUES, st.floats(0.5, 2.0))
def test_what_is_faster_by_a_factor_in_every_round_is_so_without_doubt(
    old: list[float], factor: float
) -> None:
    ratio = median_ratio([factor * value for value in old], old, paired=True)
    assert ratio is not None and ratio.paired
    assert (ratio.value, ratio.low, ratio.high) == (pytest.approx(factor),) * 3


def test_pairs_cancel_what_slows_both_sides() -> None:
    """A machine that is twice as slow every other round: the ratio of each round is 1.1 all the same."""
    generator = np.random.default_rng(1)
    old = [100.0 * (1 + number % 2) + generator.normal() for number in range(20)]
    new = [1.1 * value for value in old]
    paired, apart = median_ratio(new, old, paired=True), median_ratio(new, old, paired=False)
    assert paired is not None and apart is not None
    assert (paired.low, paired.high) == (pytest.approx(1.1), pytest.approx(1.1))
    assert apart.low is not None and apart.high is not None and apart.high - apart.low > 0.5
