"""Greedy answers side by side: loops beyond the reference's, equal answers, and the answer format."""

from __future__ import annotations

import pytest

from edgekit.gates import Gates, Thresholds
from edgekit.stats import Interval
from edgekit.validation.checks import generation


def found(exact: float | None, loops: float, reference_loops: float | None) -> generation.Section:
    return generation.Section(
        rows=(),
        max_tokens=8,
        exact=None if exact is None else Interval(exact),
        divergence=(),
        median_divergence=None,
        length_difference=None,
        loops_reference=None if reference_loops is None else Interval(reference_loops),
        loops_bundle=Interval(loops),
    )


@pytest.mark.parametrize(
    ("section", "status", "said"),
    [
        (found(1.0, 0.0, 0.0), "passed", "100.0% of 0 answers are the reference's"),
        (found(0.4, 0.0, 0.0), "failed", "answers equal to the reference's is 0.4, allowed is at least 0.5"),
        (found(1.0, 0.3, 0.3), "passed", "30.0% end in a loop (30.0% of the reference's)"),
        (found(1.0, 0.3, 0.1), "failed", "beyond the reference's is 0.2, allowed is at most 0.1"),
        (found(None, 0.05, None), "passed", "5.0% end in a loop"),
    ],
    ids=["equal", "few are equal", "both loop", "it loops more", "no reference"],
)
def test_loops_count_beyond_the_references(section: generation.Section, status: str, said: str) -> None:
    check = generation.judge(section, Gates(Thresholds(max_loop=0.1, min_exact=0.5), Thresholds()))
    assert check.status == status
    assert said in check.summary
    assert None not in check.figures.values()
