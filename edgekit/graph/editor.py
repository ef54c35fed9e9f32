"""Changes to a captured graph: operators, activations and constants put in, and the spare entries kept the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.graph.format import Graph


@dataclass
class Editor:
    """A flatbuffer being changed: new tensors and buffers go before the spare ones, which stay the last.

    model: the graph's flatbuffer as `schema`, ai_edge_litert's, unpacks it.
    """

    model: Any
    graph: Graph
    schema: Any
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

    def codes(self) -> list[int]:
        """The builtin operator that each code of the model stands for."""
        return [max(code.builtinCode, code.deprecatedBuiltinCode) for code in self.model.operatorCodes]

    def code(self, builtin: int, version: int = 1) -> int:
        """Index of the code of a builtin operator, which is put in, in a version, when the model has none."""
        if builtin not in (codes := self.codes()):
            code = self.schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
            self.model.operatorCodes.append(code)
            return len(codes)
        return codes.index(builtin)

    def operator(
        self, builtin: int, inputs: Sequence[int], outputs: Sequence[int], options: str, **fields: Any
    ) -> Any:
        """An operator for the caller to place. options: the schema's name of its options; fields: theirs."""
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self.code(builtin)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(self.schema, f"{options}T")()
        for name, value in fields.items():
            setattr(operator.builtinOptions, name, value)
        return operator

    def reshape(self, subgraph: int, source: int, result: int, shape: Sequence[int]) -> Any:
        """A RESHAPE of one tensor to another, for the caller to place."""
        target = np.array(shape, np.int32)
        inputs = [source, self.constant(subgraph, target, self.schema.TensorType.INT32)]
        reshape = self.schema.BuiltinOperator.RESHAPE
        return self.operator(reshape, inputs, [result], "ReshapeOptions", newShape=target)

    def activation(self, subgraph: int, shape: Sequence[int], free: bool) -> int:
        """Append a float32 tensor; free: whether its first dimension is."""
        tensor = self.schema.TensorT()
        tensor.type, tensor.buffer, tensor.name, tensor.hasRank = self.schema.TensorType.FLOAT32, 0, b"", True
        tensor.shape = np.array(shape, np.int32)
        if free:
            tensor.shapeSignature = np.array([-1, *shape[1:]], np.int32)
        return self.append(subgraph, tensor)

    def tensor_like(self, subgraph: int, index: int) -> int:
        """Append a tensor of the type and shape of another."""
        other = self.model.subgraphs[subgraph].tensors[index]
        tensor = self.schema.TensorT()
        tensor.type, tensor.buffer, tensor.name, tensor.hasRank = other.type, 0, b"", other.hasRank
        tensor.shape, tensor.shapeSignature = other.shape, other.shapeSignature
        return self.append(subgraph, tensor)

    def constant(self, subgraph: int, values: NDArray[Any], kind: int) -> int:
        """The tensor of a constant of a `TensorType`, put in once."""
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
            self.constants[key] = self.append(subgraph, tensor)
        return self.constants[key]

    def append(self, subgraph: int, tensor: Any) -> int:
        """Append a tensor; gives its index."""
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
