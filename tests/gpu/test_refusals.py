"""What the GPU backend refuses is refused without one, by the same name."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.bundle.opening import open_bundle
from edgekit.conversion import plan
from edgekit.conversion.convert import convert
from edgekit.graph import find_graph
from edgekit.graph.delegate import obstacles
from edgekit.graph.editor import Editor
from edgekit.graph.format import Graph, GraphKey
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.child import EngineError
from edgekit.runtime.ask.session import ask
from tests.fixtures.bundles import Bundles
from tests.fixtures.checkpoints import DEMO_CHECKPOINT
from tests.gpu.conftest import STATIC

pytestmark = pytest.mark.slow


def test_an_operator_that_the_delegate_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Graph] = []

    def filling(key: GraphKey, progress: Progress = SILENT) -> Graph:
        graphs.append(with_fill(find_graph(key, progress)))
        return graphs[-1]

    monkeypatch.setattr(plan, "find_graph", filling)
    monkeypatch.setattr(plan, "refuse_for_gpu", lambda *_: None)
    bundle = convert(DEMO_CHECKPOINT, tmp_path / "b", graph=STATIC, check=False).bundle
    assert (
        refusal(bundle) == "the GPU backend does not run the whole graph: FILL: Operation is not supported."
    )
    assert list(obstacles(graphs[0].flatbuffer)) == ["FILL: its delegate does not know it"]


def test_a_table_of_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_refuse_for_gpu", lambda *_: None)
    bundle = convert(DEMO_CHECKPOINT, tmp_path / "b", graph=STATIC, recipe="float32", check=False).bundle
    assert "the GPU backend looks nothing up in a table of float32" in refusal(bundle)


def test_the_dynamic_form(bundles: Bundles) -> None:
    assert refusal(bundles()) == "the GPU backend wants fixed shapes, and this graph is of the dynamic form"


def refusal(bundle: Path) -> str:
    with pytest.raises(EngineError) as error, ask(open_bundle(bundle).model_path, backend="gpu"):
        pass
    return error.value.reason


def with_fill(graph: Graph) -> Graph:
    """The graph with a FILL in its decode signature: it makes the zero that tells where in a cache to write."""
    model = schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FILL
    model.operatorCodes.append(code)
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    (number,) = {s.subgraphIndex for s in model.signatureDefs if s.signatureKey == b"decode"}
    decode, editor = model.subgraphs[number], Editor(model, graph, schema)

    def new(shape: list[int]) -> int:
        tensor = schema.TensorT()
        tensor.type, tensor.buffer, tensor.name, tensor.hasRank = schema.TensorType.INT32, 0, b"", True
        tensor.shape = np.array(shape, np.int32)
        return editor.append(number, tensor)

    to_scalar = next(o for o in decode.operators if len(decode.tensors[o.outputs[0]].shape) == 0)
    pack = next(o for o in decode.operators if kinds[o.opcodeIndex] == schema.BuiltinOperator.PACK)
    fill, reshape = schema.OperatorT(), copy(to_scalar)
    fill.opcodeIndex = len(kinds) - 1
    ones = editor.constant(number, np.array([1], np.int32), schema.TensorType.INT32)
    fill.inputs, fill.outputs = np.array([ones, pack.inputs[0]], np.int32), np.array([new([1])], np.int32)
    reshape.inputs = np.array([fill.outputs[0], to_scalar.inputs[1]], np.int32)
    reshape.outputs = np.array([new([])], np.int32)
    pack.inputs = np.array([reshape.outputs[0], *pack.inputs[1:]], np.int32)
    decode.operators[:0] = [fill, reshape]
    return replace(graph, flatbuffer=editor.finish())
