"""Tensors that an adapter changes: each computes its rows when they are read, and holds nothing meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.safetensors import FLOAT_DTYPES, StoredTensor, WeightTensor

_CHUNK_VALUES = 1 << 20  # 4 MB of float32; a merge holds two such arrays beside its result
_CACHED_VALUES = 1 << 15  # as float64, few enough for the processor's cache


@dataclass(frozen=True)
class Derived:
    """A tensor that is computed from another when it is read. Name, shape, dtype and file are the base's by default."""

    base: WeightTensor

    @property
    def name(self) -> str:
        """Name in the model."""
        return self.base.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the base; matrices are (out, in)."""
        return self.base.shape

    @property
    def dtype(self) -> str:
        """That of the base."""
        return self.base.dtype

    @property
    def source(self) -> Path:
        """The base's file."""
        return self.base.source


@dataclass(frozen=True)
class LoraTensor(Derived):
    """A base tensor plus its low-rank change, with DoRA's magnitudes where there are any."""

    down: StoredTensor
    """A: (rank, in); for an embedding (rank, rows)."""
    up: StoredTensor
    """B: (out, rank); for an embedding (features, rank)."""
    scaling: float
    embedding: bool
    """Whether the change is (B @ A) transposed."""
    magnitude: StoredTensor | None
    """DoRA's (out,): each row of the merged weight is given this length."""

    @property
    def source(self) -> Path:
        """The adapter's file."""
        return self.up.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Merge these rows: float32 arithmetic, rounded to the base's dtype, as float32."""
        values = self.base.read(rows)
        start = 0 if rows is None else rows.indices(self.shape[0])[0]
        step = max(1, _CHUNK_VALUES // self.shape[1])
        for at in range(0, values.shape[0], step):
            chunk = values[at : at + step]
            self._merge(chunk, slice(start + at, start + at + chunk.shape[0]))
        return values

    def raw(self) -> NDArray[Any]:
        """Merge all rows, in the base's dtype."""
        return self.read().astype(FLOAT_DTYPES[self.dtype])

    def _merge(self, values: NDArray[np.float32], rows: slice) -> None:
        """Merge in place; values: (rows, in) of the base."""
        if self.embedding:  # (B @ A) transposed is A transposed @ B transposed, each sum in the same order
            left = np.ascontiguousarray(self.down.raw()[:, rows].T).astype(np.float32)  # (rows, rank)
            right = np.ascontiguousarray(self.up.read().T)  # (rank, features)
        else:
            left = self.up.read(rows)  # (rows, rank)
            right = self.down.read()  # (rank, in)
        change = sequential_product(left, right)
        change *= np.float32(self.scaling)
        values += change
        if self.magnitude is not None:
            # Lengths in float64, so that they do not depend on the order of the sum.
            lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64)).astype(np.float32)
            values *= (self.magnitude.read(rows) / lengths)[:, None]
        _round(values, self.dtype)


@dataclass(frozen=True)
class RowsReplaced(Derived):
    """A tensor some of whose rows were trained alone (`trainable_token_indices`)."""

    indices: tuple[int, ...]
    values: StoredTensor
    """(len(indices), features)."""

    @property
    def source(self) -> Path:
        """The adapter's file."""
        return self.values.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows, the trained ones in place of the base's."""
        result = self.base.read(rows)
        start = 0 if rows is None else rows.indices(self.shape[0])[0]
        at = np.asarray(self.indices) - start
        inside = (at >= 0) & (at < result.shape[0])
        trained = self.values.read()[inside]
        _round(trained, self.dtype)
        result[at[inside]] = trained
        return result

    def raw(self) -> NDArray[Any]:
        """Return all rows, in the base's dtype."""
        return self.read().astype(FLOAT_DTYPES[self.dtype])


@dataclass(frozen=True)
class Renamed:
    """A tensor under another name and, where that narrows it, in another dtype."""

    base: WeightTensor
    name: str
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.base.shape

    @property
    def source(self) -> Path:
        """The file of the tensor."""
        return self.base.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows, rounded to the dtype."""
        values = self.base.read(rows)
        if self.dtype != self.base.dtype:
            _round(values, self.dtype)
        return values

    def raw(self) -> NDArray[Any]:
        """Return the tensor in its dtype."""
        return (
            self.base.raw() if self.dtype == self.base.dtype else self.read().astype(FLOAT_DTYPES[self.dtype])
        )


def sequential_product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply (rows, rank) by (rank, columns) in float32, each sum by fused multiply-adds in the order of
    rank.

    So sums PyTorch's matrix product on x86 processors (with MKL), hence this is what PEFT merges. NumPy's own
    product (OpenBLAS) takes other orders, which depend on the shape and on the processor: the same adapter
    would give other bytes on another machine.
    """
    rows, columns = left.shape[0], right.shape[1]
    step = max(1, min(rows, _CACHED_VALUES // max(1, columns)))
    result = np.zeros((rows, columns), np.float32)
    # float64 holds the product of two float32 exactly, so that its sum with a third, rounded to float32, is
    # the fused multiply-add.
    wide_left, wide_right = left.astype(np.float64), right.astype(np.float64)
    sums, terms = np.empty((step, columns)), np.empty((step, columns))
    for at in range(0, rows, step):
        block = result[at : at + step]
        total, term = sums[: len(block)], terms[: len(block)]
        total[...] = 0
        for k in range(left.shape[1]):
            np.multiply(wide_left[at : at + step, k, None], wide_right[k], out=term)
            np.add(total, term, out=term)
            block[...] = term
            total[...] = block
    return result


def _round(values: NDArray[np.float32], dtype: str) -> None:
    """Round in place to the values of a narrower dtype, to nearest with ties to even."""
    if dtype != "F32":
        # What float16 cannot hold becomes infinite, which check_finite tells of.
        with np.errstate(over="ignore"):
            values[...] = values.astype(FLOAT_DTYPES[dtype])
