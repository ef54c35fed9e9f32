"""Weights fitted to KV caches of 8 bits, whose one scale is part of the graph; in float nothing changes.

A key is normed and multiplied with a gain per channel before it is turned by its position, and some channels' gains
are ten times the others': one scale for all would leave most of them four bits. So the gains move to the queries, which
meet the keys in a product and are not kept: those of two channels that a position turns into each other by the larger
of the two. The graph rotates what is left as it rotates the inputs of its products, queries and keys alike, so that a
key's numbers are spread like those of chance, with a known mean square of one at most: a few times its root is enough.

Values have no norm: how large they are was seen on a text. The factor that brings them to the scale is taken back in
the output projection. It is a power of two, so that codes and block scales stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.lazy import Derived
from edgekit.checkpoint.safetensors import WeightTensor
from edgekit.families.base import Architecture

_SMALLEST_GAIN: Final = 2.0**-10
_KEY_SCALE: Final = np.float32(2.5)
"""The root mean square of keys is 0.6 to 0.85 on Gemma 3 270M; times this, a cache holds some four times as much."""


def fit_caches(
    tensors: Mapping[str, WeightTensor], architecture: Architecture, exponents: Sequence[int]
) -> dict[str, WeightTensor]:
    """The tensors of a checkpoint, with keys and values that `KV_SCALE` suits.

    exponents: by layer; values become smaller by 2 to that power.
    """
    changed = dict(tensors)
    for layer in range(architecture.layers):
        names = attention_names(layer)
        keys, queries = tensors[names.key_norm], tensors[names.query_norm]
        larger = np.abs(1 + keys.read()).reshape(2, -1).max(0)
        moved = np.maximum(np.concatenate([larger, larger]), np.float32(_SMALLEST_GAIN)) / _KEY_SCALE
        changed[keys.name] = Scaled(keys, 1 / moved, gain=True)
        changed[queries.name] = Scaled(queries, moved, gain=True)
        factor = np.float32(2.0 ** exponents[layer])
        changed[names.values] = Scaled(tensors[names.values], 1 / factor)
        changed[names.output] = Scaled(tensors[names.output], factor)
    return changed


@dataclass(frozen=True)
class AttentionNames:
    """The tensors of a layer that keys and values go through."""

    key_norm: str
    query_norm: str
    values: str
    output: str


def attention_names(layer: int) -> AttentionNames:
    """Canonical names of a layer's tensors."""
    attention = f"model.layers.{layer}.self_attn"
    return AttentionNames(
        f"{attention}.k_norm.weight",
        f"{attention}.q_norm.weight",
        f"{attention}.v_proj.weight",
        f"{attention}.o_proj.weight",
    )


@dataclass(frozen=True)
class Scaled(Derived):
    """A tensor times a factor, a number or one per row; with `gain`, 1 plus the tensor is, as norms have it."""

    factor: NDArray[np.float32] | np.float32
    gain: bool = False

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows; float32."""
        factor = self.factor
        if rows is not None and isinstance(factor, np.ndarray):
            factor = factor[rows]
        values = self.base.read(rows)
        return (values + 1) * factor - 1 if self.gain else values * factor

    def raw(self) -> NDArray[Any]:
        """Read all rows as float32."""
        return self.read()
