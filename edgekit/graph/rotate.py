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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.graph.format import Graph
from edgekit.quantize.rotation import ATTENTION_OUTPUT, hadamard, stretch


def rotate(graph: Graph, longest: int) -> Graph:
    """Put rotations into a captured graph, in front of every product but the output projections of attention.

    longest: the rotation's length, a power of two; where it does not divide the columns, the longest that does. The
    states in front of an output projection are rotated by the weights before it (see `edgekit.quantize.rotation`).
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0)
    editor = Editor(model, graph, schema)
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
class Editor:
    """A flatbuffer being changed: new tensors and buffers go before the spare ones, which stay the last."""

    model: Any
    graph: Graph
    schema: Any
    turned: dict[tuple[int, int], int] = field(default_factory=dict)
    """(subgraph, tensor) → the same states, rotated."""
    constants: dict[tuple[int, bytes], int] = field(default_factory=dict)
    buffers: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spare = self.graph.spare_buffers
        self.spare_buffers = self.model.buffers[len(self.model.buffers) - spare :]
        del self.model.buffers[len(self.model.buffers) - spare :]
        counts: dict[int, int] = {}
        for constant in self.graph.constants:
            if constant.quantizable:
                for ref in constant.refs:
                    counts[ref.subgraph] = counts.get(ref.subgraph, 0) + 1
        self.spare_tensors = {}
        for index, count in counts.items():
            tensors = self.model.subgraphs[index].tensors
            self.spare_tensors[index] = tensors[len(tensors) - count :]
            del tensors[len(tensors) - count :]
        builtin = self.schema.BuiltinOperator
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in self.model.operatorCodes]
        self.reshape, self.product = codes.index(builtin.RESHAPE), codes.index(builtin.FULLY_CONNECTED)
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
                own = self._tensor_like(subgraph, looked_up)
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
        narrow, turned = (self._activation(subgraph, [rows, size], free) for _ in range(2))
        wide = self._tensor_like(subgraph, states) if result is None else result
        target = [-1 if s == -1 else int(s) for s in (tensor.shapeSignature if free else shape)]
        matrix = self._constant(subgraph, hadamard(size), self.schema.TensorType.FLOAT32)
        product = self.schema.OperatorT()
        product.opcodeIndex = self.product
        product.inputs = np.array([narrow, matrix, -1], np.int32)
        product.outputs = np.array([turned], np.int32)
        product.builtinOptionsType = self.schema.BuiltinOptions.FullyConnectedOptions
        product.builtinOptions = self.schema.FullyConnectedOptionsT()
        return [
            self._reshape(subgraph, states, narrow, [-1, size] if free else [rows, size]),
            product,
            self._reshape(subgraph, turned, wide, target),
        ], wide

    def _reshape(self, subgraph: int, source: int, result: int, shape: Sequence[int]) -> Any:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self.reshape
        operator.inputs = np.array(
            [source, self._constant(subgraph, np.array(shape, np.int32), self.schema.TensorType.INT32)],
            np.int32,
        )
        operator.outputs = np.array([result], np.int32)
        operator.builtinOptionsType = self.schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = self.schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = np.array(shape, np.int32)
        return operator

    def _activation(self, subgraph: int, shape: Sequence[int], free: bool) -> int:
        tensor = self.schema.TensorT()
        tensor.type, tensor.buffer, tensor.name, tensor.hasRank = self.schema.TensorType.FLOAT32, 0, b"", True
        tensor.shape = np.array(shape, np.int32)
        if free:
            tensor.shapeSignature = np.array([-1, *shape[1:]], np.int32)
        return self._append(subgraph, tensor)

    def _tensor_like(self, subgraph: int, index: int) -> int:
        other = self.model.subgraphs[subgraph].tensors[index]
        tensor = self.schema.TensorT()
        tensor.type, tensor.buffer, tensor.name, tensor.hasRank = other.type, 0, b"", other.hasRank
        tensor.shape, tensor.shapeSignature = other.shape, other.shapeSignature
        return self._append(subgraph, tensor)

    def _constant(self, subgraph: int, values: NDArray[Any], kind: int) -> int:
        data = values.tobytes()
        key = subgraph, data
        if key not in self.constants:
            if data not in self.buffers:
                buffer = self.schema.BufferT()
                buffer.data = np.frombuffer(data, np.uint8)
                self.model.buffers.append(buffer)
                self.buffers[data] = len(self.model.buffers) - 1
            tensor = self.schema.TensorT()
            tensor.type, tensor.buffer, tensor.name, tensor.hasRank = kind, self.buffers[data], b"", True
            tensor.shape = np.array(values.shape, np.int32)
            self.constants[key] = self._append(subgraph, tensor)
        return self.constants[key]

    def _append(self, subgraph: int, tensor: Any) -> int:
        tensors = self.model.subgraphs[subgraph].tensors
        tensors.append(tensor)
        return len(tensors) - 1

    def finish(self) -> bytes:
        """Put the spares back behind everything, and write the model."""
        import flatbuffers

        first = len(self.model.buffers)
        self.model.buffers += self.spare_buffers
        for index, tensors in self.spare_tensors.items():
            for tensor in tensors:
                tensor.buffer = first
            self.model.subgraphs[index].tensors += tensors
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
