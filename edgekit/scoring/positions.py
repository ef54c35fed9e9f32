"""The figures, as pure functions of NumPy arrays: no model, no file.

Definitions follow `llama-perplexity --kl-divergence` (llama.cpp, tools/perplexity), so that figures compare:
natural logarithms, P the reference and Q the bundle, one value per position, and

    perplexity      exp of the mean negative log-probability of the tokens that came
    KL(P ‖ Q)       Σ over the vocabulary of p (log p - log q); mean, median, 99th percentile and maximum
    Δp              q - p of the token that came; RMS, mean and largest
    same top        share of positions whose most probable token is the same

Intervals are 95%: normal approximation for means (llama.cpp gives one standard error, this is 1.96 of them),
order statistics for quantiles, Wilson's for shares, the percentile bootstrap for everything paired and small.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.validation.result import Interval, LogitFigures

Z95 = 1.959963984540054
"""The normal distribution's 97.5% quantile."""

_BOOTSTRAP_RESAMPLES = 2000
_SEED = 20260

Floats = NDArray[np.float64]


# ---------------------------------------- positions


@dataclass(frozen=True)
class PositionScores:
    """What is kept of each position once two logit vectors were compared; all of shape (positions,).

    reference_logprob, bundle_logprob: of the token that came. kl: KL(reference ‖ bundle).
    top1: the same token is most probable. top5: share of the reference's five most probable tokens that are
    among the bundle's five.
    """

    reference_logprob: Floats
    bundle_logprob: Floats
    kl: Floats
    top1: Floats
    top5: Floats

    def where(self, chosen: NDArray[np.bool_]) -> PositionScores:
        """Keep some positions."""
        return PositionScores(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def join(parts: Sequence[PositionScores]) -> PositionScores:
    """Put the positions of several texts behind each other."""
    return PositionScores(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in PositionScores.__dataclass_fields__)
    )


def score_positions(
    reference: NDArray[np.float32], bundle: NDArray[np.float32], targets: Sequence[int]
) -> PositionScores:
    """Compare the logits at some positions.

    reference, bundle: shape (positions, vocabulary). targets: the token that came after each position.
    A difference of two log-softmaxes is taken before it is weighted, in float64, so that equal logits give a
    divergence of exactly zero. Rows are handled one at a time: a vocabulary row in float64 stays in the cache.
    """
    rows = [_score_row(p, q, t) for p, q, t in zip(reference, bundle, targets, strict=True)]
    return PositionScores(*(np.array(column, np.float64) for column in zip(*rows, strict=True)))


def _score_row(
    reference: NDArray[np.float32], bundle: NDArray[np.float32], target: int
) -> tuple[float, float, float, float, float]:
    log_p, log_q = log_softmax(reference), log_softmax(bundle)
    divergence = float(np.dot(np.exp(log_p), log_p - log_q))
    best_p, best_q = top(reference, 5), top(bundle, 5)
    return (
        float(log_p[target]),
        float(log_q[target]),
        max(divergence, 0.0) if math.isfinite(divergence) else math.inf,
        float(int(np.argmax(reference)) == int(np.argmax(bundle))),
        len(set(best_p.tolist()) & set(best_q.tolist())) / len(best_p),
    )


def log_softmax(logits: NDArray[np.float32]) -> Floats:
    """The logarithm of the softmax over the last axis, in float64; NaN counts as minus infinity."""
    values = np.nan_to_num(logits.astype(np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    with np.errstate(invalid="ignore"):  # of a row without any number no distribution can be made
        shifted = values - values.max(axis=-1, keepdims=True)
        result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def top(logits: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the largest values, in no order; of equal ones the first count."""
    count = min(count, len(logits))
    if np.isnan(logits).any():
        logits = np.nan_to_num(logits, nan=-np.inf)
    least = np.partition(logits, -count)[-count]
    above = np.flatnonzero(logits > least)
    equal = np.flatnonzero(logits == least)[: count - len(above)]
    return np.concatenate([above, equal])


def logit_figures(scores: PositionScores) -> LogitFigures:
    """All figures over some positions (at least one)."""
    delta_p = np.exp(scores.bundle_logprob) - np.exp(scores.reference_logprob)
    count = len(delta_p)
    return LogitFigures(
        positions=count,
        perplexity_reference=_exp(mean_interval(-scores.reference_logprob)),
        perplexity_bundle=_exp(mean_interval(-scores.bundle_logprob)),
        perplexity_ratio=_exp(mean_interval(scores.reference_logprob - scores.bundle_logprob)),
        kl_mean=mean_interval(scores.kl),
        kl_median=quantile_interval(scores.kl, 0.5),
        kl_p99=quantile_interval(scores.kl, 0.99),
        kl_max=float(scores.kl.max()),
        top1=share_interval(int(scores.top1.sum()), count),
        top5=mean_interval(scores.top5),
        delta_p_max=float(np.abs(delta_p).max()),
        delta_p_rms=rms_interval(delta_p),
        delta_p_mean=mean_interval(delta_p),
    )


# ---------------------------------------- intervals


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
    share, z = hits / count, Z95
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(share, min(low, share), max(high, share))


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


def _exp(interval: Interval) -> Interval:
    def exp(value: float | None) -> float | None:
        return None if value is None else (math.exp(value) if value < 700 else math.inf)

    value = exp(interval.value)
    assert value is not None
    return Interval(value, exp(interval.low), exp(interval.high))


# ---------------------------------------- answers


def first_difference(first: Sequence[Any], second: Sequence[Any]) -> int | None:
    """Position of the first element that differs; the shorter length when one begins the other; None if equal."""
    for position, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return position
    return None if len(first) == len(second) else min(len(first), len(second))


LOOP_REPEATS = 4
LOOP_TOKENS = 12
_LONGEST_UNIT = 64


def ends_in_loop(tokens: Sequence[Any]) -> bool:
    """Whether a text ends in a loop: an n-gram repeated at its tail.

    True when the tail is an n-gram (of at most 64 tokens) repeated at least 4 times in a row and the
    repetitions cover at least 12 tokens; an incomplete repetition at the very end, where the limit cut it,
    does not break the loop. A single token must so come 12 times, a sentence of ten tokens 4 times.
    """
    count = len(tokens)
    for size in range(1, min(_LONGEST_UNIT, count // LOOP_REPEATS) + 1):
        needed = max(LOOP_REPEATS * size, LOOP_TOKENS)
        matched = size
        while matched < count and tokens[-matched - 1] == tokens[-matched - 1 + size]:
            matched += 1
        if matched >= needed:
            return True
    return False


# ---------------------------------------- tasks


def exact_match(answer: str, expected: str) -> bool:
    """Equal but for white space at both ends."""
    return answer.strip() == expected.strip()


def macro_f1(codes: Floats) -> float:
    """The mean over the expected labels of each label's F1; an answer that is no label is just wrong.

    codes: shape (rows, 2), the number of the answered label (-1 for none) and of the expected one.
    F1 of a label: 2 TP / (2 TP + FP + FN). Source: scikit-learn's f1_score(average="macro") with `labels` set
    to those that are expected.
    """
    answered, expected = codes[:, 0].astype(np.int64), codes[:, 1].astype(np.int64)
    size = int(max(answered.max(), expected.max())) + 1
    wanted = np.bincount(expected, minlength=size)
    given = np.bincount(answered[answered >= 0], minlength=size)
    hits = np.bincount(expected[answered == expected], minlength=size)
    there = wanted > 0
    return float(np.mean(2 * hits[there] / (given[there] + wanted[there])))


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None when it is none. A text around it is not forgiven: apps do not."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def json_fields(value: Mapping[str, Any], prefix: str = "") -> Counter[tuple[str, str]]:
    """The leaves of a JSON object as (path, value); list elements share their list's path."""
    fields: Counter[tuple[str, str]] = Counter()
    for key, item in value.items():
        for element in item if isinstance(item, list) else [item]:
            if isinstance(element, dict):
                fields += json_fields(element, f"{prefix}{key}.")
            else:
                fields[f"{prefix}{key}", json.dumps(element, sort_keys=True)] += 1
    return fields


def field_counts(answer: str, expected: str) -> tuple[int, int, int]:
    """(fields that are right, fields answered, fields expected) of one row; an invalid answer has none."""
    found = json_fields(parse_object(answer) or {})
    wanted = json_fields(parse_object(expected) or {})
    return (found & wanted).total(), found.total(), wanted.total()


def precision_recall_f1(counts: Floats) -> tuple[float, float, float]:
    """Micro-averaged over rows; counts: shape (rows, 3), as `field_counts` gives them."""
    right, answered, wanted = (float(total) for total in counts.sum(axis=0))
    precision = right / answered if answered else 0.0
    recall = right / wanted if wanted else 0.0
    return precision, recall, 2 * right / (answered + wanted) if answered + wanted else 0.0


# ---------------------------------------- weights


def sqnr_db(original: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Signal-to-quantization-noise ratio: 10 log10(Σ w² / Σ (w - ŵ)²) in decibels; infinite when equal."""
    signal, noise, _ = weight_sums(original, stored)
    return sqnr_of(signal, noise)


def cosine(original: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Cosine of the angle between two tensors as vectors; 1 for two zero tensors, 0 for one."""
    a, b = original.astype(np.float64).ravel(), stored.astype(np.float64).ravel()
    return cosine_of(float(a @ a), float(b @ b), float(a @ b))


def weight_sums(original: NDArray[np.float32], stored: NDArray[np.float32]) -> tuple[float, float, float]:
    """Σ w², Σ (w - ŵ)² and Σ ŵ², which add up over the rows of a tensor; in float64 sums."""
    noise = (original - stored).ravel()
    a, b = original.ravel(), stored.ravel()
    return (
        float(np.einsum("i,i->", a, a, dtype=np.float64)),
        float(np.einsum("i,i->", noise, noise, dtype=np.float64)),
        float(np.einsum("i,i->", b, b, dtype=np.float64)),
    )


def sqnr_of(signal: float, noise: float) -> float:
    """The ratio of two sums of `weight_sums` in decibels."""
    if noise == 0:
        return math.inf
    return -math.inf if signal == 0 else 10 * math.log10(signal / noise)


def cosine_of(first: float, second: float, product: float) -> float:
    """The cosine from both squared lengths and the product."""
    if first == 0 or second == 0:
        return 1.0 if first == second else 0.0
    return max(-1.0, min(1.0, product / math.sqrt(first * second)))
