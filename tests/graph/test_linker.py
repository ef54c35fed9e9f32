"""Linking: a graph with a checkpoint's weights in it computes what the checkpoint computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.checkpoint import Checkpoint
from edgekit.errors import GraphError
from edgekit.graph import find_graph, graph_key, plan_link
from edgekit.graph.format import Form
from edgekit.recipes import FLOAT32, Scheme
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from tests.graph.linking import STOCK, Dequantized, linked, linked_model

pytestmark = pytest.mark.slow

FORMS: list[Form] = ["dynamic", "static"]
TOLERANCE = 1e-4
SLIDING_WINDOW = 64


def texts(vocabulary: int, count: int = 5, length: int = 150) -> list[list[int]]:
    """Token sequences more than twice as long as the demo's sliding window."""
    generator = np.random.default_rng(11)
    return [generator.integers(4, vocabulary, length).tolist() for _ in range(count)]


@pytest.mark.parametrize("form", FORMS)
def test_float_logits_equal_transformers_on_texts_longer_than_the_window(
    demo: Checkpoint, reference: Reference, form: Form
) -> None:
    model = linked_model(demo, form=form)
    for tokens in texts(demo.architecture.vocab_size, count=2):
        assert len(tokens) > 2 * SLIDING_WINDOW
        decoded = GraphInterpreter(model, kv_length=256).logits(tokens)
        np.testing.assert_allclose(decoded, reference.logits(tokens), atol=TOLERANCE)


@pytest.mark.parametrize("form", FORMS)
def test_prefill_leaves_the_cache_that_decoding_would(
    demo: Checkpoint, reference: Reference, form: Form
) -> None:
    model = linked_model(demo, form=form)
    for split, tokens in zip((1, 31, 32, 65, 140), texts(demo.architecture.vocab_size), strict=True):
        runner = GraphInterpreter(model, kv_length=256)
        runner.prefill(tokens[:split])
        expected = reference.logits(tokens)[split:]
        np.testing.assert_allclose(runner.logits(tokens[split:]), expected, atol=TOLERANCE)


def test_a_dynamic_cache_may_grow_at_any_time(demo: Checkpoint, reference: Reference) -> None:
    (tokens,) = texts(demo.architecture.vocab_size, count=1, length=300)
    runner = GraphInterpreter(linked_model(demo), kv_length=32)
    computed = []
    for position, token in enumerate(tokens):
        if position == runner.kv_length:
            runner.grow(runner.kv_length * 2)
        computed.append(runner.decode(token))
    assert runner.kv_length == 512
    np.testing.assert_allclose(np.stack(computed), reference.logits(tokens), atol=TOLERANCE)


@pytest.mark.parametrize("kv_length", [1024, 2048, 4096])
def test_one_static_graph_serves_every_kv_length(demo: Checkpoint, kv_length: int) -> None:
    (tokens,) = texts(demo.architecture.vocab_size, count=1)
    runner = GraphInterpreter(linked_model(demo, form="static", kv_length=kv_length))
    assert runner.kv_length == kv_length
    assert runner.prefill_lengths == (32, 128, 512)
    shorter = GraphInterpreter(linked_model(demo, form="static", kv_length=512))
    runner.prefill(tokens[:100])
    shorter.prefill(tokens[:100])
    np.testing.assert_allclose(runner.logits(tokens[100:]), shorter.logits(tokens[100:]), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("recipe", STOCK)
def test_quantized_models_load_and_stay_near_the_checkpoint(
    demo: Checkpoint, reference: Reference, recipe: str, form: Form
) -> None:
    (tokens,) = texts(demo.architecture.vocab_size, count=1, length=40)
    runner = GraphInterpreter(linked_model(demo, STOCK[recipe], form), kv_length=64)
    computed, expected = runner.logits(tokens), reference.logits(tokens)
    correlation = np.corrcoef(computed.ravel(), expected.ravel())[0, 1]
    bounds = {"int8": 0.999, "int4": 0.97, "int4-all": 0.96, "int4-channel": 0.9}
    assert correlation > bounds[recipe]


ACCEPTED = [
    Scheme(8),
    Scheme(4),
    Scheme(2, 0, "octav"),
    *(Scheme(4, size) for size in (32, 64, 128)),
    Scheme(4, 256),
]


@pytest.mark.parametrize("scheme", ACCEPTED, ids=Scheme.label)
def test_what_a_recipe_accepts_the_kernels_compute_right(demo: Checkpoint, scheme: Scheme) -> None:
    """Against the same values in float32: what differs is the activations' quantization alone."""
    graph = find_graph(graph_key(demo.architecture, "dynamic"))
    matrices = {c.tensor: demo.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    fits = [name for name, (_, columns) in matrices.items() if columns % (scheme.block_size or 1) == 0]
    schemes = dict.fromkeys(matrices, FLOAT32) | dict.fromkeys(fits, scheme)
    assert "model.embed_tokens.weight" in fits
    rounded: dict[str, Any] = {name: Dequantized(demo.tensors[name], scheme) for name in fits}
    (tokens,) = texts(demo.architecture.vocab_size, count=1, length=24)
    floats = dict.fromkeys(matrices, FLOAT32)
    models = [
        linked(graph, schemes, demo.architecture.vocab_size, demo.tensors),
        linked(graph, floats, demo.architecture.vocab_size, {**demo.tensors, **rounded}),
    ]
    computed, expected = (GraphInterpreter(model, kv_length=32).logits(tokens).ravel() for model in models)
    assert np.corrcoef(computed, expected)[0, 1] > 0.99


def test_weights_start_at_cache_lines_and_do_not_overlap(demo: Checkpoint) -> None:
    graph = find_graph(graph_key(demo.architecture, "dynamic"))
    schemes = {c.tensor: Scheme(4, 32) for c in graph.constants if c.quantizable}
    link = plan_link(graph, schemes, demo.architecture.vocab_size)
    end = len(link.head)
    for slot in link.slots:
        assert slot.offset % 64 == 0
        assert slot.offset >= end
        end = slot.offset + slot.size
        if slot.block_scale_offset is not None:
            assert slot.block_scale_offset % 64 == 0
            assert slot.block_scale_offset >= end
            end = slot.block_scale_offset + slot.block_scale_size
    assert link.tail_offset >= end


def test_blocks_must_divide_the_columns(demo: Checkpoint) -> None:
    graph = find_graph(graph_key(demo.architecture, "dynamic"))
    schemes = {c.tensor: Scheme(4, 256) for c in graph.constants if c.quantizable}
    with pytest.raises(GraphError, match=r"blocks of 256 do not divide its 128 columns"):
        plan_link(graph, schemes, demo.architecture.vocab_size)
