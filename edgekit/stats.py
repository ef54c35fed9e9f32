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


@dataclass(frozen=True)
class Summary:
    """Values in short: how many, the median, the middle half (25th to 75th percentile), and the rest.

    deviation: the sample's standard deviation, 0 for a single value.
    """

    count: int
    median: float
    low: float
    high: float
    minimum: float
    maximum: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class Ratio:
    """A quotient of two medians with its 95% bootstrap interval; low and high are None where a side has one value only.

    paired: both sides were measured in turns, round by round.
    """

    value: float
    low: float | None
    high: float | None
    paired: bool


Z95 = 1.959963984540054
"""The normal distribution's 97.5% quantile."""

_BOOTSTRAP_RESAMPLES = 2000
_MEDIAN_RESAMPLES = 4000


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


def summarize(values: Sequence[float]) -> Summary | None:
    """Return values in short; None of nothing."""
    if not values:
        return None
    low, median, high = (float(value) for value in np.percentile(values, (25, 50, 75)))
    return Summary(
        count=len(values),
        median=median,
        low=low,
        high=high,
        minimum=float(min(values)),
        maximum=float(max(values)),
        mean=float(np.mean(values)),
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
    )


def median_interval(values: Sequence[float]) -> Interval:
    """The median of some values with its bootstrap interval, by percentiles; no interval for a single value."""
    from scipy.stats import bootstrap

    median = float(np.median(values))
    if len(values) < 2:
        return Interval(median)
    found = bootstrap(
        (np.asarray(values, np.float64),),
        np.median,
        n_resamples=_MEDIAN_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Interval(median, float(found.low), float(found.high))


def median_ratio(new: Sequence[float], old: Sequence[float], *, paired: bool) -> Ratio | None:
    """Return median(new) / median(old) with its bootstrap interval, by percentiles; None without values above 0.

    paired: the values of one index were measured in turn, so rounds are drawn together and a slow moment hits both
    sides; otherwise, or with unequal counts, the sides are drawn apart.
    """
    from scipy.stats import bootstrap

    if not new or not old or np.median(old) <= 0:
        return None
    paired = paired and len(new) == len(old)
    value = float(np.median(new) / np.median(old))
    if min(len(new), len(old)) < 2:
        return Ratio(value, None, None, paired)
    found = bootstrap(
        (np.asarray(new, np.float64), np.asarray(old, np.float64)),
        lambda mine, other, axis: np.median(mine, axis=axis) / np.median(other, axis=axis),
        vectorized=True,
        paired=paired,
        n_resamples=_MEDIAN_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Ratio(value, float(found.low), float(found.high), paired)


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
