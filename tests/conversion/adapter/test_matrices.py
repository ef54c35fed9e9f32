"""What fills a graph's adapter inputs is what PEFT computes, and what a sidecar cannot carry is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from edgekit.checkpoint.lora.config import read_adapter_config
from edgekit.conversion.adapter.matrices import AdapterMatrices, adapter_matrices, reduced
from edgekit.errors import AdapterError, CheckpointError
from edgekit.families.config import read_architecture
from edgekit.families.gemma3 import FAMILY
from edgekit.graph.slots import ATTENTION, TARGETS, AdapterSlot, adapter_slots
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import float_model, peft_adapter, write_safetensors

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RANK = 16


@pytest.fixture(scope="module")
def slots(demo_path: Path) -> tuple[AdapterSlot, ...]:
    return adapter_slots(read_architecture(demo_path))


def read(
    directory: Path, slots: tuple[AdapterSlot, ...], rank: int = RANK, **options: Any
) -> AdapterMatrices:
    return adapter_matrices(directory, read_adapter_config(directory), slots, rank, FAMILY, **options)


def change(matrices: AdapterMatrices, slot: AdapterSlot) -> np.ndarray[Any, Any]:
    """What the graph adds to a projection's weight, of shape (out, in)."""
    return matrices.by_input[slot.up].T @ matrices.by_input[slot.down]


def trained_on_o_proj(directory: Path, base: Path) -> tuple[Path, dict[str, np.ndarray[Any, Any]]]:
    """A rank-4 adapter, to be damaged: the file of its weights and what is in it."""
    peft_adapter(directory, base, target_modules=["o_proj"])
    path = directory / "adapter_model.safetensors"
    return path, load_file(path)


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": list(TARGETS), "r": 16, "lora_alpha": 32},
        {"target_modules": list(ATTENTION), "r": 8, "lora_alpha": 16},
        {"target_modules": list(TARGETS), "r": 4, "lora_alpha": 7, "use_rslora": True},
        {
            "target_modules": list(TARGETS),
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 8},
            "alpha_pattern": {"down_proj": 3},
        },
    ],
    ids=["all", "attention, smaller rank", "rsLoRA", "patterns"],
)
def test_gives_the_change_that_peft_merges(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...], options: dict[str, Any]
) -> None:
    adapted = peft_adapter(tmp_path, demo_path, **options)
    matrices = read(tmp_path, slots)
    base = float_model(demo_path).state_dict()
    merged = adapted.merge_and_unload().state_dict()
    changed = 0
    for slot in slots:
        expected = (merged[f"{slot.module}.weight"] - base[f"{slot.module}.weight"]).numpy()
        if slot.down not in matrices.by_input:
            assert not expected.any(), slot.module
            continue
        changed += 1
        assert matrices.by_input[slot.down].shape == (RANK, slot.in_features)
        np.testing.assert_allclose(change(matrices, slot), expected, atol=1e-5, err_msg=slot.module)
    assert changed == 6 * len(options["target_modules"])
    assert matrices.targets == tuple(options["target_modules"])
    assert matrices.reduction_error is None


def test_a_smaller_rank_is_padded_with_zeros(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    peft_adapter(tmp_path, demo_path, r=8, target_modules=["q_proj"])
    for values in read(tmp_path, slots).by_input.values():
        assert values[:8].any(axis=1).all()
        assert not values[8:].any()


def test_a_larger_rank_is_refused_with_both_ways_out(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    peft_adapter(tmp_path, demo_path, r=32, target_modules=["q_proj"])
    with refused("rank 32", "--adapters 32", "--reduce-rank", "merged", kind=AdapterError):
        read(tmp_path, slots)
    assert read(tmp_path, slots, rank=32).reduction_error is None


def test_reducing_the_rank_gives_the_best_approximation_and_its_error(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    peft_adapter(tmp_path, demo_path, r=24, target_modules=["v_proj"])
    whole, cut = read(tmp_path, slots, rank=32), read(tmp_path, slots, reduce_rank=True)
    errors = []
    for slot in slots:
        if slot.target == "v_proj":
            expected, found = change(whole, slot), change(cut, slot)
            values = np.linalg.svd(expected, compute_uv=False)
            error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
            assert error == pytest.approx(np.linalg.norm(values[RANK:]) / np.linalg.norm(values), rel=1e-3)
            errors.append(error)
    assert cut.reduction_error == pytest.approx(max(errors), rel=1e-3)


def test_a_change_of_low_rank_loses_nothing_when_reduced() -> None:
    generator = np.random.default_rng(1)
    left, right = generator.normal(size=(40, 3)), generator.normal(size=(3, 30))
    mix = generator.normal(size=(24, 3))
    down, up = mix @ right, (left @ np.linalg.pinv(mix)).T
    narrow_down, narrow_up, error = reduced(down.astype(np.float32), up.astype(np.float32), 16)
    assert len(narrow_down) == len(narrow_up) == 16
    assert error < 1e-6
    np.testing.assert_allclose(narrow_up.T @ narrow_down, left @ right, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target_modules": ["q_proj"], "use_dora": True}, ["DoRA"]),
        ({"target_modules": ["q_proj"], "modules_to_save": ["norm"]}, ["norm"]),
        ({"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]}, ["embed_tokens"]),
        ({"target_modules": ["q_proj", "embed_tokens"]}, ["embed_tokens"]),
        ({"target_modules": ["q_proj"], "trainable_token_indices": [5, 6]}, ["embed_tokens"]),
    ],
    ids=["DoRA", "a norm", "the embedding whole", "a LoRA of the embedding", "token rows"],
)
def test_what_a_sidecar_cannot_carry_is_refused_by_name(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...], options: dict[str, Any], words: list[str]
) -> None:
    peft_adapter(tmp_path, demo_path, **options)
    with refused("cannot carry", "edgekit convert", *words, kind=AdapterError):
        read(tmp_path, slots)


def test_a_projection_that_the_base_has_no_inputs_for_is_refused(tmp_path: Path, demo_path: Path) -> None:
    attention = adapter_slots(read_architecture(demo_path), ATTENTION)
    peft_adapter(tmp_path, demo_path, target_modules=["q_proj", "up_proj"])
    with refused("up_proj", "edgekit convert", kind=AdapterError):
        read(tmp_path, attention)


def test_an_adapter_of_another_shape_is_refused(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    path, tensors = trained_on_o_proj(tmp_path, demo_path)
    name = next(name for name in tensors if "lora_A" in name)
    write_safetensors(path, tensors | {name: np.zeros((4, 99), np.float32)})
    with refused("(4, 99)", "(4, 128)", "--base-bundle", kind=AdapterError):
        read(tmp_path, slots)


def test_more_layers_than_the_base_are_refused(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    path, tensors = trained_on_o_proj(tmp_path, demo_path)
    write_safetensors(
        path, tensors | {name.replace("layers.5", "layers.9"): t for name, t in tensors.items()}
    )
    with refused("layers.9", "6 layers", kind=AdapterError):
        read(tmp_path, slots)


def test_half_a_pair_is_refused(tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]) -> None:
    path, tensors = trained_on_o_proj(tmp_path, demo_path)
    del tensors[next(name for name in tensors if "lora_B" in name)]
    write_safetensors(path, tensors)
    with refused("both matrices", kind=AdapterError):
        read(tmp_path, slots)


def test_values_that_are_no_numbers_are_refused(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    path, tensors = trained_on_o_proj(tmp_path, demo_path)
    name = next(name for name in tensors if "lora_A" in name)
    broken = tensors[name].copy()
    broken[0, 0] = np.nan
    write_safetensors(path, tensors | {name: broken})
    with refused(name, "NaN", kind=CheckpointError):
        read(tmp_path, slots)


def test_the_config_of_another_method_is_refused(
    tmp_path: Path, demo_path: Path, slots: tuple[AdapterSlot, ...]
) -> None:
    peft_adapter(tmp_path, demo_path, target_modules=["o_proj"])
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"peft_type": "IA3"}))
    with refused("IA3", kind=CheckpointError):
        read(tmp_path, slots)
