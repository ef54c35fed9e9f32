"""GPTQ: round a matrix column by column, and let the columns that are left make up for the error.

Of a matrix W that is multiplied with inputs x, the error that matters is that of W x, whose mean square is e H e^T with
the second moments H = mean(x x^T) of the inputs. When column j has been rounded, the best that the columns behind it
can do is given by a row of U, the upper Cholesky factor of H's inverse (Frantar et al., arXiv 2210.17323, algorithm 1).
Rows do not influence each other, so a matrix may be given in pieces.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit.quantize.solve import SMALLEST_BLOCK_SCALE, SMALLEST_CHANNEL_SCALE, QuantizedTensor
from edgekit.recipes.scheme import Scheme

Roots = Callable[[str], NDArray[np.float32]]
"""Gives the `inverse_root` of what a checkpoint's tensor is multiplied with."""

DAMPING = 0.01
LOOKUP_DAMPING = 0.2
"""Added to the diagonal, as a share of its mean: keeps inputs that hardly occur from taking all the error. More of it
for a head that is looked up as well: there all columns matter alike (on Gemma 3 270M, 0.01 to 0.3 gave a mean KL of
0.060 to 0.053)."""

_PANEL = 32
"""Columns that are rounded before the rest of the matrix is told; no block is shorter."""

_CANDIDATES = np.linspace(0.7, 1.05, 15, dtype=np.float32)
"""Shares of the scale that just fits a block's largest value, of which the best in the least squares is taken."""


def inverse_root(moments: NDArray[np.float32], damping: float = DAMPING) -> NDArray[np.float32]:
    """Return U, upper triangular, with U^T U the inverse of the damped second moments; (columns, columns)."""
    from scipy.linalg import lapack

    damped = moments.astype(np.float64)
    np.fill_diagonal(damped, damped.diagonal() + damping * max(float(damped.diagonal().mean()), 1e-12))
    # With J the exchange of first and last, the lower factor L of J H J gives U = J L^-1 J: no inverse is factored.
    lower = np.linalg.cholesky(damped[::-1, ::-1])
    inverse, _ = lapack.dtrtri(lower, lower=1)
    return np.ascontiguousarray(np.triu(inverse[::-1, ::-1]), np.float32)


def solve_with_moments(
    values: NDArray[np.float32], scheme: Scheme, root: NDArray[np.float32]
) -> QuantizedTensor:
    """Quantize some rows of a matrix so that its products keep their values.

    values: float32, (rows, columns); the block size must divide the columns. root: `inverse_root` of the second moments
    of what the matrix is multiplied with.
    """
    rows, columns = values.shape
    lowest, highest = -(1 << (scheme.bits - 1)), (1 << (scheme.bits - 1)) - 1
    left = np.ascontiguousarray(values.T)  # (columns, rows): what is done to a column runs along memory
    codes = np.empty((columns, rows), np.int8)
    if scheme.block_size:
        scales = np.empty((columns // scheme.block_size, rows), np.float32)
    else:
        lowest = -highest
        scales = np.maximum(np.abs(left).max(axis=0) / np.float32(highest), SMALLEST_CHANNEL_SCALE)[None]
    for start in range(0, columns, _PANEL):
        stop = min(start + _PANEL, columns)
        if scheme.block_size:
            block = start // scheme.block_size
            if start % scheme.block_size == 0:
                scales[block] = _block_scale(left[start : start + scheme.block_size], lowest, highest)
            scale = scales[block]
        else:
            scale = scales[0]
        panel, errors = left[start:stop], np.empty((stop - start, rows), np.float32)
        for column in range(start, stop):
            at = column - start
            rounded = np.clip(np.rint(panel[at] / scale), lowest, highest)
            codes[column] = rounded
            errors[at] = (panel[at] - rounded * scale) / root[column, column]
            if at + 1 < stop - start:
                panel[at + 1 :] -= root[column, column + 1 : stop, None] * errors[at]
        if stop < columns:
            left[stop:] -= root[start:stop, stop:].T @ errors
    shaped = np.ascontiguousarray(scales.T) if scheme.block_size else scales[0]
    return QuantizedTensor(np.ascontiguousarray(codes.T), shaped)


def _block_scale(block: NDArray[np.float32], lowest: int, highest: int) -> NDArray[np.float32]:
    """The scale of each row's block that rounds it best; block: (columns of a block, rows). As the engine stores it."""
    fitting = np.maximum(block.max(axis=0) / np.float32(highest), block.min(axis=0) / np.float32(lowest))
    best = np.maximum(_stored(fitting), SMALLEST_BLOCK_SCALE)
    least = _rounding_error(block, best, lowest, highest)
    for share in _CANDIDATES:
        scale = np.maximum(_stored(fitting * share), SMALLEST_BLOCK_SCALE)
        error = _rounding_error(block, scale, lowest, highest)
        better = error < least
        best, least = np.where(better, scale, best), np.where(better, error, least)
    return best


def _rounding_error(
    block: NDArray[np.float32], scale: NDArray[np.float32], lowest: int, highest: int
) -> NDArray[np.float32]:
    error = np.clip(np.rint(block / scale), lowest, highest) * scale - block
    result: NDArray[np.float32] = np.einsum("ij,ij->j", error, error)
    return result


def _stored(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    import ml_dtypes

    return scale.astype(ml_dtypes.bfloat16).astype(np.float16).astype(np.float32)
