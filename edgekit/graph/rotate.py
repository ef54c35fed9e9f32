"""Rotations in a graph: an orthonormal Hadamard matrix in front of products, so that no channel stands out.

The engine rounds what goes into a product to 8 bits, with one scale per token over all channels, and a real Gemma 3 has
channels a hundred times as large as the rest. A rotation spreads them. In float nothing changes, since the weights are
rotated as well: (x H)(W H)^T = x W^T, H being symmetric and its own inverse (QuaRot, arXiv 2404.00456).

A rotation is three plain operators: RESHAPE to rows as long as the matrix, FULLY_CONNECTED with the matrix, RESHAPE
back. XNNPACK runs them in the same piece as the product, every engine knows them, and they leave a free dimension free.
They are put into a captured graph here, so that nothing has to be captured anew. The embedding is rotated once, and
serves as table and as head: what is looked up is rotated back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgekit.graph.editor import Editor
from edgekit.graph.format import Graph
from edgekit.quantize.rotation import ATTENTION_OUTPUT, hadamard, stretch


def rotate(graph: Graph, longest: int) -> Graph:
    """Put rotations into a captured graph, in front of every product but the output projections of attention.

    longest: the rotation's length, a power of two; where it does not divide the columns, the longest that does. The
    states in front of an output projection are rotated by the weights before it (see `edgekit.quantize.rotation`).
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0)
    editor = Rotator(model, graph, schema)
    for constant in graph.constants:
        if not constant.quantizable or constant.tensor.endswith(ATTENTION_OUTPUT):
            continue
        size = stretch(constant.shape[1], longest)
        if size > 1:
            for ref in constant.refs:
                editor.rotate(ref.subgraph, ref.tensor, size)
    key = replace(graph.key, rotation=longest)
    return replace(graph, key=key, captured=graph.digest(), flatbuffer=editor.finish())


@dataclass
class Rotator(Editor):
    """A flatbuffer into which rotations are put."""

    turned: dict[tuple[int, int], int] = field(default_factory=dict)
    """(subgraph, tensor) → the same states, rotated."""

    def __post_init__(self) -> None:
        super().__post_init__()
        builtin, codes = self.schema.BuiltinOperator, self.codes()
        self.product = codes.index(builtin.FULLY_CONNECTED)
        self.lookup = codes.index(builtin.EMBEDDING_LOOKUP) if builtin.EMBEDDING_LOOKUP in codes else -1

    def rotate(self, subgraph: int, weight: int, size: int) -> None:
        """Rotate what goes into every product with a weight, and back what is looked up in it."""
        operators = self.model.subgraphs[subgraph].operators
        for operator in list(operators):
            if len(operator.inputs) < 2 or operator.inputs[1] != weight:
                continue
            at = next(i for i, each in enumerate(operators) if each is operator)
            if operator.opcodeIndex == self.product:
                states = int(operator.inputs[0])
                if (subgraph, states) not in self.turned:
                    before, result = self._rotation(subgraph, states, size)
                    operators[at:at] = before
                    self.turned[subgraph, states] = result
                operator.inputs = np.array([self.turned[subgraph, states], *operator.inputs[1:]], np.int32)
            elif operator.opcodeIndex == self.lookup:
                looked_up = int(operator.outputs[0])
                own = self.tensor_like(subgraph, looked_up)
                operator.outputs = np.array([own], np.int32)
                after, _ = self._rotation(subgraph, own, size, result=looked_up)
                operators[at + 1 : at + 1] = after

    def rotate_states(self, subgraph: int, states: int, size: int) -> None:
        """Rotate states along their last axis, for all that read them."""
        operators = self.model.subgraphs[subgraph].operators
        added, result = self._rotation(subgraph, states, size)
        first = next(i for i, each in enumerate(operators) if states in each.inputs)
        for operator in operators[first:]:
            operator.inputs = np.array([result if i == states else i for i in operator.inputs], np.int32)
        operators[first:first] = added

    def _rotation(
        self, subgraph: int, states: int, size: int, result: int | None = None
    ) -> tuple[list[Any], int]:
        tensor = self.model.subgraphs[subgraph].tensors[states]
        shape = [int(each) for each in tensor.shape]
        free = tensor.shapeSignature is not None and -1 in list(tensor.shapeSignature)
        rows = int(np.prod(shape)) // size
        narrow, turned = (self.activation(subgraph, [rows, size], free) for _ in range(2))
        wide = self.tensor_like(subgraph, states) if result is None else result
        target = [-1 if s == -1 else int(s) for s in (tensor.shapeSignature if free else shape)]
        matrix = self.constant(subgraph, hadamard(size), self.schema.TensorType.FLOAT32)
        builtin, inputs = self.schema.BuiltinOperator.FULLY_CONNECTED, [narrow, matrix, -1]
        product = self.operator(builtin, inputs, [turned], "FullyConnectedOptions")
        return [
            self.reshape(subgraph, states, narrow, [-1, size] if free else [rows, size]),
            product,
            self.reshape(subgraph, turned, wide, target),
        ], wide
