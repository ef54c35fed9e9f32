"""Whether two tensors are the same, in their bytes or but for their float type."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.safetensors import FLOAT_DTYPES, StoredTensor, WeightTensor


def same_bytes(first: WeightTensor, second: WeightTensor) -> bool:
    """Tell whether two tensors have the same shape, dtype and bytes; compares in pieces and stops early."""
    if (first.shape, first.dtype) != (second.shape, second.dtype):
        return False
    one, other = _flat_bytes(first), _flat_bytes(second)
    step = 4 << 20
    equal = all(np.array_equal(one[at : at + step], other[at : at + step]) for at in range(0, one.size, step))
    for tensor in (first, second):
        if isinstance(tensor, StoredTensor):
            tensor.file.forget(tensor.offset, tensor.size)
    return equal


def same_values(first: WeightTensor, second: WeightTensor) -> bool:
    """Tell whether two tensors are the same, be it that one is stored in another float type, or rounded to it."""
    if first.dtype == second.dtype or first.shape != second.shape or not first.shape:
        return same_bytes(first, second)
    if not {first.dtype, second.dtype} <= FLOAT_DTYPES.keys():
        return False
    return _rounds_to(first, second) or _rounds_to(second, first)


def _rounds_to(tensor: WeightTensor, other: WeightTensor) -> bool:
    """Tell whether a tensor, rounded to another's float type, is the other."""
    rows = max(1, (4 << 20) // max(1, math.prod(tensor.shape[1:])))
    for start in range(0, tensor.shape[0], rows):
        part = slice(start, start + rows)
        with np.errstate(over="ignore"):
            rounded = tensor.read(part).astype(FLOAT_DTYPES[other.dtype]).astype(np.float32)
        if not np.array_equal(rounded, other.read(part)):
            return False
    return True


def _flat_bytes(tensor: WeightTensor) -> NDArray[np.uint64] | NDArray[np.uint8]:
    """View a tensor as words, or as bytes where its size or place does not allow words."""
    flat = tensor.raw().reshape(-1).view(np.uint8)
    if flat.size % 8 == 0 and flat.ctypes.data % 8 == 0:
        return flat.view(np.uint64)
    return flat
