"""Quantize one matrix: ai-edge-quantizer's arithmetic, called per tensor."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.recipes.scheme import Scheme

SMALLEST_BLOCK_SCALE = np.float32(2.0**-24)
"""The smallest positive float16. The engine refuses a block scale of zero, which an all-zero block (such as
the <pad> row of a freshly initialised embedding) gets from the stock quantizer."""

SMALLEST_CHANNEL_SCALE = np.float32(1e-9 / 127)
"""What min-max gives to an all-zero row; OCTAV and MSE give zero and then divide by it."""


@dataclass(frozen=True)
class QuantizedTensor:
    """A quantized matrix.

    codes: int8, of the matrix's shape; 4 and 2 bit codes are unpacked, one per byte.
    scales: float32, (rows,) when channel-wise, (rows, columns // block_size) when block-wise.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]


def quantize_tensor(values: NDArray[np.float32], scheme: Scheme) -> QuantizedTensor:
    """Quantize a matrix symmetrically.

    values: float32, (rows, columns); the block size must divide the columns.
    Rows are independent for min-max and MSE; OCTAV stops iterating when the whole matrix has converged, so it
    must see the whole matrix to give the stock result.
    Source: ai-edge-quantizer, `get_tensor_quant_params` of the scheme's algorithm, FULLY_CONNECTED weights.
    """
    if scheme.algorithm == "min-max":
        return _quantize_blocks(values, scheme) if scheme.block_size else _quantize_rows(values, scheme)
    op_info, config, solve = _solver(scheme)
    with np.errstate(divide="ignore", invalid="ignore"):  # all-zero rows: mended below
        solved = solve(op_info, config, values)
    scales = np.asarray(solved.scale, np.float32)
    floor = SMALLEST_BLOCK_SCALE if scheme.block_size else SMALLEST_CHANNEL_SCALE
    too_small = ~(scales > 0)
    if too_small.any():
        scales = np.where(too_small, floor, scales)
        return QuantizedTensor(_encode(values, solved, scales, scheme), _shaped(scales, scheme))
    return QuantizedTensor(solved.quantized_data, _shaped(scales, scheme))


def _quantize_rows(values: NDArray[np.float32], scheme: Scheme) -> QuantizedTensor:
    """Quantize with one min-max scale per row: the library's formulas, without its import and its four more passes."""
    most = float(2 ** (scheme.bits - 1) - 1)
    largest = np.maximum(values.max(1, keepdims=True), -values.min(1, keepdims=True))
    scales = np.maximum(largest, np.float32(1e-9)) / np.float32(most)
    codes = values / scales
    np.rint(codes, out=codes)
    return QuantizedTensor(codes.astype(np.int8), scales.reshape(-1))


def _quantize_blocks(values: NDArray[np.float32], scheme: Scheme) -> QuantizedTensor:
    """Quantize with one min-max scale per block.

    The functions are those of ai-edge-quantizer's block-wise path, and so are the results. They are called on the
    view in which every block is a row: its own path expands scales and zero points to the matrix's size, and reduces
    over short rows twice, which takes more than twice as long.
    """
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor

    blocks = values.reshape(-1, scheme.block_size)
    largest = _largest(np.abs(blocks))
    zero_points, scales = uniform_quantize_tensor.tensor_zp_scale_from_min_max(
        -largest, largest, scheme.bits, True, qtyping.QuantGranularity[f"BLOCKWISE_{scheme.block_size}"]
    )
    scales = np.where(scales > 0, scales, SMALLEST_BLOCK_SCALE)
    parameters = qtyping.UniformQuantParams(
        scale=scales, zero_point=zero_points, num_bits=scheme.bits, symmetric=True, quantized_dimension=0
    )
    codes = uniform_quantize_tensor.uniform_quantize(blocks, parameters)
    return QuantizedTensor(codes.reshape(values.shape), scales.reshape(values.shape[0], -1))


def _largest(magnitudes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest of each row, kept as a column; rows are as long as a power of two, and are folded in half."""
    while magnitudes.shape[1] > 1:
        half = magnitudes.shape[1] // 2
        magnitudes = np.maximum(magnitudes[:, :half], magnitudes[:, half:])
    return magnitudes


def pack(codes: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """Pack codes for a TFLite buffer: two 4-bit (four 2-bit) codes per byte, the first in the low bits."""
    if bits == 8:
        return codes.reshape(-1).view(np.uint8)
    from ai_edge_quantizer.transformations import transformation_utils

    packed: NDArray[np.uint8] = transformation_utils.pack_data(bits, codes.reshape(-1).view(np.uint8))
    return packed


def block_scale_bytes(scales: NDArray[np.float32]) -> bytes:
    """Block scales as the engine reads them: float16 with a 7-bit mantissa."""
    import ml_dtypes

    return scales.astype(ml_dtypes.bfloat16).astype(np.float16).tobytes()


def dequantize(tensor: QuantizedTensor, scheme: Scheme) -> NDArray[np.float32]:
    """The values that the engine computes with: codes times scales; float32, of the codes' shape."""
    rows, columns = tensor.codes.shape
    width = scheme.block_size or columns
    blocks = tensor.codes.reshape(rows, columns // width, width).astype(np.float32)
    return (blocks * tensor.scales.reshape(rows, -1, 1)).reshape(rows, columns)


def _shaped(scales: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    return scales.reshape(scales.shape[0], -1) if scheme.block_size else scales.reshape(-1)


def _encode(
    values: NDArray[np.float32], solved: Any, scales: NDArray[np.float32], scheme: Scheme
) -> NDArray[np.int8]:
    import dataclasses

    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor

    parameters = dataclasses.replace(solved, scale=scales, quantized_data=None)
    codes: NDArray[np.int8] = uniform_quantize_tensor.uniform_quantize(
        values, parameters, is_blockwise_quant=scheme.block_size > 0
    )
    return codes


@functools.cache
def _solver(scheme: Scheme) -> tuple[Any, Any, Any]:
    """ai-edge-quantizer's view of a scheme: operator, tensor configuration, and the function solving it."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithms.uniform_quantize import mse, octav

    granularity = (
        qtyping.QuantGranularity[f"BLOCKWISE_{scheme.block_size}"]
        if scheme.block_size
        else qtyping.QuantGranularity.CHANNELWISE
    )
    config = qtyping.TensorQuantizationConfig(
        num_bits=scheme.bits, symmetric=True, granularity=granularity, dtype=qtyping.TensorDataType.INT
    )
    op_info = qtyping.OpInfo(
        op=None,
        op_name=qtyping.TFLOperationName.FULLY_CONNECTED,
        subgraph_op_index=0,
        op_quant_config=qtyping.OpQuantizationConfig(weight_tensor_config=config),
    )
    solvers = {
        "octav": octav.get_tensor_quant_params,
        "mse": mse.get_tensor_quant_params,
    }
    return op_info, config, solvers[scheme.algorithm]
