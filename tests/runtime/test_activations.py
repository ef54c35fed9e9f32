"""What is seen in front of products is what Transformers has there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.checkpoint import open_checkpoint
from edgekit.errors import CheckpointError
from edgekit.families.base import EMBEDDING, HEAD
from edgekit.runtime.activations import input_moments, place_of
from tests.fixtures.checkpoints import float_model, tiny_checkpoint

TEXTS = ([2, *range(20, 60)], [2, 7, 9], [2, *range(100, 190)])  # the last is longer than the window of 64


@pytest.mark.slow
@pytest.mark.parametrize(("key_value_heads", "tie"), [(1, True), (2, False)])
def test_the_moments_of_every_matrix_are_those_of_transformers(
    tmp_path: Path, key_value_heads: int, tie: bool
) -> None:
    import torch

    directory = tiny_checkpoint(
        tmp_path / "c", dtype="F32", key_value_heads=key_value_heads, tie=tie, outliers=True
    )
    model = float_model(directory)
    seen: dict[str, list[Any]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(
                lambda _, args, name=name: seen.setdefault(f"{name}.weight", []).append(
                    args[0][0].double().numpy()
                )
            )
    with torch.no_grad():
        for ids in TEXTS:
            model(torch.tensor([ids]))

    opened = open_checkpoint(directory)
    moments = input_moments(opened.tensors, opened.architecture, TEXTS)
    matrices = [name for name in opened.tensors if len(opened.tensors[name].shape) == 2 and name != EMBEDDING]
    assert {*matrices, HEAD} == set(seen)
    for name, inputs in seen.items():
        x = np.concatenate(inputs)
        expected = x.T @ x / len(x)
        np.testing.assert_allclose(moments[place_of(name)], expected, atol=1e-4 * np.abs(expected).max())


def test_a_tied_embedding_is_judged_as_the_head_that_it_is() -> None:
    assert place_of(EMBEDDING) == place_of(HEAD)
    q, v = (place_of(f"model.layers.3.self_attn.{name}_proj.weight") for name in "qv")
    assert q == v != place_of("model.layers.4.self_attn.q_proj.weight")


def test_a_weight_that_is_no_number_is_named(tmp_path: Path) -> None:
    opened = open_checkpoint(tiny_checkpoint(tmp_path / "c"))
    name = "model.layers.1.mlp.up_proj.weight"

    class Damaged:
        source = opened.tensors[name].source

        def read(self, rows: slice | None = None) -> np.ndarray:
            return np.full(opened.tensors[name].shape, np.nan, np.float32)

    tensors: Any = {**opened.tensors, name: Damaged()}
    with pytest.raises(CheckpointError, match=r"layers\.1\.mlp\.up_proj\.weight"):
        input_moments(tensors, opened.architecture, TEXTS)
