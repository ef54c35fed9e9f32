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
from edgekit.scoring.scorer import Scorer


@dataclass(frozen=True)
class ForcedText:
    """A text to read by teacher forcing. answer_start: index of the first token of the answer."""

    tokens: tuple[int, ...]
    answer_start: int

    @property
    def first(self) -> int:
        """The position from which on it is judged: the one before the answer."""
        return max(0, self.answer_start - 1)


def forced_texts(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], positions: int, longest: int
) -> tuple[ForcedText, ...]:
    """Join prompts and answers until there are tokens of answers enough; equal texts count once.

    positions: tokens of answers, all together. longest: tokens of a text.
    """
    texts: dict[tuple[int, ...], ForcedText] = {}
    left = positions
    for prompt, answer in zip(prompts, answers, strict=True):
        tokens = (*prompt, *answer[:left])[:longest]
        if len(tokens) < 2 or len(tokens) <= len(prompt) or tokens in texts:
            continue
        text = texts[tokens] = ForcedText(tokens, len(prompt))
        left -= len(tokens) - 1 - text.first
        if left <= 0:
            break
    return tuple(texts.values())


@dataclass(frozen=True)
class ForcedScores:
    """What two models made of the same texts, at every position behind which a token of an answer came.

    positions: of each in its text, as long as the scores. seconds: of the bundle's pass alone, which reads `tokens`.
    """

    scores: PositionScores | None
    positions: NDArray[np.int64]
    tokens: int
    seconds: float


def score_texts(
    texts: Sequence[ForcedText], reference: Scorer, bundle: Scorer, progress: Progress = SILENT
) -> ForcedScores:
    """Let both read the texts, and score every position that has a token of an answer behind it.

    Scoring a chunk runs in a thread beside the interpreter, which keeps at most two chunks of logits alive.
    """
    waiting: list[Future[PositionScores]] = []
    positions: list[int] = []
    seconds = 0.0
    total = sum(len(text.tokens) for text in texts)
    with (
        ThreadPoolExecutor(1, thread_name_prefix="score") as pool,
        progress.step("the bundle reads", total, "tokens") as advance,
    ):
        for text in texts:
            theirs, place = bundle.logits(text.tokens, text.first), text.first
            for expected in reference.logits(text.tokens, text.first):
                began = time.perf_counter()
                found = next(theirs)
                seconds += time.perf_counter() - began
                wanted = text.tokens[place + 1 : place + 1 + len(expected)]
                if wanted:
                    args = (expected[: len(wanted)], found[: len(wanted)], wanted)
                    waiting.append(pool.submit(score_positions, *args))
                if len(waiting) > 1:
                    waiting[-2].result()
                positions += range(place, place + len(wanted))
                place += len(expected)
            advance(len(text.tokens))
        parts = [future.result() for future in waiting]
    scores = join(parts) if parts else None
    return ForcedScores(scores, np.array(positions, np.int64), total, seconds)
