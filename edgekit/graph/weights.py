"""The bytes of a linked model, front to back: weights are quantized on a few threads while it is written."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgekit.checkpoint.safetensors import WeightTensor, check_finite
from edgekit.errors import CheckpointError
from edgekit.graph.allocation import reused_memory
from edgekit.graph.format import RESIDUAL_SCALE, Transform
from edgekit.graph.linker import Link, Slot
from edgekit.progress import Advance
from edgekit.quantize.gptq import Roots, solve_with_moments
from edgekit.quantize.rotation import Rotated
from edgekit.quantize.solve import block_scale_bytes, pack, quantize_tensor

_CHUNK_VALUES = 1024 * 640
"""Values quantized at once. Measured: with sixteen times as many, temporaries leave the caches and it takes twice
as long; with an eighth, the threads spend more time passing chunks on than quantizing them."""

_AHEAD = 3
"""Chunks in flight per thread: enough to keep the threads busy while one is being written."""


@dataclass(frozen=True)
class _Rows:
    """Some rows of a constant, to be read and quantized as one."""

    slot: Slot
    start: int
    stop: int

    @property
    def last(self) -> bool:
        return self.stop == self.slot.shape[0]


@dataclass(frozen=True)
class _Linked:
    """Rows as they are written, and their scales (None for float32)."""

    rows: _Rows
    data: NDArray[np.uint8]
    scales: NDArray[np.float32] | None


def model_chunks(
    link: Link,
    tensors: Mapping[str, WeightTensor],
    *,
    roots: Roots | None = None,
    threads: int | None = None,
    advance: Advance,
) -> Iterator[bytes | memoryview]:
    """Give a linked model as chunks that add up to `link.size` bytes.

    tensors: the checkpoint's, by canonical name. roots: for the tensors whose algorithm is GPTQ. advance: told of the
    values done.
    Raises CheckpointError when a tensor holds NaN or infinity.
    """
    yield link.head
    position = len(link.head)
    block_scales: list[bytes] = []
    for linked in _quantized(link, tensors, roots, threads or os.cpu_count() or 1):
        slot = linked.rows.slot
        if linked.rows.start == 0:
            yield bytes(slot.offset - position)
            position = slot.offset
        yield linked.data.data
        position += linked.data.nbytes
        if linked.scales is not None and slot.block_scale_offset is not None:
            block_scales.append(block_scale_bytes(linked.scales))
            if linked.rows.last:
                yield bytes(slot.block_scale_offset - position)
                yield from block_scales
                position = slot.block_scale_offset + slot.block_scale_size
                block_scales.clear()
        elif linked.scales is not None:
            link.put_channel_scales(slot, linked.rows.start, linked.scales)
        values_per_row = int(np.prod(slot.shape[1:], dtype=np.int64))
        advance((linked.rows.stop - linked.rows.start) * values_per_row)
    yield bytes(link.tail_offset - position)
    yield memoryview(link.tail)


def _quantized(
    link: Link, tensors: Mapping[str, WeightTensor], roots: Roots | None, threads: int
) -> Iterator[_Linked]:
    """Quantize all constants in order, a bounded number of chunks ahead of the reader."""
    # Products are small and on our own threads: BLAS's would only wait for each other.
    with (
        threadpool_limits(1, "blas"),
        reused_memory(),
        ThreadPoolExecutor(threads, thread_name_prefix="quantize") as pool,
    ):
        pending: deque[Future[_Linked]] = deque()
        root: Future[NDArray[np.float32]] | None = None
        try:
            for rows in _work(link):
                if len(pending) >= threads * _AHEAD:
                    yield pending.popleft().result()
                if roots is not None and rows.start == 0 and rows.slot.scheme.algorithm == "gptq":
                    root = pool.submit(roots, rows.slot.constant.tensor)
                pending.append(pool.submit(_link_rows, rows, tensors, root))
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _work(link: Link) -> Iterator[_Rows]:
    for slot in link.slots:
        rows = slot.shape[0]
        step = rows
        if slot.scheme.algorithm != "octav":  # which must see the whole matrix
            step = max(1, _CHUNK_VALUES // int(np.prod(slot.shape[1:], dtype=np.int64)))
            step += step % 2  # an even number of rows packs into whole bytes
        for start in range(0, rows, step):
            yield _Rows(slot, start, min(start + step, rows))


def _link_rows(
    rows: _Rows, tensors: Mapping[str, WeightTensor], root: Future[NDArray[np.float32]] | None
) -> _Linked:
    constant, scheme = rows.slot.constant, rows.slot.scheme
    if constant.transform == "positions":
        positions = np.arange(rows.slot.shape[-1], dtype=np.int32)
        return _Linked(rows, positions.view(np.uint8), None)
    tensor = tensors[constant.tensor]
    values = tensor.read(slice(rows.start, rows.stop))
    _check_finite(tensor, values)
    values = transformed(values, constant.transform)
    if scheme.bits == 32:
        return _Linked(rows, np.ascontiguousarray(values).view(np.uint8).reshape(-1), None)
    if scheme.algorithm == "gptq":
        assert root is not None  # a thread is at it: it was submitted before these rows
        quantized = solve_with_moments(values, scheme, root.result())
    else:
        quantized = quantize_tensor(values, scheme)
    return _Linked(rows, pack(quantized.codes, scheme.bits).view(np.uint8), quantized.scales)


def transformed(values: NDArray[np.float32], transform: Transform) -> NDArray[np.float32]:
    """Return what a graph computes with for what the checkpoint holds."""
    if transform == "as-is":
        return values
    gains = np.float32(1) + values
    return gains * np.float32(RESIDUAL_SCALE) if transform == "one-plus-scaled" else gains


def _check_finite(tensor: WeightTensor, values: NDArray[np.float32]) -> None:
    try:
        check_finite(tensor.name, values, where=tensor.source)
    except CheckpointError:
        whole = tensor.base if isinstance(tensor, Rotated) else tensor
        check_finite(tensor.name, whole.read(), where=tensor.source)  # tells how many there are in the file
        raise
