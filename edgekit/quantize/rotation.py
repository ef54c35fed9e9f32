"""Rotated tensors: the weights behind a rotation in the graph, rotated when they are read.

Of a product x W^T, with x rotated by an orthonormal matrix H in front of it, the weights become W H; what comes out is
the same in float. See `edgekit.graph.rotate` for why, and where the rotations are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.lazy import Derived
from edgekit.checkpoint.safetensors import WeightTensor

ATTENTION_OUTPUT = ".self_attn.o_proj.weight"
_VALUES = ".self_attn.v_proj.weight"


def stretch(columns: int, longest: int) -> int:
    """The largest power of two that divides the columns, and is not above `longest`."""
    return min(columns & -columns, longest)


def rotate_weights(
    tensors: Mapping[str, WeightTensor],
    matrices: Iterable[str],
    longest: int,
    head_dim: int,
    *,
    through_attention: bool,
) -> dict[str, WeightTensor]:
    """The tensors of a checkpoint, as a graph with rotations in it needs them.

    matrices: the quantizable ones. longest: as in `edgekit.graph.rotate.rotate`. through_attention: rotate values
    head by head, and back in the output projection, where the weighting in between does not notice. An adapter would:
    it adds to both on its own.
    """
    if not longest:
        return dict(tensors)
    changed = dict(tensors)
    head = stretch(head_dim, head_dim)
    for name in matrices:
        tensor = tensors[name]
        if name.endswith(ATTENTION_OUTPUT):
            columns = head if through_attention else 1
        else:
            columns = stretch(tensor.shape[1], longest)
        rows = head if through_attention and name.endswith(_VALUES) else 1
        if max(columns, rows) > 1:
            changed[name] = Rotated(tensor, columns, rows)
    return changed


_PAD = 16  # float32: a line of the cache
_TURNED = 32
"""Stretches that are transposed at once, few enough for the cache: all of them at once take three times as long."""


@functools.cache
def hadamard(size: int) -> NDArray[np.float32]:
    """The orthonormal Walsh-Hadamard matrix (Sylvester's order) of a power of two; symmetric, its own inverse."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.float32(size**0.5)


def rotated(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Rotate stretches of `size` along the last axis, whose length they divide.

    By sums and differences in a fixed order (the fast Walsh-Hadamard transform), so that every processor gives the
    same bits; a product with the matrix would not.
    """
    if size == 1:
        return values
    stretches = values.reshape(-1, size)
    # What is added runs along memory. Were the rows as long as a power of two, all would share a part of the cache.
    turned, other = np.empty((2, size, len(stretches) + _PAD), np.float32)
    for start in range(0, len(stretches), _TURNED):
        some = stretches[start : start + _TURNED]
        turned[:, start : start + len(some)] = some.T
    half = size // 2
    while half:
        pairs, sums = (each.reshape(-1, 2, half, each.shape[-1])[..., :-_PAD] for each in (turned, other))
        np.add(pairs[:, 0], pairs[:, 1], out=sums[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=sums[:, 1])
        turned, other = other, turned
        half //= 2
    turned = turned[:, :-_PAD]
    turned *= np.float32(size**-0.5)
    return np.ascontiguousarray(turned.T).reshape(values.shape)


@dataclass(frozen=True)
class Rotated(Derived):
    """A matrix whose columns are rotated, stretch by stretch; with heads, its rows as well, head by head.

    columns, rows: lengths of the stretches, 1 for none.
    """

    columns: int = 1
    rows: int = 1

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows, rotated; float32. Rows that are rotated among each other are read together."""
        if self.rows == 1:
            return rotated(self.base.read(rows), self.columns)
        values = rotated(self.base.read(), self.columns)
        values = np.ascontiguousarray(rotated(np.ascontiguousarray(values.T), self.rows).T)
        return values if rows is None else values[rows]

    def raw(self) -> NDArray[Any]:
        """Read all rows as float32."""
        return self.read()
