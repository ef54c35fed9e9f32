"""Rotated weights: the same products in float, and no channel that stands out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit.checkpoint import open_checkpoint
from edgekit.quantize.rotation import Rotated, hadamard, rotated

Q = "model.layers.0.self_attn.q_proj.weight"
V = "model.layers.0.self_attn.v_proj.weight"


@given(st.integers(0, 9))
def test_the_matrix_is_orthonormal_symmetric_and_of_equal_magnitudes(power: int) -> None:
    matrix = hadamard(1 << power)
    np.testing.assert_allclose(matrix @ matrix, np.eye(1 << power), atol=1e-5)
    assert np.array_equal(matrix, matrix.T)
    assert len(set(np.abs(matrix).ravel().tolist())) == 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 16, 32]))
def test_products_are_unchanged_when_both_sides_are_rotated(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    x, w = (generator.standard_normal((5, 96)).astype(np.float32) for _ in range(2))
    np.testing.assert_allclose(rotated(x, size) @ rotated(w, size).T, x @ w.T, atol=1e-3)


def test_an_outlier_is_spread_over_its_stretch() -> None:
    x = np.zeros((1, 256), np.float32)
    x[0, 3] = 100
    spread = rotated(x, 128)
    np.testing.assert_allclose(np.abs(spread[0, :128]), 100 / 128**0.5, rtol=1e-5)
    assert not spread[0, 128:].any()


def test_a_rotated_tensor_reads_in_pieces_what_it_reads_whole(demo_path: Path) -> None:
    tensors = open_checkpoint(demo_path).tensors
    for tensor in (Rotated(tensors[Q], 128), Rotated(tensors[V], 128, 32), Rotated(tensors[V], 1, 32)):
        whole = tensor.read()
        assert whole.shape == tensor.shape
        pieces = [tensor.read(slice(start, start + 8)) for start in range(0, len(whole), 8)]
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_rows_are_rotated_head_by_head(demo_path: Path) -> None:
    tensor = open_checkpoint(demo_path).tensors[V]
    expected = np.concatenate(
        [hadamard(32) @ tensor.read()[start : start + 32] for start in range(0, tensor.shape[0], 32)]
    )
    np.testing.assert_allclose(Rotated(tensor, 1, 32).read(), expected, atol=1e-5)
