"""A score of both runners, with intervals: a share of rows, or one of a whole set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.scoring.paired import Pairs, paired_difference, pairs_of
from edgekit.stats import Interval, bootstrap_interval, mcnemar, share_interval

Score = Callable[[NDArray[np.float64]], float]
"""A score of a set from what was counted row by row."""


@dataclass(frozen=True)
class TaskMetric:
    """One metric of both runners. difference: bundle minus reference, paired by row.

    test: how p_value was had ("McNemar, exact"); None where only the interval tells. decides: whether it is judged, or
    explains another. pairs: of a share of rows, who is right on which.
    """

    name: str
    reference: Interval | None
    bundle: Interval
    difference: Interval | None
    p_value: float | None = None
    test: str | None = None
    free: Interval | None = None
    """The bundle's without the manifest's answer format, which holds its answers; None without one."""
    pairs: Pairs | None = None
    decides: bool = True


def share_metric(
    name: str, reference: list[bool] | None, bundle: list[bool], free: list[bool] | None, *, decides: bool
) -> TaskMetric:
    """A share of rows: Wilson's intervals, and McNemar's test and interval for the paired difference."""

    def share(flags: list[bool]) -> Interval:
        return share_interval(sum(flags), len(flags))

    pairs = None if reference is None else pairs_of(reference, bundle)
    return TaskMetric(
        name,
        None if reference is None else share(reference),
        share(bundle),
        None if pairs is None else paired_difference(pairs),
        None if reference is None else mcnemar(reference, bundle),
        None if reference is None else "McNemar, exact",
        None if free is None else share(free),
        pairs,
        decides,
    )


def set_metric(
    name: str,
    score: Score,
    reference: NDArray[np.float64] | None,
    bundle: NDArray[np.float64],
    free: NDArray[np.float64] | None,
    *,
    decides: bool,
) -> TaskMetric:
    """A score of a whole set, of what was counted row by row: intervals by resampling rows, the same rows for
    both runners."""

    def interval(rows: NDArray[np.float64]) -> Interval:
        return bootstrap_interval(lambda chosen: score(rows[chosen]), len(rows))

    difference = None
    if reference is not None:
        ours = reference
        difference = bootstrap_interval(
            lambda chosen: score(bundle[chosen]) - score(ours[chosen]), len(bundle)
        )
    return TaskMetric(
        name,
        None if reference is None else interval(reference),
        interval(bundle),
        difference,
        free=None if free is None else interval(free),
        decides=decides,
    )
