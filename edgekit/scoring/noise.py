"""The noise that quantization leaves in a tensor: SQNR and cosine."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from edgekit.scoring.scorer import EMBEDDING

_LAYER = re.compile(r"model\.layers\.(\d+)\.(?:\w+\.)?(\w+)\.weight$")


def sqnr_db(original: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Signal-to-quantization-noise ratio: 10 log10(Σ w² / Σ (w - ŵ)²) in decibels; infinite when equal."""
    signal, noise, _ = weight_sums(original, stored)
    return sqnr_of(signal, noise)


def cosine(original: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Cosine of the angle between two tensors as vectors; 1 for two zero tensors, 0 for one."""
    a, b = original.astype(np.float64).ravel(), stored.astype(np.float64).ravel()
    return cosine_of(float(a @ a), float(b @ b), float(a @ b))


def weight_sums(original: NDArray[np.float32], stored: NDArray[np.float32]) -> tuple[float, float, float]:
    """Σ w², Σ (w - ŵ)² and Σ ŵ², which add up over the rows of a tensor; in float64 sums."""
    noise = (original - stored).ravel()
    a, b = original.ravel(), stored.ravel()
    return (
        float(np.einsum("i,i->", a, a, dtype=np.float64)),
        float(np.einsum("i,i->", noise, noise, dtype=np.float64)),
        float(np.einsum("i,i->", b, b, dtype=np.float64)),
    )


def sqnr_of(signal: float, noise: float) -> float:
    """The ratio of two sums of `weight_sums` in decibels."""
    if noise == 0:
        return math.inf
    return -math.inf if signal == 0 else 10 * math.log10(signal / noise)


def cosine_of(first: float, second: float, product: float) -> float:
    """The cosine from both squared lengths and the product."""
    if first == 0 or second == 0:
        return 1.0 if first == second else 0.0
    return max(-1.0, min(1.0, product / math.sqrt(first * second)))


def kind_of(name: str) -> tuple[int | None, str]:
    """The layer and the kind of a tensor, from its name."""
    match = _LAYER.match(name)
    if match is not None:
        return int(match[1]), "norm" if "norm" in match[2] else match[2]
    if name == EMBEDDING:
        return None, "embedding"
    return None, "norm" if "norm" in name else "head" if "lm_head" in name else "other"
