"""Link weights into a captured graph: lay out the file and patch the flatbuffer in place.

A TFLite flatbuffer refers forward only: a table can be replaced by writing the new one behind the end and
changing the offset that points to it. That, and overwriting numbers where they stand, is all that linking
does; nothing is unpacked and nothing moves. The result of linking is

    head      the graph's flatbuffer, patched
    weights   the values of every constant and the block scales, each at a 64-byte boundary, as external
              buffers: `Buffer.offset` counts from the start of the model
    tail      the quantization tables with the channel scales

The channel scales come last because they are known last: the model is written from front to back while its
weights are being quantized, and never held in memory.

Formats: the TFLite schema (`QuantizationParameters`, `BlockwiseQuantization`, `Buffer.offset`), and for how
quantized constants are expressed, ai-edge-quantizer's `quantize_tensor` transformation.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import GraphError
from edgekit.graph.format import Constant, Dimension, Graph, TensorRef
from edgekit.recipes.scheme import FLOAT32, Scheme

ALIGNMENT = 64
"""Bytes; a cache line, and more than any type in a TFLite buffer needs."""

# Virtual table slots of the TFLite schema's tables, in declaration order: slot n lies at 4 + 2n.
_SUBGRAPH_TENSORS = 4
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME, _TENSOR_QUANTIZATION = 4, 6, 8, 10, 12
_TENSOR_SIGNATURE = 18
_BUFFER_OFFSET, _BUFFER_SIZE = 6, 8
_QUANTIZATION_SCALE = 8
_MODEL_SUBGRAPHS, _MODEL_BUFFERS = 8, 12

_BUILDER_BYTES = 256
_TABLE_ALIGNMENT = 16
_FLATBUFFER_LIMIT = (1 << 31) - 1


@dataclass(frozen=True)
class Slot:
    """Where a constant goes in the linked model: offsets and sizes in bytes from the model's start.

    block_scale_offset is None unless the scheme is block-wise.
    channel_scale_offset is None unless it is channel-wise; it counts from the start of the tail.
    """

    constant: Constant
    scheme: Scheme
    shape: tuple[int, ...]
    offset: int
    size: int
    block_scale_offset: int | None
    block_scale_size: int
    channel_scale_offset: int | None


@dataclass(frozen=True)
class Link:
    """A model laid out: the head, a slot for every constant in the order of their offsets, and the tail.

    The tail's channel scales are zero until `put_channel_scales`.
    """

    head: bytes
    slots: tuple[Slot, ...]
    tail: bytearray
    tail_offset: int

    @property
    def size(self) -> int:
        """Bytes of the whole model."""
        return self.tail_offset + len(self.tail)

    def put_channel_scales(self, slot: Slot, first_row: int, scales: NDArray[np.float32]) -> None:
        """Write the channel scales of some rows of a constant into the tail."""
        assert slot.channel_scale_offset is not None
        raw = np.ascontiguousarray(scales, np.float32).tobytes()
        start = slot.channel_scale_offset + 4 * first_row
        self.tail[start : start + len(raw)] = raw


def plan_link(
    graph: Graph, schemes: Mapping[str, Scheme], vocabulary: int, kv_length: int | None = None
) -> Link:
    """Lay out a model: patch types, shapes and quantization into the graph and give every constant its place.

    schemes: checkpoint tensor → scheme, for every quantizable constant of the graph.
    vocabulary: rows of the embedding. kv_length: positions in the KV cache, static graphs only.
    Raises GraphError when a block size does not divide a matrix's columns, or when the model would be larger
    than a flatbuffer can span.
    """
    patch = _Patch(graph.flatbuffer)
    _set_dimensions(patch, graph.vocabulary_dimensions, vocabulary)
    sizes = {graph.vocabulary: vocabulary}
    if kv_length is not None:
        _set_dimensions(patch, graph.kv_dimensions, kv_length)
        sizes[graph.kv_length] = kv_length
    placed = [
        _Placed(
            constant,
            schemes[constant.tensor] if constant.quantizable else FLOAT32,
            tuple(sizes.get(size, size) for size in constant.shape),
        )
        for constant in graph.constants
    ]
    block_scale_buffers = _patch_types(patch, graph, placed)
    patch.align(ALIGNMENT)
    slots, end = _place_weights(patch, placed, block_scale_buffers)
    slots, tail = _place_channel_scales(patch, slots, end)
    return Link(head=bytes(patch.data), slots=slots, tail=tail, tail_offset=end)


@dataclass(frozen=True)
class _Placed:
    constant: Constant
    scheme: Scheme
    shape: tuple[int, ...]


def _patch_types(patch: _Patch, graph: Graph, placed: Sequence[_Placed]) -> dict[str, int]:
    """Set every constant's type and describe its block scales; gives the block scales' buffers by tensor."""
    spares = _Spares(patch, graph)
    buffers = {}
    for item in placed:
        constant, scheme = item.constant, item.scheme
        if constant.transform == "positions":
            continue
        for ref in constant.refs:
            patch.set_byte(patch.tensor(ref), _TENSOR_TYPE, _tensor_type(scheme))
        if not scheme.block_size:
            continue
        rows, columns = item.shape
        if columns % scheme.block_size:
            raise GraphError(
                f"blocks of {scheme.block_size} do not divide its {columns} columns",
                where=constant.tensor,
                remedy="choose a smaller block or channel-wise scales for this tensor in the recipe",
            )
        buffers[constant.tensor] = spares.take_buffer()
        for ref in constant.refs:
            index = spares.take_tensor(
                ref.subgraph,
                buffers[constant.tensor],
                (rows, columns // scheme.block_size),
                f"{constant.tensor}_scales",
            )
            table = patch.append_table(_blockwise_table(index, scheme.block_size))
            patch.point(patch.tensor(ref), _TENSOR_QUANTIZATION, table)
    spares.hide_unused()
    return buffers


def _place_weights(
    patch: _Patch, placed: Sequence[_Placed], block_scale_buffers: Mapping[str, int]
) -> tuple[tuple[Slot, ...], int]:
    """Give every constant and its block scales an aligned place behind the head; gives the end as well."""
    end = len(patch.data)
    slots = []
    for item in placed:
        offset, size = end, item.scheme.data_bytes(item.shape)
        patch.place_buffer(item.constant.buffer, offset, size)
        end = _aligned(offset + size)
        scale_offset, scale_size = None, 0
        if item.scheme.block_size:
            scale_offset, scale_size = end, item.scheme.scale_bytes(item.shape)
            patch.place_buffer(block_scale_buffers[item.constant.tensor], scale_offset, scale_size)
            end = _aligned(scale_offset + scale_size)
        slots.append(
            Slot(item.constant, item.scheme, item.shape, offset, size, scale_offset, scale_size, None)
        )
    return tuple(slots), end


def _place_channel_scales(
    patch: _Patch, slots: Sequence[Slot], tail_offset: int
) -> tuple[tuple[Slot, ...], bytearray]:
    """Append a quantization table for every channel-wise constant, and make its tensors refer to it."""
    tail = bytearray()
    placed = []
    for slot in slots:
        if slot.scheme.bits < 32 and not slot.scheme.block_size:
            tail += b"\0" * (-len(tail) % _TABLE_ALIGNMENT)
            blob, scale_at = _channelwise_table(slot.shape[0])
            target = tail_offset + len(tail) + _root(blob)
            if target > _FLATBUFFER_LIMIT:
                raise GraphError(
                    "the model would take more than 2 GiB, the most a flatbuffer spans",
                    where=slot.constant.tensor,
                    remedy="choose fewer bits in the recipe",
                )
            for ref in slot.constant.refs:
                patch.point(patch.tensor(ref), _TENSOR_QUANTIZATION, target)
            slot = replace(slot, channel_scale_offset=len(tail) + scale_at)
            tail += blob
        placed.append(slot)
    return tuple(placed), tail


def _set_dimensions(patch: _Patch, dimensions: Sequence[Dimension], value: int) -> None:
    for dimension in dimensions:
        slot = _TENSOR_SHAPE if dimension.field == "shape" else _TENSOR_SIGNATURE
        patch.set_dimension(patch.tensor(dimension.ref), slot, dimension.index, value)


def _tensor_type(scheme: Scheme) -> int:
    from ai_edge_litert import schema_py_generated as schema

    types = schema.TensorType
    return int({32: types.FLOAT32, 8: types.INT8, 4: types.INT4, 2: types.INT2}[scheme.bits])


def _channelwise_table(rows: int) -> tuple[bytes, int]:
    """A finished flatbuffer with a QuantizationParameters root, and where its scales start in it."""
    from ai_edge_litert import schema_py_generated as schema

    quantization = schema.QuantizationParametersT()
    quantization.scale = np.zeros(rows, np.float32)
    quantization.zeroPoint = np.zeros(rows, np.int64)
    quantization.quantizedDimension = 0
    blob = _finish(quantization, rows * 12 + _BUILDER_BYTES)
    table = schema.QuantizationParameters.GetRootAs(blob, 0)._tab
    return blob, table.Vector(table.Offset(_QUANTIZATION_SCALE))


def _blockwise_table(scale_tensor: int, block_size: int) -> bytes:
    """A finished flatbuffer with a QuantizationParameters root for block scales kept in another tensor."""
    from ai_edge_litert import schema_py_generated as schema

    details = schema.BlockwiseQuantizationT()
    details.scales, details.zeroPoints, details.blockSize = scale_tensor, -1, block_size
    quantization = schema.QuantizationParametersT()
    quantization.details, quantization.detailsType = details, schema.QuantizationDetails.BlockwiseQuantization
    quantization.quantizedDimension = 0
    return _finish(quantization, _BUILDER_BYTES)


def _finish(table: Any, size: int) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(size)
    builder.Finish(table.Pack(builder))
    return bytes(builder.Output())


def _root(blob: bytes) -> int:
    """Position of a finished flatbuffer's root table."""
    return int(struct.unpack_from("<I", blob)[0])


def _aligned(position: int) -> int:
    return (position + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


class _Patch:
    """A flatbuffer being patched: finds fields through their virtual tables and overwrites them in place."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.data = bytearray(flatbuffer)
        root = self._u32(0)
        self._subgraphs = self._vector(root, _MODEL_SUBGRAPHS)
        self.buffers = self._vector(root, _MODEL_BUFFERS)
        self._tensors: dict[int, int] = {}

    def tensor(self, ref: TensorRef) -> int:
        """Position of a tensor's table."""
        return self._element(self.tensors(ref.subgraph), ref.tensor)

    def tensors(self, subgraph: int) -> int:
        """Position of a subgraph's vector of tensors."""
        if subgraph not in self._tensors:
            self._tensors[subgraph] = self._vector(
                self._element(self._subgraphs, subgraph), _SUBGRAPH_TENSORS
            )
        return self._tensors[subgraph]

    def length(self, vector: int) -> int:
        """Number of elements of a vector."""
        return self._u32(vector)

    def shorten(self, vector: int, length: int) -> None:
        """Hide the last elements of a vector."""
        struct.pack_into("<I", self.data, vector, length)

    def set_byte(self, table: int, slot: int, value: int) -> None:
        self.data[self._field(table, slot)] = value

    def set_u32(self, table: int, slot: int, value: int) -> None:
        struct.pack_into("<I", self.data, self._field(table, slot), value)

    def set_dimension(self, table: int, slot: int, index: int, value: int) -> None:
        vector = self._target(self._field(table, slot))
        struct.pack_into("<i", self.data, vector + 4 + 4 * index, value)

    def place_buffer(self, buffer: int, offset: int, size: int) -> None:
        """Make a buffer external: `size` bytes at `offset` from the start of the model."""
        table = self._element(self.buffers, buffer)
        struct.pack_into("<Q", self.data, self._field(table, _BUFFER_OFFSET), offset)
        struct.pack_into("<Q", self.data, self._field(table, _BUFFER_SIZE), size)

    def point(self, table: int, slot: int, target: int) -> None:
        """Make a field refer to a table, vector or string further behind."""
        field = self._field(table, slot)
        struct.pack_into("<I", self.data, field, target - field)

    def append_table(self, blob: bytes) -> int:
        """Append a finished flatbuffer; gives the position of its root table."""
        self.align(_TABLE_ALIGNMENT)
        start = len(self.data)
        self.data += blob
        return start + _root(blob)

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


class _Spares:
    """The spare tensors and buffers of a graph, taken one after the other."""

    def __init__(self, patch: _Patch, graph: Graph) -> None:
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
        self._patch.set_u32(table, _TENSOR_BUFFER, buffer)
        self._patch.point(table, _TENSOR_SHAPE, self._patch.append_vector(shape))
        self._patch.point(table, _TENSOR_NAME, self._patch.append_string(name))
        return index

    def hide_unused(self) -> None:
        """End the vectors behind the last one taken."""
        self._patch.shorten(self._patch.buffers, self._next_buffer)
        for subgraph, length in self._next_tensor.items():
            self._patch.shorten(self._patch.tensors(subgraph), length)
