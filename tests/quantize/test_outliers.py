"""What a few large channels do to a quantized matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.checkpoint import open_checkpoint
from edgekit.quantize.solve import dequantize, quantize_tensor
from edgekit.recipes import Scheme
from tests.fixtures.checkpoints import OUTLIERS, tiny_checkpoint

DOWN = "model.layers.0.mlp.down_proj.weight"


def down(directory: Path, *, outliers: bool) -> NDArray[np.float32]:
    return open_checkpoint(tiny_checkpoint(directory, outliers=outliers)).tensors[DOWN].read()


def error(values: NDArray[np.float32], scheme: Scheme, columns: NDArray[np.bool_]) -> float:
    """Relative error of some columns after quantization."""
    kept = dequantize(quantize_tensor(values, scheme), scheme)
    return float(np.linalg.norm((kept - values)[:, columns]) / np.linalg.norm(values[:, columns]))


@pytest.mark.parametrize("bits", [4, 8])
def test_large_columns_cost_the_others_their_precision(tmp_path: Path, bits: int) -> None:
    even, uneven = down(tmp_path / "even", outliers=False), down(tmp_path / "uneven", outliers=True)
    large = (uneven != even).any(axis=0)
    assert large.sum() == OUTLIERS
    assert error(uneven, Scheme(bits), ~large) > 4 * error(even, Scheme(bits), ~large)


def test_gains_are_up_to_a_hundred_in_the_same_channels_of_every_layer(tmp_path: Path) -> None:
    tensors = open_checkpoint(tiny_checkpoint(tmp_path, outliers=True)).tensors
    gains = [1 + tensor.read() for name, tensor in tensors.items() if name.endswith("norm.weight")]
    wide = {tuple(np.flatnonzero(values > 20)) for values in gains if len(values) == 64}
    assert len(wide) == 1
    assert {len(channels) for channels in wide} == {OUTLIERS}
    assert 30 <= max(values.max() for values in gains) <= 101
