"""Batched greedy answers are those that one prompt and one token at a time give, whatever was guessed."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.runtime.reference import Reference
from edgekit.scoring.greedy import answer_all, batches
from tests.fixtures.checkpoints import tiny_checkpoint

pytestmark = pytest.mark.slow

TOKENS = 24
STOPS = (1, 7)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "outliers"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """A random model whose window is shorter than its prompts, with and without large channels."""
    path = tmp_path_factory.mktemp("small") / "checkpoint"
    return Reference(tiny_checkpoint(path, outliers=request.param, dtype="F32", config={"sliding_window": 8}))


def prompts() -> list[tuple[int, ...]]:
    generator = np.random.default_rng(3)
    return [tuple(generator.integers(8, 300, length).tolist()) for length in (3, 5, 11, 12, 19, 30)]


def one_by_one(reference: Reference, prompt: tuple[int, ...]) -> tuple[int, ...]:
    said: list[int] = []
    while len(said) < TOKENS and (not said or said[-1] not in STOPS):
        said.append(int(reference.logits((*prompt, *said))[-1].argmax()))
    return tuple(said)


@pytest.mark.parametrize("guessed", ["nothing", "the answer", "half of it", "another", "too much"])
def test_answers_are_those_of_one_token_at_a_time(small: Reference, guessed: str) -> None:
    asked = prompts()
    wanted = [one_by_one(small, prompt) for prompt in asked]
    guesses = {
        "nothing": [() for _ in asked],
        "the answer": wanted,
        "half of it": [(*said[: len(said) // 2], 5, 6) for said in wanted],
        "another": [(9, 10, 11) for _ in asked],
        "too much": [(*said, 3, 4, 5) for said in wanted],
    }[guessed]
    told: list[int] = []
    found = answer_all(small, asked, guesses, max_tokens=TOKENS, stop_ids=STOPS, advance=told.append)
    assert [answer.ids for answer in found] == wanted
    assert sum(told) == len(asked)
    for prompt, answer in zip(asked, found, strict=True):
        if answer.states is not None:
            alone = small.hidden((*prompt, *answer.ids[:-1]))[len(prompt) - 1 :]
            np.testing.assert_allclose(answer.states, alone, rtol=1e-3, atol=1e-3)


def test_texts_of_like_length_go_together() -> None:
    lengths = [600, 10, 500, 12, 400]
    found = list(batches(range(5), lengths.__getitem__))
    assert sorted(n for batch in found for n in batch) == [0, 1, 2, 3, 4]
    assert all(len(batch) * max(lengths[n] for n in batch) <= 1024 or len(batch) == 1 for batch in found)
