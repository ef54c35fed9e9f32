"""LoRA adapters as PEFT saves them, merged into their base tensor by tensor, when a tensor is read.

A merged weight is what PEFT computes in float32, rounded to the dtype of the base: `W + scaling * (B @ A)`.

One case differs from `merge_and_unload()` on purpose. Where the base ties its head to the embedding and only
one of the two was adapted, PEFT trains them as two different matrices, but merges both changes into the one
they share, and so gives another model than the one that was trained. Here the trained model is kept: head and
embedding come out untied.

Format: `adapter_config.json` and `adapter_model.safetensors`; names are
`base_model.model.<module>.lora_A.weight` (rank, in), `….lora_B.weight` (out, rank), `….lora_embedding_A`
(rank, rows), `….lora_embedding_B` (features, rank), `….lora_magnitude_vector` (out,),
`….token_adapter.trainable_tokens_delta` (tokens, features) and, for modules trained whole, `<module>.weight`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.checkpoint.lazy import LoraTensor, Renamed, RowsReplaced
from edgekit.checkpoint.lora.config import CONFIG_FILE, MERGE_FIRST, SAVE_AGAIN, AdapterConfig
from edgekit.checkpoint.names import check_tensors
from edgekit.checkpoint.safetensors import (
    FLOAT_DTYPES,
    StoredTensor,
    WeightTensor,
    open_safetensors,
    some,
)
from edgekit.checkpoint.same import same_bytes
from edgekit.errors import CheckpointError
from edgekit.families import family_named
from edgekit.families.base import EMBEDDING, HEAD, Architecture, Family

WEIGHTS_FILE = "adapter_model.safetensors"

Parts = dict[str, dict[str, StoredTensor]]
"""Module → role → tensor. Roles: those of `_ROLES`, "weight" (trained whole), "base" (saved as it was)."""

_ROLES = {
    "lora_A": "down",
    "lora_B": "up",
    "lora_embedding_A": "embedding_down",
    "lora_embedding_B": "embedding_up",
    "lora_magnitude_vector": "magnitude",
    "trainable_tokens_delta": "tokens",
}


def merge_adapter(
    directory: Path,
    adapter: AdapterConfig,
    architecture: Architecture,
    base: Mapping[str, WeightTensor],
) -> tuple[Architecture, dict[str, WeightTensor]]:
    """Lay an adapter over its base; nothing is computed until a tensor is read.

    directory: the adapter's. architecture, base: the base model's, by canonical name. Returns the architecture
    (vocabulary and tied head as the adapter leaves them) and all tensors, in the order of `the family's `tensors``.
    Raises CheckpointError, naming the tensor with expected and found shape, when the adapter belongs to
    another base.
    """
    parts = sort_by_module(
        open_adapter_weights(directory),
        directory,
        family_named(architecture.family),
        conditional=architecture.conditional,
    )
    embedding = _adapted("model.embed_tokens", base[EMBEDDING], parts, adapter)
    head_base = base[HEAD] if HEAD in base else base[EMBEDDING]
    architecture, head = _adapted_head(head_base, embedding, parts, adapter, architecture)
    merged: dict[str, WeightTensor] = {}
    for name, tensor in base.items():
        if name not in (EMBEDDING, HEAD):
            merged[name] = _adapted(name.removesuffix(".weight"), tensor, parts, adapter)
    merged = {EMBEDDING: embedding, **merged}
    if head is not None:
        merged[HEAD] = head
    strangers = [module for module in parts if f"{module}.weight" not in base and module != "lm_head"]
    if strangers:
        raise CheckpointError(
            f"the adapter changes {len(strangers)} modules that the base does not have: {some(strangers)}",
            where=directory / WEIGHTS_FILE,
            remedy="the adapter was trained on another model: pass its own base with --base",
        )
    rows = embedding.shape[0]
    architecture = replace(architecture, vocab_size=rows)
    check_tensors(merged, architecture, where=directory)
    return architecture, merged


def open_adapter_weights(directory: Path) -> dict[str, StoredTensor]:
    """Open adapter_model.safetensors. Raises CheckpointError when it is missing, pickled or empty."""
    path = directory / WEIGHTS_FILE
    if not path.is_file():
        pickled = directory / "adapter_model.bin"
        if pickled.is_file():
            raise CheckpointError(
                "the adapter is pickled; opening it would run code from the file",
                where=pickled,
                remedy="save it again with model.save_pretrained(directory, safe_serialization=True)",
            )
        raise CheckpointError(
            f"there is no {WEIGHTS_FILE} beside {CONFIG_FILE}",
            where=directory,
            remedy="pass the directory that model.save_pretrained() wrote",
        )
    tensors = open_safetensors(path)
    if not tensors:
        raise CheckpointError(
            "the adapter holds no tensors",
            where=path,
            remedy="under ZeRO-3 or FSDP, gather the parameters before save_pretrained()",
        )
    return tensors


def sort_by_module(
    stored: Mapping[str, StoredTensor], directory: Path, family: Family, *, conditional: bool
) -> Parts:
    """Sort the adapter's tensors by module and role.

    conditional: whether the base has a vision part, whose tensors are left out.
    Raises CheckpointError for tensors that no LoRA adapter has.
    """
    parts: Parts = {}
    for stored_name, tensor in stored.items():
        name, role = _module_and_role(stored_name, family)
        if conditional and family.left_out(name):
            continue  # it belongs to the part of the model that is left out
        if tensor.dtype not in FLOAT_DTYPES:
            raise CheckpointError(
                f"tensor {stored_name} has dtype {tensor.dtype}, not one of {', '.join(FLOAT_DTYPES)}",
                where=tensor.source,
                remedy="save the adapter in float32 or bfloat16",
            )
        if role is None:
            raise CheckpointError(
                f"tensor {stored_name} is not one that a LoRA adapter has",
                where=directory / WEIGHTS_FILE,
                remedy=MERGE_FIRST,
            )
        twin = parts.setdefault(name, {}).get(role)
        if twin is not None and not same_bytes(twin, tensor):
            raise CheckpointError(
                f"tensor {stored_name} is stored twice, also as {twin.name}, with different values",
                where=directory / WEIGHTS_FILE,
                remedy=MERGE_FIRST,
            )
        parts[name][role] = tensor
    return parts


def _module_and_role(stored_name: str, family: Family) -> tuple[str, str | None]:
    """Split `base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight` into module and role."""
    components = stored_name.split(".")
    for marker, role in _ROLES.items():
        if marker in components:
            module = [part for part in components[: components.index(marker)] if part != "token_adapter"]
            return family.canonical(".".join(module)), role
    if components[-1] != "weight":
        return family.canonical(stored_name), None
    untrained = {"base_layer", "original_module"}.intersection(components)
    bare = [part for part in components if part not in ("token_adapter", "original_module")]
    return family.canonical(".".join(bare)).removesuffix(".weight"), "base" if untrained else "weight"


def _adapted(module: str, base: WeightTensor, parts: Parts, adapter: AdapterConfig) -> WeightTensor:
    """One tensor of the model as the adapter leaves it."""
    roles = parts.get(module)
    if not roles:
        return base
    name = f"{module}.weight"
    tensor = base if base.name == name else Renamed(base, name, base.dtype)
    whole = roles.get("weight", roles.get("base"))
    if whole is not None:
        resizable = name in (EMBEDDING, HEAD)
        expected = (whole.shape[0], *base.shape[1:]) if resizable and whole.shape else base.shape
        _expect(whole, expected, name)
        tensor = Renamed(whole, name, base.dtype)
    lora = {role for role in roles if role not in ("weight", "base", "tokens")}
    if lora and "tokens" in roles:
        raise CheckpointError(
            f"{module} has both a LoRA and token rows of its own", where=adapter.path, remedy=MERGE_FIRST
        )
    if lora:
        return _with_lora(module, tensor, roles, adapter)
    if "tokens" in roles:
        return _with_tokens(module, tensor, roles["tokens"], adapter)
    return tensor


def _with_lora(
    module: str, base: WeightTensor, roles: Mapping[str, StoredTensor], adapter: AdapterConfig
) -> LoraTensor:
    embedding = "embedding_down" in roles or "embedding_up" in roles
    kinds = ("embedding_down", "embedding_up") if embedding else ("down", "up")
    down, up = roles.get(kinds[0]), roles.get(kinds[1])
    if down is None or up is None:
        found = (down or up or roles["magnitude"]).name
        raise CheckpointError(
            f"tensor {found} lacks its counterpart: {module} needs both matrices of its LoRA",
            where=adapter.path.parent / WEIGHTS_FILE,
            remedy=SAVE_AGAIN,
        )
    if len(base.shape) != 2:
        raise CheckpointError(
            f"{module} is not a matrix, so it has no LoRA", where=down.source, remedy=SAVE_AGAIN
        )
    peft_module = module_in_peft(down)
    rank = adapter.module_rank(peft_module)
    rows, columns = base.shape
    _expect(down, (rank, rows) if embedding else (rank, columns), down.name)
    _expect(up, (columns, rank) if embedding else (rows, rank), up.name)
    magnitude = roles.get("magnitude")
    if adapter.use_dora and embedding:
        raise CheckpointError(
            f"DoRA on an embedding ({module}) is not supported", where=adapter.path, remedy=MERGE_FIRST
        )
    if adapter.use_dora != (magnitude is not None):
        found = f"{module} has {'no' if magnitude is None else 'a'} magnitude vector"
        raise CheckpointError(
            f'"use_dora" is {str(adapter.use_dora).lower()}, but {found}',
            where=adapter.path,
            remedy="adapter_config.json and the weights are of different adapters",
        )
    if magnitude is not None:
        _expect(magnitude, (rows,), magnitude.name)
    return LoraTensor(base, down, up, adapter.scaling(peft_module), embedding, magnitude)


def module_in_peft(down: StoredTensor) -> str:
    """The module of a LoRA matrix as PEFT's patterns name it: longer than ours in the vision model."""
    return down.name.partition(".lora_")[0].removeprefix("base_model.model.")


def _with_tokens(
    module: str, base: WeightTensor, values: StoredTensor, adapter: AdapterConfig
) -> RowsReplaced:
    leaf = module.rpartition(".")[2]
    indices = next(
        (rows for key, rows in adapter.token_indices.items() if key == leaf or module.endswith(f".{key}")),
        adapter.token_indices.get(""),
    )
    if indices is None:
        raise CheckpointError(
            f'"trainable_token_indices" does not name {leaf}, yet {values.name} holds trained rows',
            where=adapter.path,
            remedy=MERGE_FIRST,
        )
    _expect(values, (len(indices), *base.shape[1:]), values.name)
    if indices and max(indices) >= base.shape[0]:
        raise CheckpointError(
            f"token {max(indices)} was trained, but {base.name} has only {base.shape[0]} rows",
            where=adapter.path,
            remedy="the base vocabulary is too small: pass the base as resized for training with --base",
        )
    return RowsReplaced(base, indices, values)


def _adapted_head(
    base: WeightTensor,
    embedding: WeightTensor,
    parts: Parts,
    adapter: AdapterConfig,
    architecture: Architecture,
) -> tuple[Architecture, WeightTensor | None]:
    """The head as it was trained, and whether it is still the embedding; None when it is.

    base: the head before, which is the base's embedding when the two are tied.
    """
    own, of_embedding = parts.get("lm_head", {}), parts.get("model.embed_tokens", {})
    if own:
        if _equal(own, of_embedding) or (architecture.tied_embedding and _mirrored(own, of_embedding)):
            return replace(architecture, tied_embedding=True), None
        if architecture.tied_embedding and adapter.ensure_weight_tying and "up" in own:
            raise CheckpointError(
                '"ensure_weight_tying" is set, yet lm_head and embed_tokens have LoRAs of their own',
                where=adapter.path,
                remedy=MERGE_FIRST,
            )
        return replace(architecture, tied_embedding=False), _adapted("lm_head", base, parts, adapter)
    if not architecture.tied_embedding:
        return architecture, base
    lora = {"embedding_down", "embedding_up"} & set(of_embedding)
    apart = lora or "embed_tokens" in {name.rpartition(".")[2] for name in adapter.modules_to_save}
    if not apart or adapter.ensure_weight_tying:
        return architecture, None  # untouched, or rows that PEFT changes in both at once
    # Only the embedding was trained: the head stayed what the base's embedding was.
    if "base" in of_embedding:
        base = of_embedding["base"]
    if base.shape != embedding.shape:
        raise CheckpointError(
            f"the embedding was trained apart from the head and has {embedding.shape[0]} rows, "
            f"but the head, which the adapter does not hold, has {base.shape[0]}",
            where=adapter.path,
            remedy="add lm_head to modules_to_save, or " + MERGE_FIRST,
        )
    return replace(architecture, tied_embedding=False), Renamed(base, HEAD, embedding.dtype)


def _equal(head: Mapping[str, StoredTensor], embedding: Mapping[str, StoredTensor]) -> bool:
    """Tell whether head and embedding were both saved whole, or with trained rows, and are the same."""
    if head.keys() != embedding.keys() or not ("weight" in head or {"base", "tokens"} <= head.keys()):
        return False
    return head.keys() <= {"weight", "base", "tokens"} and all(
        same_bytes(head[role], embedding[role]) for role in head
    )


def _mirrored(head: Mapping[str, StoredTensor], embedding: Mapping[str, StoredTensor]) -> bool:
    """Tell whether the head's LoRA is the embedding's, transposed, as with `ensure_weight_tying`."""
    if not {"down", "up"} <= set(head) or not {"embedding_down", "embedding_up"} <= set(embedding):
        return False
    return np.array_equal(head["down"].raw(), embedding["embedding_up"].raw().T) and np.array_equal(
        head["up"].raw(), embedding["embedding_down"].raw().T
    )


def _expect(tensor: StoredTensor, expected: tuple[int, ...], name: str) -> None:
    if tensor.shape != expected:
        raise CheckpointError(
            f"tensor {name} has shape {tensor.shape}, but this base and {CONFIG_FILE} make it {expected}",
            where=tensor.source,
            remedy="the adapter was trained on another model: pass its own base with --base",
        )
