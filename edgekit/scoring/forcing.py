"""Teacher forcing: two models read the same texts, and what they expect next is compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.progress import SILENT, Progress
from edgekit.scoring.positions import PositionScores, join, score_positions
from edgekit.scoring.scorer import CHUNK, Scorer


@dataclass(frozen=True)
class ForcedText:
    """A text to read by teacher forcing. answer_start: index of the first token of the answer, if any."""

    tokens: tuple[int, ...]
    answer_start: int


def forced_texts(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], positions: int, longest: int
) -> tuple[ForcedText, ...]:
    """Join prompts and answers until there are tokens enough; equal texts count once."""
    texts: dict[tuple[int, ...], ForcedText] = {}
    total = 0
    for prompt, answer in zip(prompts, answers, strict=True):
        tokens = (*prompt, *answer)[: min(longest, positions - total + 1)]
        if len(tokens) < 2 or tokens in texts:
            continue
        texts[tokens] = ForcedText(tokens, min(len(prompt), len(tokens)))
        total += len(tokens) - 1
        if total >= positions:
            break
    return tuple(texts.values())


@dataclass(frozen=True)
class ForcedScores:
    """What two models made of the same texts, at every position that has a token behind it.

    positions: of each in its text, and whether the token that came lies in an answer; all as long as the scores.
    seconds: of the bundle's pass alone.
    """

    scores: PositionScores
    positions: NDArray[np.int64]
    in_answer: NDArray[np.bool_]
    seconds: float


def score_texts(
    texts: Sequence[ForcedText], reference: Scorer, bundle: Scorer, progress: Progress = SILENT
) -> ForcedScores:
    """Let both read the texts, and score every position that has a token behind it.

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
    return ForcedScores(scores, np.array(positions, np.int64), np.array(in_answer, np.bool_), seconds)
