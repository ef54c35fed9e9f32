"""Stored names of every tool become those of Gemma3ForCausalLM, and the head is what the weights say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from edgekit.checkpoint import open_checkpoint
from edgekit.families.config import read_architecture
from edgekit.families.gemma3 import canonical as canonical_name
from edgekit.families.gemma3 import tensors as expected_shapes
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import (
    conditional_checkpoint,
    edit_json,
    float_model,
    random_weights,
    tiny_checkpoint,
    write_weights,
)


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.language_model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("base_model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("base_model.model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("_orig_mod.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("module._orig_mod.model.norm.weight", "model.norm.weight"),
        ("module.model.norm.weight", "model.norm.weight"),
        ("model.layers.0._orig_mod.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        (
            "base_model.model.model.layers.0.mlp.up_proj.base_layer.weight",
            "model.layers.0.mlp.up_proj.weight",
        ),
        ("model.layers.0.mlp.up_proj.default.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.embed_tokens.modules_to_save.default.weight", "model.embed_tokens.weight"),
        ("norm.weight", "model.norm.weight"),
        ("lm_head.weight", "lm_head.weight"),
        ("model.lm_head.weight", "lm_head.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("base_model.model.lm_head.base_layer.weight", "lm_head.weight"),
    ],
)
def test_wrappers_are_taken_off(stored: str, canonical: str) -> None:
    assert canonical_name(stored) == canonical


@pytest.mark.parametrize(
    "prefix", ["", "_orig_mod.", "module.", "base_model.model.", "language_model.", "base_model."]
)
@pytest.mark.parametrize("tie", [True, False])
def test_a_checkpoint_reads_the_same_under_every_prefix(prefix: str, tie: bool, tmp_path: Path) -> None:
    plain = open_checkpoint(tiny_checkpoint(tmp_path / "plain", tie=tie))
    prefixed = open_checkpoint(tiny_checkpoint(tmp_path / "prefixed", tie=tie, prefix=prefix))
    assert list(plain.tensors) == list(prefixed.tensors) == list(expected_shapes(plain.architecture))
    for name, tensor in plain.tensors.items():
        assert prefixed.tensors[name].name == name
        assert np.array_equal(tensor.read(), prefixed.tensors[name].read())


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "BF16"},
        {"dtype": "F16", "shards": 3},
        {"dtype": "F32", "layers": 6},
        {"tie": False},
        {"tie": False, "head": "equal"},
        {"head": "equal"},
        {"vocab_size": 333},
    ],
)
@pytest.mark.slow
def test_the_tensors_are_those_that_transformers_loads(options: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = open_checkpoint(tiny_checkpoint(tmp_path, **options))
    reference = float_model(tmp_path).state_dict()
    for name, tensor in checkpoint.tensors.items():
        assert tensor.read().tobytes() == reference[name].numpy().tobytes(), name
    rest = set(reference) - set(checkpoint.tensors)
    if checkpoint.architecture.tied_embedding:
        assert rest == {"lm_head.weight"}
        assert reference["lm_head.weight"].equal(reference["model.embed_tokens.weight"])
    else:
        assert not rest


@pytest.mark.parametrize("prefix", ["model.language_model.", "language_model.model."])
def test_the_vision_tower_is_left_out(prefix: str, tmp_path: Path) -> None:
    text = open_checkpoint(tiny_checkpoint(tmp_path / "text"))
    checkpoint = open_checkpoint(conditional_checkpoint(tmp_path / "vision", prefix=prefix))
    assert list(checkpoint.tensors) == list(text.tensors)
    assert checkpoint.architecture.conditional


# The head


@pytest.mark.parametrize("tie", [True, False])
def test_a_stored_head_equal_to_the_embedding_is_tied(tie: bool, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(tiny_checkpoint(tmp_path, tie=tie, head="equal"))
    assert checkpoint.architecture.tied_embedding
    assert "lm_head.weight" not in checkpoint.tensors


def test_a_head_of_its_own_is_kept(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(tiny_checkpoint(tmp_path, tie=False))
    assert not checkpoint.architecture.tied_embedding
    assert list(checkpoint.tensors)[-1] == "lm_head.weight"


def test_a_trained_head_that_the_config_ties_away_is_refused(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, tie=True, head="different")
    with refused("lm_head.weight differs", "tie_word_embeddings"):
        open_checkpoint(tmp_path)


def test_an_untied_head_that_is_absent_is_refused(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, tie=True, config={"tie_word_embeddings": False})
    with refused("1 of 29 tensors are missing: lm_head.weight", "tie_word_embeddings"):
        open_checkpoint(tmp_path)


# What is refused


def rewrite(directory: Path, change: Any) -> Path:
    """Write a tiny checkpoint's weights again after `change(weights)`."""
    tiny_checkpoint(directory)
    weights = random_weights(read_architecture(directory))
    change(weights)
    write_weights(directory, weights)
    return directory


def test_missing_tensors_are_counted_and_the_first_five_named(tmp_path: Path) -> None:
    def change(weights: dict[str, Any]) -> None:
        for name in list(weights):
            if ".layers.1." in name:
                del weights[name]

    with refused("13 of 28", "model.layers.1.input_layernorm.weight", "and 8 more"):
        open_checkpoint(rewrite(tmp_path, change))


def test_unexpected_tensors_are_named(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, layers=3)
    edit_json(tmp_path / "config.json", num_hidden_layers=2, layer_types=["sliding_attention"] * 2)
    with refused("13 tensors", "model.layers.2.input_layernorm.weight"):
        open_checkpoint(tmp_path)


def test_vision_tensors_beside_a_text_configuration_are_left_out_with_a_note(tmp_path: Path) -> None:
    def change(weights: dict[str, Any]) -> None:
        weights["vision_tower.embeddings.weight"] = np.ones(3, ml_dtypes.bfloat16)

    assert (
        open_checkpoint(rewrite(tmp_path, change))
        .notes[0]
        .startswith("left out 1 tensors of a vision or audio tower")
    )


def test_buffers_of_older_versions_are_ignored(tmp_path: Path) -> None:
    def change(weights: dict[str, Any]) -> None:
        weights["model.rotary_emb.inv_freq"] = np.ones(8, np.float32)
        weights["model.embed_tokens.embed_scale"] = np.array(8.0, np.float32)

    assert len(open_checkpoint(rewrite(tmp_path, change)).tensors) == 28


def test_a_wrong_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, config={"intermediate_size": 128})
    with refused("model.layers.0.mlp.gate_proj.weight", "(96, 64)", "(128, 64)"):
        open_checkpoint(tmp_path)


def test_a_vocabulary_of_another_size_than_the_config_is_named(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, vocab_size=325, config={"vocab_size": 320})
    with refused("model.embed_tokens.weight has 325 rows", "320", "resize_token_embeddings"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, np.uint8])
def test_weights_that_are_not_float_are_refused(dtype: Any, tmp_path: Path) -> None:
    def change(weights: dict[str, Any]) -> None:
        weights["model.norm.weight"] = weights["model.norm.weight"].astype(np.float32).astype(dtype)

    with refused("model.norm.weight", "dtype"):
        open_checkpoint(rewrite(tmp_path, change))


def test_an_unmerged_adapter_in_the_checkpoint_is_refused(tmp_path: Path) -> None:
    def change(weights: dict[str, Any]) -> None:
        module = "model.layers.0.mlp.up_proj"
        weights[f"{module}.base_layer.weight"] = weights.pop(f"{module}.weight")
        weights[f"{module}.lora_A.default.weight"] = np.ones((4, 64), np.float32)
        weights[f"{module}.lora_B.default.weight"] = np.ones((96, 4), np.float32)

    with refused("2 tensors of a LoRA adapter", "lora_A", "merge_and_unload"):
        open_checkpoint(rewrite(tmp_path, change))


def test_one_tensor_under_two_names_must_be_equal(tmp_path: Path) -> None:
    def copy(weights: dict[str, Any]) -> None:
        weights["language_model.model.norm.weight"] = weights["model.norm.weight"]

    def contradict(weights: dict[str, Any]) -> None:
        weights["language_model.model.norm.weight"] = weights["model.norm.weight"] + np.ones(
            1, ml_dtypes.bfloat16
        )

    assert len(open_checkpoint(rewrite(tmp_path / "copy", copy)).tensors) == 28
    with refused("model.norm.weight is stored twice", "language_model.model.norm.weight"):
        open_checkpoint(rewrite(tmp_path / "contradiction", contradict))


def test_the_trained_copy_of_a_module_goes_before_the_original(tmp_path: Path) -> None:
    trained = np.full((64,), 3, ml_dtypes.bfloat16)

    def change(weights: dict[str, Any]) -> None:
        weights["model.norm.original_module.weight"] = weights.pop("model.norm.weight")
        weights["model.norm.modules_to_save.default.weight"] = trained

    checkpoint = open_checkpoint(rewrite(tmp_path, change))
    assert (checkpoint.tensors["model.norm.weight"].read() == 3).all()
