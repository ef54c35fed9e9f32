"""Tensors that an adapter changes: each computes its rows when they are read, and holds nothing meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.tensors import FLOAT_DTYPES, StoredTensor, WeightTensor

_CHUNK_VALUES = 1 << 22  # 16 MB of float32: what a merge holds beside its result


@dataclass(frozen=True)
class LoraTensor:
    """A base tensor plus its low-rank change, with DoRA's magnitudes where there are any."""

    base: WeightTensor
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
    def name(self) -> str:
        """Name in the model."""
        return self.base.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Matrices are (out, in)."""
        return self.base.shape

    @property
    def dtype(self) -> str:
        """That of the base, to which the merged values are rounded."""
        return self.base.dtype

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
        if self.embedding:
            down = np.ascontiguousarray(self.down.raw()[:, rows]).astype(np.float32)  # (rank, rows)
            change = np.ascontiguousarray((self.up.read() @ down).T)  # (rows, features)
        else:
            change = self.up.read(rows) @ self.down.read()  # (rows, in)
        change *= np.float32(self.scaling)
        values += change
        if self.magnitude is not None:
            # Lengths in float64, so that they do not depend on the order of the sum.
            lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64)).astype(np.float32)
            values *= (self.magnitude.read(rows) / lengths)[:, None]
        _round(values, self.dtype)


@dataclass(frozen=True)
class RowsReplaced:
    """A tensor some of whose rows were trained alone (`trainable_token_indices`)."""

    base: WeightTensor
    indices: tuple[int, ...]
    values: StoredTensor
    """(len(indices), features)."""

    @property
    def name(self) -> str:
        """Name in the model."""
        return self.base.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the base."""
        return self.base.shape

    @property
    def dtype(self) -> str:
        """That of the base, to which the new rows are rounded."""
        return self.base.dtype

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


def _round(values: NDArray[np.float32], dtype: str) -> None:
    """Round in place to the values of a narrower dtype, to nearest with ties to even."""
    if dtype != "F32":
        # What float16 cannot hold becomes infinite, which check_finite tells of.
        with np.errstate(over="ignore"):
            values[...] = values.astype(FLOAT_DTYPES[dtype])
