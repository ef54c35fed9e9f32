"""Rotations in a graph change nothing in float, in no form of it, and make 8 bits enough where channels stand out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.checkpoint import Checkpoint, WeightTensor
from edgekit.graph import find_graph, graph_key
from edgekit.graph.format import AdapterInputs, read_graph
from edgekit.graph.library import SHIPPED
from edgekit.graph.rotate import rotate
from edgekit.graph.slots import TARGETS
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from tests.graph.linking import linked_model

TOLERANCE = 1e-4
LENGTH = 24
FORMS: dict[str, dict[str, Any]] = {
    "dynamic": {},
    "static": {"form": "static"},
    "window": {"kv_layout": "window"},
    "kv16": {"kv_precision": "float16"},
    "adapters": {"adapters": AdapterInputs(16, TARGETS)},
}


@pytest.fixture(scope="module")
def tokens(demo: Checkpoint) -> list[int]:
    ids: list[int] = np.random.default_rng(3).integers(6, demo.architecture.vocab_size, LENGTH).tolist()
    return ids


def logits(model: bytes, tokens: list[int]) -> NDArray[np.float32]:
    """Half of the tokens as a prompt, the rest one by one."""
    runner = GraphInterpreter(model, kv_length=32)
    runner.prefill(tokens[: LENGTH // 2])
    return runner.logits(tokens[LENGTH // 2 :])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rotation", [32, 128])
def test_in_float_nothing_changes(form: str, rotation: int, demo: Checkpoint, tokens: list[int]) -> None:
    plain = logits(linked_model(demo, **FORMS[form]), tokens)
    rotated = logits(linked_model(demo, rotation=rotation, **FORMS[form]), tokens)
    rounding = 1e-2 if form == "kv16" else TOLERANCE  # rotated values are rounded to float16 elsewhere
    np.testing.assert_allclose(rotated, plain, atol=rounding)


def test_it_is_the_checkpoint_s_own_arithmetic(
    demo: Checkpoint, reference: Reference, tokens: list[int]
) -> None:
    computed = logits(linked_model(demo, rotation=128), tokens)
    np.testing.assert_allclose(computed, reference.logits(tokens)[LENGTH // 2 :], atol=TOLERANCE)


def test_one_matrix_serves_all_and_states_are_rotated_once_for_all_their_readers(demo: Checkpoint) -> None:
    plain = find_graph(graph_key(demo.architecture, "dynamic"))
    rotated = find_graph(graph_key(demo.architecture, "dynamic", rotation=128))
    assert rotated.key == replace(plain.key, rotation=128)
    assert rotated.digest() == plain.digest()
    before, after = (schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0) for graph in (plain, rotated))
    matrices = [len(b.data) for b in after.buffers if b.data is not None and len(b.data) == 4 * 128 * 128]
    assert len(matrices) == 1
    layers = len(demo.architecture.layer_types)
    added = [
        len(b.operators) - len(a.operators) for a, b in zip(before.subgraphs, after.subgraphs, strict=True)
    ]
    # Two reshapes and a product in each of three places a layer, behind the table, and in decode before the head.
    # A prompt needs no more of the last layer than its keys and values.
    assert sorted(added, reverse=True)[:2] == [3 * (3 * layers + 2), 3 * (3 * layers - 1)]


def test_8_bits_are_enough_for_a_checkpoint_with_outliers(demo: Checkpoint, tokens: list[int]) -> None:
    spiked = replace(demo, tensors=_with_outliers(demo))
    exact = logits(linked_model(spiked), tokens)

    def error(rotation: int) -> float:
        return float(
            np.sqrt(np.mean((logits(linked_model(spiked, "int8", rotation=rotation), tokens) - exact) ** 2))
        )

    assert error(128) < 0.75 * error(0)


def _with_outliers(demo: Checkpoint) -> dict[str, WeightTensor]:
    """The demo with a few channels a hundred times as large in front of its products, as real models have them: norms
    say them louder, and the columns that read them are as much smaller, so that in float it is the same model."""
    loud = [5, 77, 200]
    readers = {
        "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "pre_feedforward_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    }
    tensors = dict(demo.tensors)
    for layer in range(len(demo.architecture.layer_types)):
        for norm, projections in readers.items():
            gain = tensors[f"model.layers.{layer}.{norm}.weight"]
            values = gain.read()
            values[loud] = (1 + values[loud]) * 100 - 1
            tensors[gain.name] = _Changed(gain, values)
            for projection in projections:
                weight = tensors[f"model.layers.{layer}.{projection}.weight"]
                values = weight.read()
                values[:, loud] /= 100
                tensors[weight.name] = _Changed(weight, values)
    return tensors


class _Changed:
    def __init__(self, base: WeightTensor, values: NDArray[np.float32]) -> None:
        self.name, self.shape, self.dtype, self.source = base.name, base.shape, "F32", Path(base.source)
        self._values = values

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        return self._values[slice(None) if rows is None else rows].copy()

    def raw(self) -> NDArray[np.float32]:
        return self._values


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*-rotated*.graph")), ids=lambda path: path.stem)
def test_what_ships_rotated_is_what_the_captured_graph_gives(path: Path) -> None:
    shipped = read_graph(path)
    captured = read_graph(SHIPPED / replace(shipped.key, rotation=0).file_name())
    assert rotate(captured, shipped.key.rotation) == shipped
