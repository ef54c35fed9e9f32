"""A merged adapter has the bytes that PEFT gives it, and the logits of the model that was trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from edgekit.checkpoint import Checkpoint, open_checkpoint
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import (
    DTYPES,
    conditional_checkpoint,
    edit_json,
    float_model,
    peft_adapter,
    random_weights,
    read_safetensors,
    tiny_adapter,
    tiny_checkpoint,
    write_safetensors,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore"
)  # PEFT warns of tied weights, which is what some tests are about

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MODULE = "base_model.model.model.layers.0.self_attn.q_proj"


def merged_by_peft(adapted: Any, dtype: str) -> dict[str, np.ndarray[Any, Any]]:
    """merge_and_unload in float32, rounded to a dtype, as float32."""
    state = adapted.merge_and_unload().state_dict()
    return {name: values.numpy().astype(DTYPES[dtype]).astype(np.float32) for name, values in state.items()}


def logits(model: Any) -> np.ndarray[Any, Any]:
    import torch

    with torch.no_grad():
        return model(torch.tensor([[2, 5, 9, 100, 3]])).logits.numpy()  # type: ignore[no-any-return]


def logits_of(checkpoint: Checkpoint, base: Path) -> np.ndarray[Any, Any]:
    """Logits of Transformers' model with the checkpoint's tensors in it."""
    import torch
    from transformers import AutoConfig, Gemma3ForCausalLM

    config = AutoConfig.from_pretrained(base)
    config.vocab_size = checkpoint.architecture.vocab_size
    config.tie_word_embeddings = checkpoint.architecture.tied_embedding
    model = Gemma3ForCausalLM(config).eval()
    state = {name: torch.from_numpy(tensor.read()) for name, tensor in checkpoint.tensors.items()}
    rest = model.load_state_dict(state, strict=False)
    assert rest.missing_keys in ([], ["lm_head.weight"]) and not rest.unexpected_keys
    return logits(model)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": PROJECTIONS},
        {"target_modules": PROJECTIONS, "r": 16, "lora_alpha": 32, "use_rslora": True},
        {"target_modules": "all-linear", "r": 64},
        {
            "target_modules": PROJECTIONS,
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 8},
            "alpha_pattern": {"down_proj": 3, "^model.layers.0.self_attn.k_proj": 5},
        },
        {"target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "layers"},
        {"target_modules": ["q_proj"], "fan_in_fan_out": True},
        {"target_modules": ["q_proj"], "modules_to_save": ["input_layernorm", "norm", "up_proj"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        {"target_modules": ["q_proj"], "trainable_token_indices": [3, 300, 5]},
        {"target_modules": ["q_proj"], "trainable_token_indices": {"embed_tokens": [7]}},
        {"target_modules": ["q_proj"], "init_lora_weights": "gaussian"},
    ],
    ids=lambda options: "-".join(key for key in options if key != "target_modules") or "plain",
)
@pytest.mark.slow
def test_bytes_are_those_of_merge_and_unload(options: dict[str, Any], dtype: str, tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", dtype=dtype)
    adapted = peft_adapter(tmp_path / "adapter", base, **options)
    trained = logits(adapted)
    checkpoint = open_checkpoint(tmp_path / "adapter")
    if dtype == "F32":
        assert np.abs(logits_of(checkpoint, base) - trained).max() < 1e-4
    reference = merged_by_peft(adapted, dtype)
    for name, tensor in checkpoint.tensors.items():
        assert tensor.dtype == dtype and tensor.shape == reference[name].shape
        assert tensor.read().tobytes() == reference[name].tobytes(), name
        assert np.array_equal(tensor.raw().astype(np.float32), reference[name])
    if checkpoint.architecture.tied_embedding:
        assert np.array_equal(reference["lm_head.weight"], reference["model.embed_tokens.weight"])


@pytest.mark.slow
def test_rows_are_merged_alone(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", dtype="F32")
    peft_adapter(tmp_path / "adapter", base, target_modules=["q_proj", "embed_tokens"])
    tensors = open_checkpoint(tmp_path / "adapter").tensors
    for name in ("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"):
        whole = tensors[name].read()
        np.testing.assert_allclose(tensors[name].read(slice(5, 40)), whole[5:40], rtol=0, atol=1e-7)
        assert not np.array_equal(whole, open_checkpoint(base).tensors[name].read())


@pytest.mark.slow
def test_trained_rows_are_found_in_every_part(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    peft_adapter(tmp_path / "adapter", base, target_modules=["q_proj"], trainable_token_indices=[300, 3, 150])
    tensor = open_checkpoint(tmp_path / "adapter").tensors["model.embed_tokens.weight"]
    whole = tensor.read()
    parts = [tensor.read(slice(start, start + 100)) for start in range(0, 320, 100)]
    assert np.array_equal(np.concatenate(parts), whole)
    changed = np.flatnonzero(
        (whole != open_checkpoint(base).tensors["model.embed_tokens.weight"].read()).any(1)
    )
    assert changed.tolist() == [3, 150, 300]


@pytest.mark.parametrize("dtype", ["BF16", "F32"])
@pytest.mark.slow
def test_dora_gives_the_model_that_was_trained(dtype: str, tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", dtype=dtype)
    adapted = peft_adapter(tmp_path / "adapter", base, target_modules=PROJECTIONS, use_dora=True)
    reference = merged_by_peft(adapted, dtype)
    for name, tensor in open_checkpoint(tmp_path / "adapter").tensors.items():
        # The row lengths are sums, taken in another order: the last bit may differ.
        np.testing.assert_allclose(tensor.read(), reference[name], rtol=1e-6 if dtype == "F32" else 2**-7)


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["q_proj", "lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
        {"target_modules": ["q_proj", "embed_tokens"], "ensure_weight_tying": True},
    ],
    ids=["embedding", "head", "both", "both-as-one"],
)
@pytest.mark.slow
def test_an_adapted_embedding_gives_the_model_that_was_trained(
    options: dict[str, Any], tmp_path: Path
) -> None:
    # merge_and_unload does not: it adds both changes to the one matrix that head and embedding share.
    base = tiny_checkpoint(tmp_path / "base", dtype="F32")
    trained = logits(peft_adapter(tmp_path / "adapter", base, **options))
    checkpoint = open_checkpoint(tmp_path / "adapter")
    assert checkpoint.architecture.tied_embedding == options.get("ensure_weight_tying", False)
    assert np.abs(logits_of(checkpoint, base) - trained).max() < 1e-4


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["q_proj"]},
        {"target_modules": ["q_proj"], "trainable_token_indices": [320, 325]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    ],
    ids=["saved-along", "rows-trained", "trained-whole"],
)
@pytest.mark.slow
def test_a_vocabulary_that_grew_comes_with_the_adapter(options: dict[str, Any], tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", dtype="F32")
    trained = logits(peft_adapter(tmp_path / "adapter", base, resize=326, **options))
    checkpoint = open_checkpoint(tmp_path / "adapter")
    assert checkpoint.architecture.vocab_size == 326
    assert np.abs(logits_of(checkpoint, base) - trained).max() < 1e-4


@pytest.mark.slow
def test_an_untied_base_keeps_its_head(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base", dtype="F32", tie=False)
    trained = logits(peft_adapter(tmp_path / "adapter", base, target_modules=["q_proj", "embed_tokens"]))
    checkpoint = open_checkpoint(tmp_path / "adapter")
    assert not checkpoint.architecture.tied_embedding
    assert np.abs(logits_of(checkpoint, base) - trained).max() < 1e-4


@pytest.mark.slow
def test_adapters_in_half_precision_are_merged_in_float32(tmp_path: Path) -> None:
    import torch

    base = tiny_checkpoint(tmp_path / "base", dtype="BF16")
    adapted = peft_adapter(tmp_path / "saved", base, target_modules=PROJECTIONS).to(torch.bfloat16)
    adapted.save_pretrained(tmp_path / "adapter")
    from peft import PeftModel

    reference = merged_by_peft(PeftModel.from_pretrained(float_model(base), tmp_path / "adapter"), "BF16")
    for name, tensor in open_checkpoint(tmp_path / "adapter").tensors.items():
        assert tensor.read().tobytes() == reference[name].tobytes(), name


def test_names_with_the_adapter_name_left_in_are_understood(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    plain = open_checkpoint(tiny_adapter(tmp_path / "plain", base)).tensors
    path = tiny_adapter(tmp_path / "named", base) / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes())
    weights = stored(path)
    write_safetensors(path, {re.sub(r"(lora_[AB])", r"\1.default", name): w for name, w in weights.items()})
    named = open_checkpoint(tmp_path / "named").tensors
    assert all(np.array_equal(plain[name].read(), named[name].read()) for name in plain)


def test_the_vision_part_of_an_adapter_is_left_out(tmp_path: Path) -> None:
    base = conditional_checkpoint(tmp_path / "base")
    vision = "base_model.model.model.vision_tower.encoder.layers.0.q_proj.lora_A.weight"
    tiny_adapter(tmp_path / "adapter", base, extra={vision: np.ones((4, 32), np.float32)})
    assert len(open_checkpoint(tmp_path / "adapter").tensors) == 28


# The base


def test_the_base_may_be_given(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    tiny_adapter(tmp_path / "adapter", Path("/content/base-on-another-machine"))
    checkpoint = open_checkpoint(tmp_path / "adapter", base=base)
    assert checkpoint.base_path == base
    assert checkpoint.adapter is not None and checkpoint.adapter.rank == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "does not name its base"),
        ("/content/gemma-270m", "/content/gemma-270m, is not on this machine"),
        ("unsloth/gemma-3-270m-it-unsloth-bnb-4bit", "quantized base"),
        ("someone/gemma-3-270m-GPTQ", "quantized base"),
    ],
)
def test_a_base_that_cannot_be_used_asks_for_another(name: str | None, words: str, tmp_path: Path) -> None:
    edit_json(tiny_adapter(tmp_path, tmp_path) / "adapter_config.json", base_model_name_or_path=name)
    with refused("adapter_config.json", words, "--base"):
        open_checkpoint(tmp_path)


def test_a_base_is_refused_for_a_whole_model(tmp_path: Path) -> None:
    model = tiny_checkpoint(tmp_path / "model")
    with refused("no adapter", "--base"):
        open_checkpoint(model, base=model)


def test_an_adapter_is_no_base(tmp_path: Path) -> None:
    adapter = tiny_adapter(tmp_path / "adapter", tmp_path)
    with refused("adapter itself"):
        open_checkpoint(adapter, base=adapter)


def test_an_adapter_beside_a_whole_model_is_ambiguous(tmp_path: Path) -> None:
    tiny_adapter(tmp_path, tiny_checkpoint(tmp_path))
    with refused("both an adapter and a whole model"):
        open_checkpoint(tmp_path)


# Adapters of another model


def test_another_width_is_named_with_both_shapes(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    tiny_adapter(tmp_path / "adapter", base, shape=(128, 96))
    with refused(f"{MODULE}.lora_A.weight", "(4, 96)", "(4, 64)", "--base"):
        open_checkpoint(tmp_path / "adapter")


def test_more_layers_are_named(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    tiny_adapter(tmp_path / "adapter", base, layers=4)
    with refused("2 modules", "model.layers.2.self_attn.q_proj", "--base"):
        open_checkpoint(tmp_path / "adapter")


def test_another_rank_than_the_config_is_named(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    tiny_adapter(tmp_path / "adapter", base, r=8)
    with refused(f"{MODULE}.lora_A.weight", "(4, 64)", "(8, 64)"):
        open_checkpoint(tmp_path / "adapter")


def test_a_trained_module_of_another_shape_is_named(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    extra = {"base_model.model.model.norm.weight": np.ones(96, np.float32)}
    tiny_adapter(tmp_path / "adapter", base, extra=extra, modules_to_save=["norm"])
    with refused("model.norm.weight", "(96,)", "(64,)"):
        open_checkpoint(tmp_path / "adapter")


def test_token_rows_beyond_the_vocabulary_are_named(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    rows = {
        "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": np.ones(
            (1, 64), np.float32
        )
    }
    tiny_adapter(tmp_path / "adapter", base, extra=rows, trainable_token_indices=[320])
    with refused("token 320", "320 rows"):
        open_checkpoint(tmp_path / "adapter")


# Adapters that cannot be merged


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"peft_type": "LOKR"}, "LOKR"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"peft_type": "PROMPT_TUNING"}, "PROMPT_TUNING"),
        ({"peft_type": ...}, "type None"),
        ({"task_type": "SEQ_CLS"}, "SEQ_CLS"),
        ({"bias": "all"}, '"bias": "all"'),
        ({"bias": "lora_only"}, '"bias": "lora_only"'),
        ({"lora_bias": True}, "lora_bias"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"init_lora_weights": "pissa_niter_16"}, "pissa_niter_16"),
        ({"init_lora_weights": "olora"}, "olora"),
        ({"init_lora_weights": "corda"}, "corda"),
        ({"init_lora_weights": "loftq"}, "loftq"),
        ({"init_lora_weights": "mica"}, "mica"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication"),
        ({"megatron_config": {"x": 1}}, "megatron_config"),
        ({"target_parameters": ["experts.weight"]}, "target_parameters"),
        ({"alora_invocation_tokens": [1, 2]}, "aLoRA"),
        ({"use_qalora": True}, "use_qalora"),
        ({"some_later_option": {"x": 1}}, '"some_later_option" is not known'),
        ({"use_dora": True}, "no magnitude vector"),
        ({"r": 0}, '"r" is 0'),
        ({"r": "4"}, "\"r\" is '4'"),
        ({"lora_alpha": None}, '"lora_alpha" is None'),
        ({"lora_alpha": float("nan")}, '"lora_alpha" is nan'),
        ({"use_rslora": "yes"}, '"use_rslora"'),
        ({"rank_pattern": {"q_proj": "8"}}, '"rank_pattern"'),
        ({"alpha_pattern": {"(": 8}}, "not a regular expression"),
        ({"modules_to_save": "norm"}, '"modules_to_save"'),
        ({"trainable_token_indices": {"embed_tokens": ["a"]}}, '"trainable_token_indices"'),
        ({"base_model_name_or_path": 3}, '"base_model_name_or_path"'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_adapter_that_cannot_be_merged_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    edit_json(tiny_adapter(tmp_path / "adapter", base) / "adapter_config.json", **changes)
    with refused(str(tmp_path / "adapter" / "adapter_config.json"), words):
        open_checkpoint(tmp_path / "adapter")


@pytest.mark.slow
def test_dora_on_an_embedding_is_refused(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    peft_adapter(tmp_path / "adapter", base, target_modules=["embed_tokens"], use_dora=True)
    with refused("DoRA on an embedding", "model.embed_tokens"):
        open_checkpoint(tmp_path / "adapter")


def test_half_a_lora_is_refused(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    path = tiny_adapter(tmp_path / "adapter", base) / "adapter_model.safetensors"
    weights = stored(path)
    del weights[f"{MODULE}.lora_B.weight"]
    write_safetensors(path, weights)
    with refused(f"{MODULE}.lora_A.weight lacks its counterpart"):
        open_checkpoint(tmp_path / "adapter")


def test_tensors_of_another_method_are_named(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    tiny_adapter(tmp_path / "adapter", base, extra={f"{MODULE}.vera_lambda_b": np.ones(4, np.float32)})
    with refused(f"{MODULE}.vera_lambda_b"):
        open_checkpoint(tmp_path / "adapter")


def test_integer_adapters_are_refused(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    tiny_adapter(
        tmp_path / "adapter", base, extra={"base_model.model.model.norm.weight": np.ones(64, np.uint8)}
    )
    with refused("base_model.model.model.norm.weight", "U8"):
        open_checkpoint(tmp_path / "adapter")


def test_a_pickled_adapter_is_refused_unopened(tmp_path: Path) -> None:
    tiny_adapter(tmp_path, tiny_checkpoint(tmp_path / "base"))
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with refused("adapter_model.bin", "would run code", "safe_serialization=True"):
        open_checkpoint(tmp_path)


def test_an_adapter_without_weights_is_refused(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    path = tiny_adapter(tmp_path / "adapter", base) / "adapter_model.safetensors"
    write_safetensors(path, {})
    with refused("holds no tensors"):
        open_checkpoint(tmp_path / "adapter")
    path.unlink()
    with refused("adapter_model.safetensors"):
        open_checkpoint(tmp_path / "adapter")


def test_a_damaged_adapter_is_named(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    path = tiny_adapter(tmp_path / "adapter", base) / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with refused("adapter_model.safetensors", "tensor"):
        open_checkpoint(tmp_path / "adapter")


def test_an_embedding_that_outgrew_a_head_of_its_own_is_refused(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    rows = random_weights(open_checkpoint(base).architecture)["model.embed_tokens.weight"]
    grown = {
        "base_model.model.model.embed_tokens.weight": np.concatenate([rows, rows[:2]]).astype(
            ml_dtypes.bfloat16
        )
    }
    tiny_adapter(tmp_path / "adapter", base, extra=grown, modules_to_save=["embed_tokens"])
    with refused("322 rows", "has 320", "lm_head"):
        open_checkpoint(tmp_path / "adapter")


def stored(path: Path) -> dict[str, Any]:
    """The float32 tensors of an adapter written by `tiny_adapter`."""
    header, data = read_safetensors(path)
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }
