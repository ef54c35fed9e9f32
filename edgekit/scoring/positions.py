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

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.stats import Floats, Interval, mean_interval, quantile_interval, rms_interval, share_interval

_BLOCK = 64


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
    """
    rows = [_score_row(p, q, t) for p, q, t in zip(reference, bundle, targets, strict=True)]
    return PositionScores(*(np.array(column, np.float64) for column in zip(*rows, strict=True)))


def _score_row(
    reference: NDArray[np.float32], bundle: NDArray[np.float32], target: int
) -> tuple[float, float, float, float, float]:
    log_p, log_q, divergence = _compare(reference, bundle, target)
    best_p, best_q = top(reference, 5), top(bundle, 5)
    return (
        log_p,
        log_q,
        max(divergence, 0.0) if math.isfinite(divergence) else math.inf,
        float(int(np.argmax(reference)) == int(np.argmax(bundle))),
        len(set(best_p.tolist()) & set(best_q.tolist())) / len(best_p),
    )


def _compare(
    reference: NDArray[np.float32], bundle: NDArray[np.float32], target: int
) -> tuple[float, float, float]:
    """Return log p and log q of a token, and KL(p, q), which is exactly zero for equal logits.

    The differences to the highest logit are exponentiated in float32, which a vocabulary of 262,144 needs to be quick,
    and summed in float64: good to 1e-6 nats. Logits that are not finite take the long way.
    """
    high_p, high_q = reference.max(), bundle.max()
    if not (np.isfinite(high_p + high_q) and np.isfinite(reference.min() + bundle.min())):
        whole_p, whole_q = log_softmax(reference), log_softmax(bundle)
        with np.errstate(invalid="ignore"):
            divergence = float(np.dot(np.exp(whole_p), whole_p - whole_q))
        return float(whole_p[target]), float(whole_q[target]), divergence
    below_p, below_q = reference - high_p, bundle - high_q
    p = np.exp(below_p)
    sum_p, sum_q = float(p.sum(dtype=np.float64)), float(np.exp(below_q).sum(dtype=np.float64))
    log_sum_p, log_sum_q = math.log(sum_p), math.log(sum_q)
    p *= np.subtract(below_p, below_q, out=below_p)
    divergence = float(p.sum(dtype=np.float64)) / sum_p - (log_sum_p - log_sum_q)
    return (
        float(reference[target]) - float(high_p) - log_sum_p,
        float(bundle[target]) - float(high_q) - log_sum_q,
        divergence,
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
    near = np.arange(len(logits))
    if len(logits) > _BLOCK * count:
        # The least of the `count` highest block maxima: at least so many values reach it, and few others.
        whole = len(logits) // _BLOCK * _BLOCK
        highest = logits[:whole].reshape(-1, _BLOCK).max(axis=1)
        near = np.flatnonzero(logits >= np.partition(highest, -count)[-count])
    values = logits[near]
    least = np.partition(values, -count)[-count]
    above = near[values > least]
    equal = near[values == least][: count - len(above)]
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


def _exp(interval: Interval) -> Interval:
    def exp(value: float | None) -> float | None:
        return None if value is None else (math.exp(value) if value < 700 else math.inf)

    value = exp(interval.value)
    assert value is not None
    return Interval(value, exp(interval.low), exp(interval.high))


@dataclass(frozen=True)
class LogitDistance:
    """How far apart the logits of two models are on the same positions; kl in nats, KL(first ‖ second)."""

    kl_mean: float
    kl_max: float
    largest_logit_difference: float
    top1: float


@dataclass(frozen=True)
class LogitFigures:
    """Figures over a set of positions; definitions in edgekit.scoring.positions.

    delta_p figures are differences of the probability of the token that came, bundle minus reference, 0 to 1.
    """

    positions: int
    perplexity_reference: Interval
    perplexity_bundle: Interval
    perplexity_ratio: Interval
    kl_mean: Interval
    kl_median: Interval
    kl_p99: Interval
    kl_max: float
    top1: Interval
    top5: Interval
    delta_p_max: float
    delta_p_rms: Interval
    delta_p_mean: Interval
