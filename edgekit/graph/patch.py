"""A flatbuffer that is patched in place: numbers overwritten where they stand, tables replaced by ones behind the end.

Positions count bytes from its start. Fields are found through their virtual tables; see `edgekit.graph.linker`.
"""

from __future__ import annotations

import struct

from edgekit.errors import GraphError
from edgekit.graph.format import Graph, TensorRef

# Virtual table slots of the TFLite schema's tables, in declaration order: slot n lies at 4 + 2n.
SUBGRAPH_TENSORS = 4
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTIZATION = 4, 6, 8, 10, 12
TENSOR_SIGNATURE = 18
BUFFER_OFFSET, BUFFER_SIZE = 6, 8
QUANTIZATION_SCALE = 8
MODEL_SUBGRAPHS, MODEL_BUFFERS = 8, 12

TABLE_ALIGNMENT = 16


def root_of(blob: bytes) -> int:
    """Position of a finished flatbuffer's root table."""
    return int(struct.unpack_from("<I", blob)[0])


class Patch:
    """A flatbuffer being patched: finds fields through their virtual tables and overwrites them in place."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.data = bytearray(flatbuffer)
        root = self._u32(0)
        self._subgraphs = self._vector(root, MODEL_SUBGRAPHS)
        self.buffers = self._vector(root, MODEL_BUFFERS)
        self._tensors: dict[int, int] = {}

    def tensor(self, ref: TensorRef) -> int:
        """Position of a tensor's table."""
        return self._element(self.tensors(ref.subgraph), ref.tensor)

    def tensors(self, subgraph: int) -> int:
        """Position of a subgraph's vector of tensors."""
        if subgraph not in self._tensors:
            self._tensors[subgraph] = self._vector(self._element(self._subgraphs, subgraph), SUBGRAPH_TENSORS)
        return self._tensors[subgraph]

    def length(self, vector: int) -> int:
        """Number of elements of a vector."""
        return self._u32(vector)

    def shorten(self, vector: int, length: int) -> None:
        """Hide the last elements of a vector."""
        struct.pack_into("<I", self.data, vector, length)

    def set_byte(self, table: int, slot: int, value: int) -> None:
        """Overwrite a field of one byte."""
        self.data[self._field(table, slot)] = value

    def set_u32(self, table: int, slot: int, value: int) -> None:
        """Overwrite a field of four bytes."""
        struct.pack_into("<I", self.data, self._field(table, slot), value)

    def set_dimension(self, table: int, slot: int, index: int, value: int) -> None:
        """Overwrite one number of a shape."""
        vector = self._target(self._field(table, slot))
        struct.pack_into("<i", self.data, vector + 4 + 4 * index, value)

    def place_buffer(self, buffer: int, offset: int, size: int) -> None:
        """Make a buffer external: `size` bytes at `offset` from the start of the model."""
        table = self._element(self.buffers, buffer)
        struct.pack_into("<Q", self.data, self._field(table, BUFFER_OFFSET), offset)
        struct.pack_into("<Q", self.data, self._field(table, BUFFER_SIZE), size)

    def point(self, table: int, slot: int, target: int) -> None:
        """Make a field refer to a table, vector or string further behind."""
        field = self._field(table, slot)
        struct.pack_into("<I", self.data, field, target - field)

    def append_table(self, blob: bytes) -> int:
        """Append a finished flatbuffer; gives the position of its root table."""
        self.align(TABLE_ALIGNMENT)
        start = len(self.data)
        self.data += blob
        return start + root_of(blob)

    def append_vector(self, values: tuple[int, ...]) -> int:
        """Append a vector of int32; gives its position."""
        self.align(4)
        position = len(self.data)
        self.data += struct.pack(f"<I{len(values)}i", len(values), *values)
        return position

    def append_string(self, text: str) -> int:
        """Append a string; gives its position."""
        self.align(4)
        position = len(self.data)
        raw = text.encode()
        self.data += struct.pack("<I", len(raw)) + raw + b"\0"
        return position

    def align(self, boundary: int) -> None:
        """Append zeros up to a multiple of so many bytes."""
        self.data += b"\0" * (-len(self.data) % boundary)

    def _u32(self, position: int) -> int:
        return int(struct.unpack_from("<I", self.data, position)[0])

    def _target(self, field: int) -> int:
        return field + self._u32(field)

    def _element(self, vector: int, index: int) -> int:
        return self._target(vector + 4 + 4 * index)

    def _vector(self, table_or_root: int, slot: int) -> int:
        return self._target(self._field(table_or_root, slot))

    def _field(self, table: int, slot: int) -> int:
        (back,) = struct.unpack_from("<i", self.data, table)
        vtable = table - back
        (vtable_size,) = struct.unpack_from("<H", self.data, vtable)
        (offset,) = struct.unpack_from("<H", self.data, vtable + slot) if slot < vtable_size else (0,)
        if offset == 0:
            raise GraphError(
                "the graph was not prepared for linking: a field is missing",
                where=f"flatbuffer position {table}",
                remedy="capture the graph again",
            )
        return table + int(offset)


class Spares:
    """The spare tensors and buffers of a graph, taken one after the other."""

    def __init__(self, patch: Patch, graph: Graph) -> None:
        self._patch = patch
        quantizable = [c for c in graph.constants if c.quantizable]
        per_subgraph: dict[int, int] = {}
        for constant in quantizable:
            for ref in constant.refs:
                per_subgraph[ref.subgraph] = per_subgraph.get(ref.subgraph, 0) + 1
        self._next_buffer = patch.length(patch.buffers) - graph.spare_buffers
        self._next_tensor = {
            subgraph: patch.length(patch.tensors(subgraph)) - count
            for subgraph, count in per_subgraph.items()
        }

    def take_buffer(self) -> int:
        """Index of an unused buffer."""
        self._next_buffer += 1
        return self._next_buffer - 1

    def take_tensor(self, subgraph: int, buffer: int, shape: tuple[int, ...], name: str) -> int:
        """Index of an unused float16 tensor of a subgraph, made to hold block scales."""
        index = self._next_tensor[subgraph]
        self._next_tensor[subgraph] += 1
        table = self._patch.tensor(TensorRef(subgraph, index))
        self._patch.set_u32(table, TENSOR_BUFFER, buffer)
        self._patch.point(table, TENSOR_SHAPE, self._patch.append_vector(shape))
        self._patch.point(table, TENSOR_NAME, self._patch.append_string(name))
        return index

    def hide_unused(self) -> None:
        """End the vectors behind the last one taken."""
        self._patch.shorten(self._patch.buffers, self._next_buffer)
        for subgraph, length in self._next_tensor.items():
            self._patch.shorten(self._patch.tensors(subgraph), length)
