"""GPTQ is held to its definition: the error of products, not that of weights, is made small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.quantize.gptq import DAMPING, inverse_root, solve_with_moments
from edgekit.quantize.solve import block_scale_bytes, dequantize, quantize_tensor
from edgekit.recipes.scheme import Scheme

Floats = NDArray[np.float32]
SCHEMES = [Scheme(8), Scheme(4), Scheme(4, 32), Scheme(4, 64)]


def inputs_with_outliers(columns: int, seed: int = 0, tokens: int = 512) -> Floats:
    """Correlated inputs, a few channels of which are five times as large as the rest."""
    generator = np.random.default_rng(seed)
    x = (
        generator.standard_normal((tokens, columns))
        @ generator.standard_normal((columns, columns))
        / columns**0.5
    )
    x[:, generator.choice(columns, 3, replace=False)] *= 5
    return x.astype(np.float32)


def product_error(weights: Floats, stored: Floats, x: Floats) -> float:
    return float(np.mean((x @ (weights - stored).T) ** 2))


@pytest.fixture(scope="module")
def x() -> Floats:
    return inputs_with_outliers(128)


@pytest.fixture(scope="module")
def weights() -> Floats:
    return (np.random.default_rng(1).standard_normal((64, 128)) * 0.05).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_the_root_multiplies_to_the_inverse_of_the_damped_moments(seed: int, size: int) -> None:
    x = np.random.default_rng(seed).standard_normal((3 * size, size))
    moments = (x.T @ x / len(x)).astype(np.float32)
    root = inverse_root(moments).astype(np.float64)
    damped = moments + DAMPING * moments.diagonal().mean() * np.eye(size)
    assert np.array_equal(root, np.triu(root))
    np.testing.assert_allclose(root.T @ root @ damped, np.eye(size), atol=2e-3)


@pytest.mark.parametrize("scheme", SCHEMES, ids=Scheme.label)
def test_products_are_closer_than_by_rounding_to_nearest(scheme: Scheme, x: Floats, weights: Floats) -> None:
    root = inverse_root(x.T @ x / np.float32(len(x)))
    nearest = dequantize(quantize_tensor(weights, scheme), scheme)
    solved = dequantize(solve_with_moments(weights, scheme, root), scheme)
    assert product_error(weights, solved, x) < 0.7 * product_error(weights, nearest, x)


@pytest.mark.parametrize("scheme", SCHEMES, ids=Scheme.label)
def test_rows_may_come_in_pieces(scheme: Scheme, x: Floats, weights: Floats) -> None:
    root = inverse_root(x.T @ x / np.float32(len(x)))
    whole = dequantize(solve_with_moments(weights, scheme, root), scheme)
    pieces = [
        dequantize(solve_with_moments(weights[i : i + 16], scheme, root), scheme) for i in range(0, 64, 16)
    ]
    # A sum in another order may take a code to its neighbour where a value lies half-way between two.
    assert np.mean(np.concatenate(pieces) != whole) < 0.01


@pytest.mark.parametrize("scheme", SCHEMES, ids=Scheme.label)
def test_inputs_without_correlation_leave_rounding_to_nearest(scheme: Scheme, weights: Floats) -> None:
    solved = solve_with_moments(weights, scheme, inverse_root(np.eye(128, dtype=np.float32)))
    scales = solved.scales if scheme.block_size else solved.scales[:, None]
    exact = weights.reshape(64, scales.shape[1], -1) / scales[:, :, None]
    lowest, highest = -(1 << (scheme.bits - 1)), (1 << (scheme.bits - 1)) - 1
    nearest = np.clip(np.rint(exact), lowest if scheme.block_size else -highest, highest).reshape(
        weights.shape
    )
    assert np.array_equal(solved.codes, nearest)


def test_block_scales_are_those_that_the_engine_stores(x: Floats, weights: Floats) -> None:
    solved = solve_with_moments(weights, Scheme(4, 32), inverse_root(x.T @ x / np.float32(len(x))))
    stored = np.frombuffer(block_scale_bytes(solved.scales), np.float16).astype(np.float32)
    assert np.array_equal(stored.reshape(solved.scales.shape), solved.scales)


def test_rows_and_blocks_of_zeros_get_a_scale_above_zero(x: Floats) -> None:
    root = inverse_root(x.T @ x / np.float32(len(x)))
    for scheme in SCHEMES:
        solved = solve_with_moments(np.zeros((4, 128), np.float32), scheme, root)
        assert (solved.scales > 0).all()
        assert not solved.codes.any()
