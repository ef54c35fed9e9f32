"""Two models of which one has a trimmed vocabulary: the arithmetic of what they share."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.scoring.forcing import ForcedText
from edgekit.scoring.shared import SharedScorer, removed_mass, share_outside, shared_ids, shared_texts


def test_two_models_share_the_ids_that_both_have() -> None:
    assert shared_ids(None, None) is None
    assert shared_ids((3, 5), (3, 5)) is None
    one = shared_ids(None, (7, 3))
    assert one is not None
    assert (one.reference, one.bundle, one.old) == ((7, 3), (0, 1), (7, 3))
    both = shared_ids((5, 3, 9), (3, 4, 5))
    assert both is not None
    assert (both.reference, both.bundle, both.old) == ((1, 0), (0, 2), (3, 5))
    other = shared_ids((5, 3), None)
    assert other is not None
    assert (other.reference, other.bundle) == ((0, 1), (5, 3))


def test_texts_end_before_the_first_token_that_is_not_shared() -> None:
    shared = shared_ids(None, (7, 3, 4))
    assert shared is not None
    texts = [
        ForcedText((7, 3, 4), 1),
        ForcedText((3, 4, 9, 7), 2),
        ForcedText((7, 9, 3), 1),
        ForcedText((9, 7), 1),
    ]
    known, cut = shared_texts(texts, shared)
    # The second is cut where its answer begins, the third in its answer, the last in its prompt.
    assert known == (ForcedText((0, 1, 2), 1), ForcedText((1, 2), 2), ForcedText((0,), 1))
    assert cut == (False, True, True)


def test_the_share_outside_is_what_softmax_gives_to_the_rest() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (5, 40)).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(share_outside(logits, logits[:, 5:]), p[:, :5].sum(axis=1), rtol=1e-9)
    assert (share_outside(logits, logits) == 0).all()
    huge = np.array([[1000.0, 0.0, 999.0]], np.float32)
    assert share_outside(huge, huge[:, :1])[0] == pytest.approx(1 - 1 / (1 + np.exp(-1)))


def test_the_position_before_a_removed_token_counts() -> None:
    """Logits of three tokens, the last of which is removed; two texts, one of them cut at it."""
    p = np.array([[0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])

    class Table:
        def logits(self, tokens, first=0):  # type: ignore[no-untyped-def]
            yield np.log(p[list(tokens[first:])]).astype(np.float32)

    scorer = SharedScorer(Table(), (0, 1))
    texts = [ForcedText((0, 1), 1), ForcedText((1, 0, 1), 3)]
    for text in texts:
        next(scorer.logits(text.tokens, text.first))  # as they are read: never to the end of the generator
    whole = removed_mass(texts, (False, False), scorer, 3)
    assert whole is not None
    assert whole.positions == 1
    assert whole.mean.value == pytest.approx(0.1)
    cut = removed_mass(texts, (False, True), scorer, 3)
    assert cut is not None
    assert (cut.positions, cut.kept, cut.rows, cut.cut_texts) == (2, 2, 3, 1)
    assert cut.mean.value == pytest.approx((0.1 + 0.6) / 2)
    assert cut.largest == pytest.approx(0.6)
