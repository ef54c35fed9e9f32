"""From the names that training tools give tensors to the names of `Gemma3ForCausalLM`, each checked against
the config.

Tools wrap a model in modules of their own, and each wrapper puts its name before (torch.compile: `_orig_mod`,
DataParallel: `module`, PEFT: `base_model.model`, the vision model: `language_model`) or in between
(`base_layer`). All of them only say how a model was wrapped, so all are taken away; what is left is the
tensor's place in the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgekit.checkpoint.safetensors import FLOAT_DTYPES, StoredTensor, WeightTensor, same_bytes, some
from edgekit.errors import CheckpointError
from edgekit.families.gemma3 import Gemma3Config, expected_shapes

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"

_WRAPPERS_BEFORE = {"module", "model", "base_model", "language_model"}
_WRAPPERS_ANYWHERE = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "base_layer"}
_VISION = {"vision_tower", "multi_modal_projector", "vision_model", "embed_vision"}
_BUFFERS = ("inv_freq", "embed_scale", "position_ids")  # recomputed from the config by every runtime
_LORA = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")


def canonical_name(stored: str) -> str:
    """Take the wrappers off a stored name: `base_model.model.model.layers.0…` → `model.layers.0…`.

    Names that are not of a Gemma 3 text model come out stripped but otherwise as they are.
    """
    parts = [part for part in stored.split(".") if part not in _WRAPPERS_ANYWHERE]
    while len(parts) > 1 and parts[0] in _WRAPPERS_BEFORE:
        del parts[0]
    if "modules_to_save" in parts:  # PEFT's trained copy: embed_tokens.modules_to_save.default.weight
        parts.remove("modules_to_save")
    if len(parts) > 2 and parts[-2] == "default" and parts[-1] == "weight":
        del parts[-2]
    core = ".".join(parts)
    return core if parts[0] == "lm_head" or is_vision(core) else f"model.{core}"


def canonical_tensors(
    stored: Mapping[str, StoredTensor], config: Gemma3Config, *, where: Path
) -> tuple[Gemma3Config, dict[str, WeightTensor]]:
    """Map stored tensors to the model's, all there, of the right shape, and with one truth about the output
    head.

    stored: tensors by stored name. where: the checkpoint directory, named by errors. Returns the config, with
    `tie_word_embeddings` as the weights have it, and the tensors in the order of `expected_shapes`. Raises
    CheckpointError for tensors that are missing, unexpected, of another shape or dtype, for an adapter that
    was not merged, and for a head that contradicts the config.
    """
    named = _named(stored, config, where)
    config = _settle_head(named, config, where)
    check_tensors(named, config, where=where)
    return config, {name: named[name] for name in expected_shapes(config)}


def check_tensors(named: Mapping[str, WeightTensor], config: Gemma3Config, *, where: Path) -> None:
    """Raise CheckpointError unless the tensors are exactly those of the config, in shape and dtype."""
    shapes = expected_shapes(config)
    missing = [name for name in shapes if name not in named]
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(shapes)} tensors are missing: {some(missing)}",
            where=where,
            remedy='if the head is the embedding, set "tie_word_embeddings" to true in config.json'
            if missing == [HEAD]
            else "save the whole model, with the config.json that belongs to it",
        )
    unexpected = [name for name in named if name not in shapes]
    if unexpected:
        raise CheckpointError(
            f"{len(unexpected)} tensors have no place in the model of config.json: {some(unexpected)}",
            where=where,
            remedy="check that config.json belongs to these weights (number of layers, architecture)",
        )
    for name, shape in shapes.items():
        _check_tensor(named[name], shape, config)


def _named(stored: Mapping[str, StoredTensor], config: Gemma3Config, where: Path) -> dict[str, WeightTensor]:
    """Tensors by canonical name, without vision tower, buffers and copies."""
    unmerged = [name for name in stored if set(_LORA).intersection(name.split("."))]
    if unmerged:
        raise CheckpointError(
            f"{len(unmerged)} tensors of a LoRA adapter lie unmerged in the checkpoint: {some(unmerged)}",
            where=where,
            remedy="save model.merge_and_unload() instead, or save the adapter with model.save_pretrained() "
            "and pass its directory",
        )
    retrained = {canonical_name(name) for name in stored if ".modules_to_save." in name}
    named: dict[str, WeightTensor] = {}
    for stored_name, tensor in stored.items():
        name = canonical_name(stored_name)
        if name.endswith(_BUFFERS) or (config.conditional and is_vision(name)):
            continue
        if ".original_module." in stored_name and name.replace(".original_module", "") in retrained:
            continue  # PEFT keeps what it replaced next to the trained copy
        if name in named:
            if not same_bytes(named[name], tensor):
                raise CheckpointError(
                    f"{name} is stored twice with different values, once as {stored_name}",
                    where=tensor.source,
                    remedy="save the model once more from one of the two",
                )
            continue
        named[name] = tensor.renamed(name)
    return named


def _settle_head(named: dict[str, WeightTensor], config: Gemma3Config, where: Path) -> Gemma3Config:
    """Drop a stored head that is the embedding; refuse one that the config would have ignored."""
    if EMBEDDING not in named or HEAD not in named:
        return config
    if same_bytes(named[EMBEDDING], named[HEAD]):
        del named[HEAD]
        return replace(config, tie_word_embeddings=True)
    if config.tie_word_embeddings:
        raise CheckpointError(
            f"{HEAD} differs from {EMBEDDING}, yet config.json ties the two: loading would drop the head",
            where=where,
            remedy='if the head was trained, set "tie_word_embeddings" to false in config.json; if not, '
            "save the model again without it",
        )
    return config


def _check_tensor(tensor: WeightTensor, expected: tuple[int, ...], config: Gemma3Config) -> None:
    if tensor.shape != expected:
        if tensor.name in (EMBEDDING, HEAD) and tensor.shape[1:] == expected[1:]:
            raise CheckpointError(
                f"{tensor.name} has {tensor.shape[0]} rows, but vocab_size in config.json is "
                f"{config.vocab_size}",
                where=tensor.source,
                remedy="after adding tokens, call model.resize_token_embeddings() and save model and config "
                "together; or correct vocab_size in config.json",
            )
        raise CheckpointError(
            f"{tensor.name} has shape {tensor.shape}, but config.json makes it {expected}",
            where=tensor.source,
            remedy="config.json and the weights are of different models: take both from one directory",
        )
    if tensor.dtype not in FLOAT_DTYPES:
        raise CheckpointError(
            f"{tensor.name} has dtype {tensor.dtype}, not one of {', '.join(FLOAT_DTYPES)}",
            where=tensor.source,
            remedy="save the model in float: model.to(torch.bfloat16).save_pretrained(directory)",
        )


def is_vision(name: str) -> bool:
    """Tell whether a tensor or module belongs to the vision tower or its projector."""
    return bool(_VISION.intersection(name.split(".")))
