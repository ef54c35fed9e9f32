"""Sliding layers that keep a ring compute what Transformers computes, however long the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.inspect import inspect
from edgekit.bundle.metadata import build_executor_metadata
from edgekit.checkpoint import Checkpoint
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.errors import InputError
from edgekit.runtime.ask.session import ask
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from tests.graph.linking import linked_model

pytestmark = pytest.mark.slow

WINDOW, RING = 64, 80
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def model(demo: Checkpoint) -> bytes:
    assert demo.architecture.sliding_window == WINDOW
    return linked_model(demo, kv_layout="window")


@pytest.fixture(scope="module")
def tokens(demo: Checkpoint) -> list[int]:
    ids: list[int] = np.random.default_rng(5).integers(6, demo.architecture.vocab_size, 6 * WINDOW).tolist()
    return ids


@pytest.fixture(scope="module")
def expected(reference: Reference, tokens: list[int]) -> np.ndarray:
    return reference.logits(tokens)


def test_token_by_token_through_six_windows(model: bytes, tokens: list[int], expected: np.ndarray) -> None:
    computed = GraphInterpreter(model, kv_length=len(tokens)).logits(tokens)
    np.testing.assert_allclose(computed, expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    "length",
    [
        1,
        2,
        WINDOW - 1,
        WINDOW,
        WINDOW + 1,
        RING - 1,
        RING,
        RING + 1,
        2 * RING - 1,
        2 * RING,
        2 * RING + 1,
        300,
    ],
)
def test_behind_a_prompt_of_any_length(
    model: bytes, tokens: list[int], expected: np.ndarray, length: int
) -> None:
    runner = GraphInterpreter(model, kv_length=len(tokens))
    runner.prefill(tokens[:length])
    computed = runner.logits(tokens[length : length + 4])
    np.testing.assert_allclose(computed, expected[length : length + 4], atol=TOLERANCE)


def test_over_turns_of_every_size(model: bytes, tokens: list[int], expected: np.ndarray) -> None:
    runner = GraphInterpreter(model, kv_length=len(tokens))
    for prompt in (5, 1, 70, 3, 81, 64, 100):
        runner.prefill(tokens[runner.position : runner.position + prompt])
        begin = runner.position
        computed = runner.logits(tokens[begin : begin + 6])
        np.testing.assert_allclose(computed, expected[begin : begin + 6], atol=TOLERANCE)
    assert runner.position > 5 * WINDOW


@pytest.mark.parametrize("position", [30, WINDOW + 3, 3 * WINDOW])
def test_taking_back_what_the_ring_has_room_for(
    model: bytes, reference: Reference, tokens: list[int], position: int
) -> None:
    runner = GraphInterpreter(model, kv_length=len(tokens))
    runner.prefill(tokens[:position])
    runner.logits(tokens[position : position + RING - WINDOW])
    runner.position = position
    other = [9, 8, 7, 10, 11]
    want = reference.logits(tokens[:position] + other)[position:]
    np.testing.assert_allclose(runner.logits(other), want, atol=TOLERANCE)


def test_a_text_after_another_sees_nothing_of_it(
    model: bytes, tokens: list[int], expected: np.ndarray
) -> None:
    runner = GraphInterpreter(model, kv_length=len(tokens))
    runner.prefill(tokens[::-1][: 3 * WINDOW])
    runner.reset()
    np.testing.assert_allclose(runner.logits(tokens[:20]), expected[:20], atol=TOLERANCE)


def test_the_engine_scores_a_long_text_as_transformers_does(
    demo_path: Path, reference: Reference, tmp_path: Path
) -> None:
    """Decode step by decode step: scoring feeds every token through the decode signature."""
    bundle = convert(
        demo_path, tmp_path / "bundle", recipe="float32", graph=GraphOptions(kv_layout="window"), check=False
    )
    text = " ".join(QUESTIONS * 16)
    with ask(bundle.model, max_num_tokens=1024, threads=1) as session:
        ids, start = session.ids(text), session.opened.start_id
    scored = engine_scores(bundle.model, ["<bos>"], text)
    assert len(ids) > 4 * RING
    logits = reference.logits([start, *ids]).astype(np.float64)
    steps = logits[:-1] - np.log(np.exp(logits[:-1]).sum(-1, keepdims=True))
    np.testing.assert_allclose(scored, steps[range(len(ids)), ids].sum(), atol=TOLERANCE * len(ids))


def test_the_engine_scores_behind_long_prompts_as_with_full_caches(demo_path: Path, tmp_path: Path) -> None:
    """Prompts of more than a ring, one after another, then a text that depends on them."""
    prompts = [" ".join(QUESTIONS * times) for times in (1, 3, 7, 1, 2)]
    scores = {}
    for cache in ("full", "window"):
        bundle = convert(
            demo_path, tmp_path / cache, recipe="float32", graph=GraphOptions(kv_layout=cache), check=False
        )
        with ask(bundle.model, max_num_tokens=1024, threads=1) as session:
            assert max(len(session.ids(prompt)) for prompt in prompts) > 2 * RING
        scores[cache] = engine_scores(bundle.model, ["<bos>", *prompts], QUESTIONS[1])
    assert scores["window"] == pytest.approx(scores["full"], abs=1e-3)


QUESTIONS = (
    "dim the screen a little",
    "turn the sound up, I cannot hear anything",
    "do not disturb me tonight",
)


def engine_scores(model: Path, prompts: list[str], text: str) -> float:
    """The log-likelihood of a text behind prompts that are fed one by one."""
    import litert_lm

    backend = litert_lm.Backend.CPU(thread_count=1)
    with (
        litert_lm.Engine(str(model), backend=backend, max_num_tokens=1024, cache_dir=":nocache") as engine,
        engine.create_session(apply_prompt_template=False) as scoring,
    ):
        for prompt in prompts:
            scoring.run_prefill([prompt])
        return float(scoring.run_text_scoring([text]).scores[0])


def test_the_engine_is_told_how_far_it_may_go_back(demo: Checkpoint) -> None:
    metadata = build_executor_metadata(demo.architecture, form="dynamic", kv_length=4096, ring_length=RING)
    executor = metadata.llm_executor_metadata
    assert executor.max_history_size == RING - WINDOW
    keys = [buffer for buffer in executor.state_buffers if "_k_" in buffer.decode_input_name]
    assert [buffer.maximum_sequence_length for buffer in keys] == [RING] * 5 + [4096]
    assert len({buffer.type for buffer in keys}) == 2


def test_the_bundle_says_which_engine_it_needs(demo_path: Path, tmp_path: Path) -> None:
    manifests = {
        cache: convert(demo_path, tmp_path / cache, graph=GraphOptions(kv_layout=cache), check=False).manifest
        for cache in ("full", "window")
    }
    assert manifests["full"].minimum_runtime == "0.11.0"
    assert manifests["window"].minimum_runtime == "0.18.1"
    llm = inspect(tmp_path / "window").llm
    assert llm is not None
    assert llm.minimum_runtime == "0.18.1"


def test_the_static_form_has_no_rings(demo_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="static"):
        convert(
            demo_path,
            tmp_path / "bundle",
            graph=GraphOptions(form="static", kv_layout="window"),
        )
