"""Folding sites are exact: moving any positive numbers at all of them changes no logit of a float model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgekit.checkpoint import open_checkpoint
from edgekit.families.base import Architecture
from edgekit.families.gemma3 import FAMILY
from tests.fixtures.checkpoints import tiny_checkpoint


def moved(architecture: Architecture, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights with random scales moved at every site, in the arithmetic that `FoldSite` describes."""
    draw = np.random.default_rng(3)
    weights = {name: values.astype(np.float64) for name, values in weights.items()}
    for site in FAMILY.folds(architecture):
        scale = np.exp(draw.normal(0, 0.5, site.channels))
        divided = weights[site.divided]
        weights[site.divided] = (1 + divided) / scale - 1 if divided.ndim == 1 else divided / scale[:, None]
        columns = scale.reshape(site.groups, -1).repeat(site.repeats, axis=0).ravel()
        for name in site.multiplied:
            weights[name] = weights[name] * columns
    return {name: values.astype(np.float32) for name, values in weights.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("key_value_heads", "tie"), [(1, True), (2, False)])
def test_no_logit_changes(tmp_path: Path, key_value_heads: int, tie: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    directory = tiny_checkpoint(tmp_path / "c", dtype="F32", key_value_heads=key_value_heads, tie=tie)
    tokens = torch.arange(5, 60)[None]

    def logits() -> np.ndarray:
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
        with torch.no_grad():
            return np.asarray(model(tokens).logits)

    before = logits()
    path = directory / "model.safetensors"
    weights = load_file(path)
    changed = moved(open_checkpoint(directory).architecture, weights)
    assert sum(np.array_equal(weights[name], changed[name]) for name in weights) < len(weights) / 2
    save_file(changed, path, metadata={"format": "pt"})
    np.testing.assert_allclose(logits(), before, atol=1e-4)


def test_the_names_of_gguf_lead_to_every_tensor(tmp_path: Path) -> None:
    opened = open_checkpoint(tiny_checkpoint(tmp_path / "c", tie=False))
    reached = {
        name.replace("{n}", str(layer))
        for theirs, name in FAMILY.gguf_names.items()
        for layer in range(opened.architecture.layers if "{n}" in theirs else 1)
    }
    assert reached == set(opened.tensors)
    assert all(re.fullmatch(r"[a-z_.{}]+\.weight", theirs) for theirs in FAMILY.gguf_names)
