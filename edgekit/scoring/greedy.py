"""Greedy answers of the reference, many at once: guesses are checked in one pass each, and only the rest is generated.

What a bundle answered is a good guess at what its checkpoint answers. The reference reads prompt and guess together;
up to the first token that it would not have chosen itself the guess is its own greedy answer, token by token (the
verification step of speculative decoding, Leviathan et al. 2023, with a greedy target). From there on it generates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.progress import Advance
from edgekit.runtime.reference import Reference

Ids = tuple[int, ...]

_BATCH_TOKENS = 1024
"""Tokens that are read at once, padding included."""
_BATCH_ROWS = 32
_FIRST_STAGE = 16
"""Tokens after which answers that have ended leave the batch; twice as many each time."""


@dataclass(frozen=True)
class Greedy:
    """A greedy continuation, the token that ended it included.

    states: the hidden states behind the last token of the prompt and behind every token but the last, where they came
    with it.
    """

    ids: Ids
    states: NDArray[np.float32] | None = None


def answer_all(
    reference: Reference,
    prompts: Sequence[Ids],
    guesses: Sequence[Ids],
    *,
    max_tokens: int,
    stop_ids: Sequence[int],
    advance: Advance,
) -> list[Greedy]:
    """Return the reference's own greedy answer to each prompt.

    guesses: what may be the answer, with the token that would end it; empty for no idea. max_tokens: of an answer.
    """
    stops = frozenset(stop_ids)
    found: list[Greedy | None] = [None] * len(prompts)
    begun: dict[int, Ids] = dict.fromkeys(range(len(prompts)), ())

    def over(ids: Ids) -> bool:
        return len(ids) >= max_tokens or (bool(ids) and ids[-1] in stops)

    cut = {n: _up_to_stop(guess, stops)[:max_tokens] for n, guess in enumerate(guesses) if guess}
    for batch in batches(list(cut), lambda n: len(prompts[n]) + len(cut[n])):
        # The last token of a guess is not read: nothing behind it is asked.
        texts = [(*prompts[n], *cut[n][:-1]) for n in batch]
        states = reference.states(texts, [len(prompts[n]) - 1 for n in batch])
        for n, behind in zip(batch, states, strict=True):
            accepted = _accepted(cut[n], reference.most_probable(behind))
            begun[n] = accepted
            if over(accepted):
                found[n] = Greedy(accepted, behind[: len(accepted)])
                advance(1)
    stage = _FIRST_STAGE
    while left := [n for n, answer in enumerate(found) if answer is None]:
        for batch in batches(left, lambda n: len(prompts[n]) + len(begun[n]), most=_BATCH_ROWS):
            rest = max(max_tokens - len(begun[n]) for n in batch)
            said = reference.generate_ids(
                [(*prompts[n], *begun[n]) for n in batch],
                max_new_tokens=min(stage, rest),
                stop_ids=stop_ids,
            )
            for n, more in zip(batch, said, strict=True):
                begun[n] = (*begun[n], *more)[:max_tokens]
                if over(begun[n]):
                    found[n] = Greedy(begun[n])
                    advance(1)
        stage *= 2
    return [answer for answer in found if answer is not None]


def batches(
    numbers: Sequence[int], length: Callable[[int], int], most: int | None = None
) -> Iterator[list[int]]:
    """Put texts of like length together, as many as may be read at once. most: texts in a batch."""
    batch: list[int] = []
    for number in sorted(numbers, key=length):
        full = length(number) * (len(batch) + 1) > _BATCH_TOKENS if most is None else len(batch) == most
        if batch and full:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def _accepted(guess: Ids, chosen: Sequence[int]) -> Ids:
    """Return the guess as far as it is what was chosen, and the first token that is another, as it was chosen."""
    for place, (token, own) in enumerate(zip(guess, chosen, strict=True)):
        if token != own:
            return (*guess[:place], own)
    return guess


def _up_to_stop(ids: Ids, stops: frozenset[int]) -> Ids:
    end = next((place + 1 for place, token in enumerate(ids) if token in stops), len(ids))
    return ids[:end]
