"""When rows of a task are enough to decide by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from edgekit.scoring.paired import Pairs, decide, paired_difference, pairs_of, rows_for, rows_needed
from edgekit.stats import Interval

COUNTS = st.integers(0, 60)


def test_rows_are_counted_by_who_is_right() -> None:
    reference, bundle = [True, True, False, False, True], [True, False, True, False, True]
    assert pairs_of(reference, bundle) == Pairs(both=2, broken=1, mended=1, neither=1)


def test_the_interval_is_that_of_the_rows_that_changed() -> None:
    found = paired_difference(Pairs(60, 12, 2, 26))
    share = binomtest(2, 14).proportion_ci(method="exact")
    assert found.value == pytest.approx(-0.1)
    assert found.low == pytest.approx((2 * share.low - 1) * 0.14)
    assert found.high == pytest.approx((2 * share.high - 1) * 0.14)


@given(COUNTS, COUNTS, COUNTS, st.integers(1, 60))
def test_the_interval_excludes_nothing_exactly_where_mcnemar_s_test_says_so(
    both: int, broken: int, mended: int, neither: int
) -> None:
    found = paired_difference(Pairs(both, broken, mended, neither))
    assert found.low is not None and found.high is not None
    assert found.low <= found.value <= found.high
    p = binomtest(mended, broken + mended, 0.5).pvalue if broken + mended else 1.0
    assert (found.high < 0 or found.low > 0) == (p < 0.05) or p == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize(
    ("pairs", "decision"),
    [
        (Pairs(83, 0, 0, 17), "ship"),
        (Pairs(81, 2, 2, 15), "ship"),
        (Pairs(71, 12, 2, 15), "do not ship"),
        (Pairs(15, 5, 1, 19), "too few rows to tell"),  # ten points less, by chance perhaps
        (Pairs(10, 0, 0, 0), "too few rows to tell"),  # nothing changed, of ten
        (Pairs(2, 38, 0, 60), "do not ship"),
        (Pairs(0, 0, 40, 60), "ship"),
    ],
)
def test_what_the_rows_say(pairs: Pairs, decision: str) -> None:
    assert decide(paired_difference(pairs), 0.03) == decision


def test_a_drop_without_an_interval_tells_nothing() -> None:
    assert decide(Interval(0.0), 0.03) == "too few rows to tell"


def test_so_many_rows_are_enough() -> None:
    pairs = Pairs(15, 5, 1, 19)
    enough = rows_needed(pairs, 0.03)
    assert enough is not None and enough > pairs.rows
    scale = enough / pairs.rows
    there = Pairs(0, round(5 * scale), round(scale), enough - round(5 * scale) - round(scale))
    assert decide(paired_difference(there), 0.03) == "do not ship"
    assert rows_needed(Pairs(10, 0, 0, 0), 0.03) == 28


def test_for_a_score_that_is_no_share_of_rows_the_interval_tells_how_many() -> None:
    """Never as many as there are: these did not tell."""
    fell = Interval(-0.09, -0.2, 0.02)
    enough = rows_for(fell, 40, 0.03)
    assert enough is not None and enough > 40
    narrower = (40 / enough) ** 0.5
    assert decide(Interval(-0.09, -0.09 - 0.11 * narrower, -0.09 + 0.11 * narrower), 0.03) == "do not ship"
    assert rows_for(Interval(-0.09), 40, 0.03) is None
