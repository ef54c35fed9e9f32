"""Two models of which one has a trimmed vocabulary: compared over the ids that both have.

A trimmed bundle numbers its pieces anew. Its logits are compared with the reference's over the ids that it kept; what
the reference gives to the others, a trimmed model cannot say, and that is a figure of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit.scoring.forcing import ForcedText
from edgekit.scoring.scorer import Scorer
from edgekit.stats import Floats, Interval, mean_interval, quantile_interval


@dataclass(frozen=True)
class Shared:
    """The ids that two models have in common, numbered by themselves; both tuples are as long as there are such.

    reference, bundle: the id that each gives to them.
    """

    reference: tuple[int, ...]
    bundle: tuple[int, ...]
    old: tuple[int, ...]
    """Their ids in the whole vocabulary."""


def shared_ids(reference: Sequence[int] | None, bundle: Sequence[int] | None) -> Shared | None:
    """Find what two models have in common; None when neither, or both in the same way, is trimmed.

    reference, bundle: the old id of each new one, None for a whole vocabulary.
    """
    if reference is bundle is None or (reference and bundle and tuple(reference) == tuple(bundle)):
        return None
    ours = None if bundle is None else {old: new for new, old in enumerate(bundle)}
    theirs = None if reference is None else {old: new for new, old in enumerate(reference)}
    old = [
        number
        for number in (bundle if bundle is not None else reference or ())
        if (ours is None or number in ours) and (theirs is None or number in theirs)
    ]
    return Shared(
        reference=tuple(old if theirs is None else (theirs[number] for number in old)),
        bundle=tuple(old if ours is None else (ours[number] for number in old)),
        old=tuple(old),
    )


def shared_texts(
    texts: Sequence[ForcedText], shared: Shared
) -> tuple[tuple[ForcedText, ...], tuple[bool, ...]]:
    """Write texts in the shared ids, each up to the first token that only one model has.

    texts: in old ids. Gives the texts whose prompts both models can read, and which of them were cut in their answer.
    """
    number = {old: n for n, old in enumerate(shared.old)}
    found: dict[ForcedText, bool] = {}
    for text in texts:
        end = next((at for at, token in enumerate(text.tokens) if token not in number), len(text.tokens))
        if end > text.first:
            tokens = tuple(number[token] for token in text.tokens[:end])
            found.setdefault(ForcedText(tokens, text.answer_start), end < len(text.tokens))
    return tuple(found), tuple(found.values())


@dataclass
class SharedScorer:
    """A model's logits over the shared ids alone.

    own: the model's id of each shared one. removed: of each text that was read, chunk by chunk, the probability that
    the model gives to all its other ids, behind each token.
    """

    inner: Scorer
    own: Sequence[int]
    removed: list[list[Floats]] = field(default_factory=list)

    def logits(self, tokens: Sequence[int], first: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield the logits behind each token from number `first` on, over the shared ids."""
        columns = np.asarray(self.own, np.int64)
        shares: list[Floats] = []
        self.removed.append(shares)
        for chunk in self.inner.logits([self.own[token] for token in tokens], first):
            kept = chunk[:, columns]
            shares.append(share_outside(chunk, kept))
            yield kept


def share_outside(logits: NDArray[np.float32], kept: NDArray[np.float32]) -> Floats:
    """Return the probability of all columns but the kept ones, row by row; never less than 0."""

    def log_sum(values: NDArray[np.float32], highest: Floats) -> Floats:
        result: Floats = np.log(np.exp(values.astype(np.float64) - highest[:, None]).sum(axis=1))
        return result

    highest = logits.max(axis=1).astype(np.float64)
    inside = np.exp(log_sum(kept, highest) - log_sum(logits, highest))
    result: Floats = np.maximum(0.0, 1.0 - inside)
    return result


@dataclass(frozen=True)
class RemovedMass:
    """The probability that the reference gives to tokens which a trimmed vocabulary does not have, 0 to 1.

    rows, kept: pieces of the reference's vocabulary, and of those the bundle's. positions: inside answers, where it was
    looked at. cut_texts: texts that were read up to the first removed token of their answer only.
    """

    rows: int
    kept: int
    positions: int
    mean: Interval
    p99: Interval
    largest: float
    cut_texts: int


def removed_mass(
    texts: Sequence[ForcedText], cut: Sequence[bool], scorer: SharedScorer, rows: int
) -> RemovedMass | None:
    """Sum up what the reference gives to removed tokens inside answers.

    cut: texts whose next token is a removed one; the position before it counts, the last one of other texts
    has no token behind it and does not. rows: of the reference's vocabulary.
    """
    values: list[Floats] = []
    for text, was_cut, shares in zip(texts, cut, scorer.removed, strict=True):
        count = len(text.tokens) - text.first - (0 if was_cut else 1)
        values += [np.concatenate(shares)[:count]] if count else []
    if not values:
        return None
    mass = np.concatenate(values)
    return RemovedMass(
        rows=rows,
        kept=len(scorer.own),
        positions=len(mass),
        mean=mean_interval(mass),
        p99=quantile_interval(mass, 0.99),
        largest=float(mass.max()),
        cut_texts=sum(cut),
    )
