"""Quantization arithmetic: ai-edge-quantizer's, with a floor under the scales."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.quantize.solve import block_scale_bytes, dequantize, pack, quantize_tensor
from edgekit.recipes.scheme import Scheme

SCHEMES = [
    Scheme(8),
    Scheme(4),
    Scheme(4, 32),
    Scheme(4, 64),
    Scheme(4, 128),
    Scheme(4, 256),
    Scheme(8, 0, "octav"),
    Scheme(4, 0, "octav"),
    Scheme(4, 32, "octav"),
    Scheme(8, 0, "mse"),
    Scheme(4, 0, "mse"),
    Scheme(2),
    Scheme(2, 0, "octav"),
]


def weights(rows: int = 24, columns: int = 256) -> NDArray[np.float32]:
    generator = np.random.default_rng(7)
    return (generator.standard_normal((rows, columns)) * 0.04).astype(np.float32)


def test_int8_codes_are_rounded_quotients_of_the_row_maximum() -> None:
    values = weights()
    scale = np.abs(values).max(axis=1) / np.float32(127)
    quantized = quantize_tensor(values, Scheme(8))
    np.testing.assert_array_equal(quantized.scales, scale)
    np.testing.assert_array_equal(quantized.codes, np.rint(values / scale[:, None]).astype(np.int8))


def test_block_scales_belong_to_32_columns_and_have_seven_bits_of_mantissa() -> None:
    values = weights()
    quantized = quantize_tensor(values, Scheme(4, 32))
    assert quantized.scales.shape == (24, 8)
    stored = np.frombuffer(block_scale_bytes(quantized.scales), np.float16).reshape(24, 8)
    np.testing.assert_array_equal(stored.astype(np.float32), quantized.scales)
    largest = np.abs(values.reshape(24, 8, 32)).max(axis=2)
    np.testing.assert_allclose(quantized.scales, largest / 7, rtol=2**-8)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_one_scale_per_row_is_what_ai_edge_quantizer_makes(bits: Literal[8, 4, 2]) -> None:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as library

    values = np.concatenate(
        [weights(), weights() * 1e-12, weights() * 1e30, np.abs(weights()), 0 * weights()]
    )
    _, scales = library.tensor_zp_scale_from_min_max(
        values.min(1, keepdims=True),
        values.max(1, keepdims=True),
        bits,
        True,
        qtyping.QuantGranularity.CHANNELWISE,
    )
    parameters = qtyping.UniformQuantParams(bits, 0, scales, np.zeros_like(scales, np.int8))
    quantized = quantize_tensor(values, Scheme(bits))
    np.testing.assert_array_equal(quantized.scales, scales.reshape(-1))
    np.testing.assert_array_equal(quantized.codes, library.uniform_quantize(values, parameters))


@pytest.mark.parametrize("scheme", SCHEMES, ids=Scheme.label)
def test_values_come_back_within_the_scheme_s_step(scheme: Scheme) -> None:
    values = weights()
    quantized = quantize_tensor(values, scheme)
    error = np.sqrt(np.mean((dequantize(quantized, scheme) - values) ** 2)) / values.std()
    assert error < {8: 0.02, 4: 0.2, 2: 1.0}[scheme.bits]


@pytest.mark.parametrize("scheme", SCHEMES, ids=Scheme.label)
def test_a_scale_is_never_zero_and_a_zero_row_stays_zero(scheme: Scheme) -> None:
    values = weights()
    values[3] = 0
    values[5, :32] = 0
    quantized = quantize_tensor(values, scheme)
    assert (quantized.scales > 0).all()
    if scheme.block_size:
        assert (np.frombuffer(block_scale_bytes(quantized.scales), np.float16) > 0).all()
    assert not quantized.codes[3].any()


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s.algorithm != "octav"], ids=Scheme.label)
def test_rows_are_independent(scheme: Scheme) -> None:
    values = weights()
    whole = quantize_tensor(values, scheme)
    parts = [quantize_tensor(values[start : start + 8], scheme) for start in (0, 8, 16)]
    np.testing.assert_array_equal(np.concatenate([part.codes for part in parts]), whole.codes)
    np.testing.assert_array_equal(np.concatenate([part.scales for part in parts]), whole.scales)


def test_two_4_bit_codes_share_a_byte_the_first_in_the_low_half() -> None:
    codes = np.array([[1, -1, 7, -8]], np.int8)
    assert pack(codes, 4).tolist() == [0xF1, 0x87]
    assert pack(codes, 8).tolist() == [1, 255, 7, 248]
