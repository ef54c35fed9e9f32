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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import GraphError
from edgekit.graph.format import Constant, Dimension, Graph
from edgekit.graph.patch import (
    QUANTIZATION_SCALE,
    TABLE_ALIGNMENT,
    TENSOR_QUANTIZATION,
    TENSOR_SHAPE,
    TENSOR_SIGNATURE,
    TENSOR_TYPE,
    Patch,
    Spares,
    root_of,
)
from edgekit.recipes.scheme import FLOAT32, Scheme

ALIGNMENT = 64
"""Bytes; a cache line, and more than any type in a TFLite buffer needs."""

_BUILDER_BYTES = 256
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
    patch = Patch(graph.flatbuffer)
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


def _patch_types(patch: Patch, graph: Graph, placed: Sequence[_Placed]) -> dict[str, int]:
    """Set every constant's type and describe its block scales; gives the block scales' buffers by tensor."""
    spares = Spares(patch, graph)
    buffers = {}
    for item in placed:
        constant, scheme = item.constant, item.scheme
        if constant.transform == "positions":
            continue
        for ref in constant.refs:
            patch.set_byte(patch.tensor(ref), TENSOR_TYPE, _tensor_type(scheme))
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
            patch.point(patch.tensor(ref), TENSOR_QUANTIZATION, table)
    spares.hide_unused()
    return buffers


def _place_weights(
    patch: Patch, placed: Sequence[_Placed], block_scale_buffers: Mapping[str, int]
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
    patch: Patch, slots: Sequence[Slot], tail_offset: int
) -> tuple[tuple[Slot, ...], bytearray]:
    """Append a quantization table for every channel-wise constant, and make its tensors refer to it."""
    tail = bytearray()
    placed = []
    for slot in slots:
        if slot.scheme.bits < 32 and not slot.scheme.block_size:
            tail += b"\0" * (-len(tail) % TABLE_ALIGNMENT)
            blob, scale_at = _channelwise_table(slot.shape[0])
            target = tail_offset + len(tail) + root_of(blob)
            if target > _FLATBUFFER_LIMIT:
                raise GraphError(
                    "the model would take more than 2 GiB, the most a flatbuffer spans",
                    where=slot.constant.tensor,
                    remedy="choose fewer bits in the recipe",
                )
            for ref in slot.constant.refs:
                patch.point(patch.tensor(ref), TENSOR_QUANTIZATION, target)
            slot = replace(slot, channel_scale_offset=len(tail) + scale_at)
            tail += blob
        placed.append(slot)
    return tuple(placed), tail


def _set_dimensions(patch: Patch, dimensions: Sequence[Dimension], value: int) -> None:
    for dimension in dimensions:
        slot = TENSOR_SHAPE if dimension.field == "shape" else TENSOR_SIGNATURE
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
    return blob, table.Vector(table.Offset(QUANTIZATION_SCALE))


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


def _aligned(position: int) -> int:
    return (position + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
