"""Statistics with their intervals: what any figure of this project is quoted with.

Intervals are 95%: normal approximation for means, order statistics for quantiles, Wilson's for shares, the percentile
bootstrap for everything paired and small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% confidence interval; low and high are None where none can be given."""

    value: float
    low: float | None = None
    high: float | None = None


Z95 = 1.959963984540054
"""The normal distribution's 97.5% quantile."""

_BOOTSTRAP_RESAMPLES = 2000
_SEED = 20260

Floats = NDArray[np.float64]


def mean_interval(values: Floats) -> Interval:
    """The mean with 1.96 standard errors on both sides; none for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2 or not math.isfinite(mean):
        return Interval(mean)
    half = Z95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def rms_interval(values: Floats) -> Interval:
    """The root of the mean square; its interval is that of the mean square, rooted."""
    square = mean_interval(values**2)
    if square.low is None or square.high is None:
        return Interval(math.sqrt(square.value))
    return Interval(math.sqrt(square.value), math.sqrt(max(square.low, 0.0)), math.sqrt(square.high))


def quantile_interval(values: Floats, share: float) -> Interval:
    """A quantile with the distribution-free interval of order statistics.

    The number of values below the quantile is binomial; the interval runs between the order statistics at its
    2.5% and 97.5% quantiles. (Conover, Practical Nonparametric Statistics, 3.2.)
    """
    from scipy.stats import binom

    ordered = np.sort(values)
    count = len(ordered)
    value = float(np.quantile(ordered, share))
    low, high = (int(binom.ppf(q, count, share)) for q in (0.025, 0.975))
    return Interval(value, float(ordered[max(low - 1, 0)]), float(ordered[min(high, count - 1)]))


def share_interval(hits: int, count: int) -> Interval:
    """A share with Wilson's score interval, which stays sensible near 0 and 1."""
    if count == 0:
        return Interval(math.nan)
    from scipy.stats import binomtest

    found = binomtest(hits, count).proportion_ci(method="wilson")
    return Interval(hits / count, float(found.low), float(found.high))


def bootstrap_interval(statistic: Callable[[NDArray[np.int64]], float], count: int) -> Interval:
    """Bootstrap any statistic of rows by percentiles (scipy.stats.bootstrap).

    statistic: takes row numbers, repeated as the resampling wants.
    """
    from scipy.stats import bootstrap

    rows = np.arange(count)
    value = statistic(rows)
    if count < 2:
        return Interval(value)
    found = bootstrap(
        (rows,),
        lambda chosen: statistic(np.asarray(chosen, np.int64)),
        vectorized=False,
        n_resamples=_BOOTSTRAP_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high))


def mcnemar(reference: Sequence[bool], bundle: Sequence[bool]) -> float:
    """The exact McNemar test: two-sided p-value that both are right equally often.

    Of the rows on which exactly one is right, as many should be the reference's as the bundle's.
    """
    from scipy.stats import binomtest

    only_reference = sum(r and not b for r, b in zip(reference, bundle, strict=True))
    only_bundle = sum(b and not r for r, b in zip(reference, bundle, strict=True))
    if only_reference + only_bundle == 0:
        return 1.0
    return float(binomtest(only_bundle, only_reference + only_bundle, 0.5).pvalue)
