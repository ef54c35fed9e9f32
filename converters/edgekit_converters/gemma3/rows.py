"""Adapters at decode: the second product becomes a sum of scaled rows.

XNNPACK copies the second factor of a product into its own order at every call. For one token, copying `up` of an
adapter, (rank, out), costs more than the product. `up * narrow`, with the rank's numbers as a column, added up over the
rows, reads it once and in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.graph.editor import Editor
from edgekit.graph.format import Graph
from edgekit.graph.slots import adapter_slots


def add_rows(graph: Graph) -> Graph:
    """Rewrite the decode signature of a graph that takes adapters; another graph stays as it is."""
    from ai_edge_litert import schema_py_generated as schema

    if graph.key.adapters is None:
        return graph
    ups = {slot.up for slot in adapter_slots(graph.key.architecture, graph.key.adapters.targets)}
    editor = Editor(schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0), graph, schema)
    decode = next(each for each in editor.model.signatureDefs if each.signatureKey == b"decode")
    inputs = {int(entry.tensorIndex) for entry in decode.inputs if entry.name.decode() in ups}
    _rewrite(editor, decode.subgraphIndex, inputs)
    return replace(graph, flatbuffer=editor.finish())


def _rewrite(editor: Editor, subgraph: int, ups: set[int]) -> None:
    """Put three operators in the place of each product with one of these tensors."""
    operators = editor.model.subgraphs[subgraph].operators
    product = editor.code(editor.schema.BuiltinOperator.BATCH_MATMUL)
    rewritten: list[Any] = []
    for operator in operators:
        if operator.opcodeIndex == product and operator.inputs[1] in ups:
            narrow, up = (int(index) for index in operator.inputs)
            _keep_dimensions(editor, subgraph, narrow)
            rewritten += _sum_of_rows(editor, subgraph, narrow, up, int(operator.outputs[0]))
        else:
            rewritten.append(operator)
    assert len(rewritten) == len(operators) + 2 * len(ups), "every input has one product"
    editor.model.subgraphs[subgraph].operators = rewritten


def _keep_dimensions(editor: Editor, subgraph: int, narrow: int) -> None:
    """Let the first product give as many dimensions as it takes: else XNNPACK copies the states to a matrix."""
    tensors = editor.model.subgraphs[subgraph].tensors
    for operator in editor.model.subgraphs[subgraph].operators:
        if narrow in operator.outputs:
            rank = tensors[narrow].shape[-1]
            operator.builtinOptions.keepNumDims = True
            tensors[narrow].shape = np.array([*tensors[operator.inputs[0]].shape[:-1], rank], np.int32)


def _sum_of_rows(editor: Editor, subgraph: int, narrow: int, up: int, result: int) -> Sequence[Any]:
    builtin = editor.schema.BuiltinOperator
    rank, width = (int(size) for size in editor.model.subgraphs[subgraph].tensors[up].shape)
    column = editor.activation(subgraph, [rank, 1], False)
    scaled = editor.activation(subgraph, [rank, width], False)
    over_rows = editor.constant(subgraph, np.array([0], np.int32), editor.schema.TensorType.INT32)
    return (
        editor.reshape(subgraph, narrow, column, [rank, 1]),
        editor.operator(builtin.MUL, [up, column], [scaled], "MulOptions"),
        editor.operator(builtin.SUM, [scaled, over_rows], [result], "ReducerOptions", keepDims=True),
    )
