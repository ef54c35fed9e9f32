"""Check 5: both models read the same tokens, and what they expect next is compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from edgekit.gates import Gates
from edgekit.progress import SILENT, Progress
from edgekit.scoring.positions import PositionScores, join, logit_figures, score_positions
from edgekit.scoring.reference import ForcedText
from edgekit.scoring.scorer import CHUNK, Scorer
from edgekit.stats import mean_interval, share_interval
from edgekit.validation.answers import verdict
from edgekit.validation.result import Check, LogitsSection, LogProbPair, PositionFigures, RemovedMass

_SCATTER = 1000
_MOST_BINS = 24
_SEED = 20260


def check_logits(
    texts: Sequence[ForcedText],
    reference: Scorer,
    bundle: Scorer,
    gates: Gates,
    progress: Progress = SILENT,
    *,
    method: str,
    removed: Callable[[], RemovedMass | None] = lambda: None,
) -> tuple[Check, LogitsSection]:
    """Compare the next-token distributions of two models on some texts.

    Gates look at positions inside answers, where the model is to speak, when there are any.
    method: how the bundle's logits are had. removed: asked, once all was read, what fell on removed tokens.
    """
    scores, positions, in_answer, seconds = _compare(texts, reference, bundle, progress)
    overall = logit_figures(scores)
    answers = logit_figures(scores.where(in_answer)) if in_answer.any() else None
    judged = answers or overall
    section = LogitsSection(
        method=method,
        texts=len(texts),
        overall=overall,
        answers=answers,
        by_position=_by_position(scores, positions),
        scatter=_scatter(scores, in_answer),
        seconds=seconds,
        tokens_per_second=sum(len(t.tokens) for t in texts) / seconds if seconds else 0.0,
        removed=removed(),
    )
    mass = section.removed
    verdicts = (
        *gates.judge("max_kl", judged.kl_mean.value),
        *gates.judge("min_top1", judged.top1.value),
        *gates.judge("max_removed_mass", None if mass is None else mass.mean.value),
    )
    figures: dict[str, int | float | str | None] = {
        "positions": judged.positions,
        "mean KL": judged.kl_mean.value,
        "99% KL": judged.kl_p99.value,
        "largest KL": judged.kl_max,
        "same top token": judged.top1.value,
        "same top five": judged.top5.value,
        "perplexity": judged.perplexity_bundle.value,
        "perplexity, reference": judged.perplexity_reference.value,
        "RMS Δp": judged.delta_p_rms.value,
        "largest Δp": judged.delta_p_max,
        "on removed tokens, mean": None if mass is None else mass.mean.value,
        "on removed tokens, 99%": None if mass is None else mass.p99.value,
    }
    where = "in answers " if answers is not None else ""
    said = (
        f"mean KL {judged.kl_mean.value:.2g}, same top token at {judged.top1.value:.2%} of "
        f"{judged.positions:,} positions {where}".rstrip()
        + f"; perplexity {judged.perplexity_bundle.value:.4g} (reference {judged.perplexity_reference.value:.4g})"
    )
    if mass is not None:
        said += (
            f"; of the reference's probability {mass.mean.value:.2g} is on removed tokens "
            f"(99th percentile {mass.p99.value:.2g})"
        )
    return verdict("logits", said, verdicts, figures), section


def _compare(
    texts: Sequence[ForcedText], reference: Scorer, bundle: Scorer, progress: Progress
) -> tuple[PositionScores, NDArray[np.int64], NDArray[np.bool_], float]:
    """Score every position that has a token behind it; gives scores, positions, in-answer flags and seconds.

    Scoring a chunk runs in a thread beside the interpreter, which keeps at most two chunks of logits alive.
    """
    waiting: list[Future[PositionScores]] = []
    positions: list[int] = []
    in_answer: list[bool] = []
    seconds = 0.0
    total = sum(len(text.tokens) for text in texts)
    with (
        ThreadPoolExecutor(1, thread_name_prefix="score") as pool,
        progress.step("the bundle reads", total, "tokens") as advance,
    ):
        for text in texts:
            targets = text.tokens[1:]
            theirs, ours = bundle.logits(text.tokens), reference.logits(text.tokens)
            for start in range(0, len(text.tokens), CHUNK):
                began = time.perf_counter()
                found = next(theirs)
                seconds += time.perf_counter() - began
                wanted = targets[start : start + CHUNK]
                expected = next(ours)
                if wanted:
                    args = (expected[: len(wanted)], found[: len(wanted)], wanted)
                    waiting.append(pool.submit(score_positions, *args))
                if len(waiting) > 1:
                    waiting[-2].result()
                positions += range(start, start + len(wanted))
                in_answer += [p + 1 >= text.answer_start for p in range(start, start + len(wanted))]
                advance(len(found))
        scores = join([future.result() for future in waiting])
    return scores, np.array(positions, np.int64), np.array(in_answer, np.bool_), seconds


def _by_position(scores: PositionScores, positions: NDArray[np.int64]) -> tuple[PositionFigures, ...]:
    """Figures by position in the text, in at most 24 ranges of equal width."""
    end = int(positions.max()) + 1
    width = -(-end // _MOST_BINS)
    delta_p = np.exp(scores.bundle_logprob) - np.exp(scores.reference_logprob)
    figures = []
    for start in range(0, end, width):
        here = (positions >= start) & (positions < start + width)
        if not here.any():
            continue
        count = int(here.sum())
        figures.append(
            PositionFigures(
                start=start,
                end=start + width,
                positions=count,
                kl_mean=mean_interval(scores.kl[here]),
                kl_max=float(scores.kl[here].max()),
                top1=share_interval(int(scores.top1[here].sum()), count),
                delta_p_rms=float(np.sqrt(np.mean(delta_p[here] ** 2))),
            )
        )
    return tuple(figures)


def _scatter(scores: PositionScores, in_answer: NDArray[np.bool_]) -> tuple[LogProbPair, ...]:
    count = len(in_answer)
    chosen = np.arange(count)
    if count > _SCATTER:
        chosen = np.sort(np.random.default_rng(_SEED).choice(count, _SCATTER, replace=False))
    return tuple(
        LogProbPair(
            round(float(scores.reference_logprob[i]), 5),
            round(float(scores.bundle_logprob[i]), 5),
            bool(in_answer[i]),
        )
        for i in chosen
    )
