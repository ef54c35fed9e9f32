"""The tensors of a checkpoint by their names in the model, each checked against the architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.checkpoint.safetensors import FLOAT_DTYPES, StoredTensor, WeightTensor, some
from edgekit.checkpoint.same import same_values
from edgekit.errors import CheckpointError
from edgekit.families import family_named
from edgekit.families.base import EMBEDDING, HEAD, Architecture

_BUFFERS = ("inv_freq", "embed_scale", "position_ids")  # recomputed from the architecture by every runtime
_LORA = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")


@dataclass(frozen=True)
class Named:
    """A model's tensors. architecture: with the tie as the weights have it. notes: what was left out."""

    architecture: Architecture
    tensors: dict[str, WeightTensor]
    notes: tuple[str, ...]


def canonical_tensors(
    stored: Mapping[str, StoredTensor], architecture: Architecture, *, where: Path
) -> Named:
    """Map stored tensors to the model's, all there, of the right shape, and with one truth about the output
    head.

    stored: tensors by stored name. where: the checkpoint directory, named by errors. Returns the architecture, with
    `tied_embedding` as the weights have it, and the tensors in the order of the family's `tensors`. Raises
    CheckpointError for tensors that are missing, unexpected, of another shape or dtype, for an adapter that
    was not merged, and for a head that contradicts the architecture.
    """
    notes: list[str] = []
    named = _named(stored, architecture, where, notes)
    architecture = _settle_head(named, architecture, where, notes)
    check_tensors(named, architecture, where=where)
    names = family_named(architecture.family).tensors(architecture)
    return Named(architecture, {name: named[name] for name in names}, tuple(notes))


def check_tensors(named: Mapping[str, WeightTensor], architecture: Architecture, *, where: Path) -> None:
    """Raise CheckpointError unless the tensors are exactly those of the architecture, in shape and dtype."""
    shapes = family_named(architecture.family).tensors(architecture)
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
        _check_tensor(named[name], shape, architecture)


def _named(
    stored: Mapping[str, StoredTensor], architecture: Architecture, where: Path, notes: list[str]
) -> dict[str, WeightTensor]:
    """Tensors by canonical name, without vision tower, buffers and copies."""
    unmerged = [name for name in stored if set(_LORA).intersection(name.split("."))]
    if unmerged:
        raise CheckpointError(
            f"{len(unmerged)} tensors of a LoRA adapter lie unmerged in the checkpoint: {some(unmerged)}",
            where=where,
            remedy="save model.merge_and_unload() instead, or save the adapter with model.save_pretrained() "
            "and pass its directory",
        )
    family = family_named(architecture.family)
    retrained = {family.canonical(name) for name in stored if ".modules_to_save." in name}
    named: dict[str, WeightTensor] = {}
    vision = 0
    for stored_name, tensor in stored.items():
        name = family.canonical(stored_name)
        if name.endswith(_BUFFERS):
            continue
        if family.left_out(name):
            vision += 1
            continue
        if ".original_module." in stored_name and name.replace(".original_module", "") in retrained:
            continue  # PEFT keeps what it replaced next to the trained copy
        if name in named:
            if not same_values(named[name], tensor):
                raise CheckpointError(
                    f"{name} is stored twice with different values, once as {stored_name}",
                    where=tensor.source,
                    remedy="save the model once more from one of the two",
                )
            continue
        named[name] = tensor.renamed(name)
    if vision and not architecture.conditional:
        notes.append(
            f"left out {vision} tensors of a vision or audio tower: config.json describes the text model alone"
        )
    return named


def _settle_head(
    named: dict[str, WeightTensor], architecture: Architecture, where: Path, notes: list[str]
) -> Architecture:
    """Drop a stored head that is the embedding; refuse one that the architecture would have ignored."""
    if EMBEDDING not in named or HEAD not in named:
        return architecture
    if same_values(named[EMBEDDING], named[HEAD]):
        if named[EMBEDDING].dtype != named[HEAD].dtype:
            notes.append(
                f"left out {HEAD}: it is {EMBEDDING} in {named[HEAD].dtype}, value for value, and the two are tied"
            )
        del named[HEAD]
        return replace(architecture, tied_embedding=True)
    if architecture.tied_embedding:
        raise CheckpointError(
            f"{HEAD} differs from {EMBEDDING}, yet config.json ties the two: loading would drop the head",
            where=where,
            remedy='if the head was trained, set "tie_word_embeddings" to false in config.json; if not, '
            "save the model again without it",
        )
    return architecture


def _check_tensor(tensor: WeightTensor, expected: tuple[int, ...], architecture: Architecture) -> None:
    if tensor.shape != expected:
        if tensor.name in (EMBEDDING, HEAD) and tensor.shape[1:] == expected[1:]:
            raise CheckpointError(
                f"{tensor.name} has {tensor.shape[0]} rows, but vocab_size in config.json is "
                f"{architecture.vocab_size}",
                where=tensor.source,
                remedy="after adding tokens, call model.resize_token_embeddings() and save model and architecture "
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
