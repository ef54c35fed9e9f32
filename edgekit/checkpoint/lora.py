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

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.config import Gemma3Config
from edgekit.checkpoint.files import read_json_object
from edgekit.checkpoint.names import EMBEDDING, HEAD, canonical_name, check_tensors, is_vision
from edgekit.checkpoint.tensors import (
    FLOAT_DTYPES,
    StoredTensor,
    WeightTensor,
    open_safetensors,
    same_bytes,
    some,
)
from edgekit.errors import CheckpointError

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"

_MERGE_FIRST = (
    "merge where it was trained, model.merge_and_unload().save_pretrained(directory), and pass that"
)
_CHUNK_VALUES = 1 << 22  # 16 MB of float32: what a merge holds beside its result

# Initialisations that take from the base what they give to the adapter: the file alone is then a change to a
# base that was never saved.
_CHANGES_BASE = re.compile(r"pissa|olora|corda|loftq|lora_ga", re.IGNORECASE)
_PLAIN_INIT = {"gaussian", "eva", "orthogonal"}

_QUANTIZED_NAME = re.compile(r"[-_](bnb|[48]-?bit|int[48]|gptq|awq|fp8|gguf)\b", re.IGNORECASE)

_REFUSED: Mapping[str, str] = {
    "layer_replication": "repeats layers of the base",
    "megatron_config": "was trained with Megatron's parallel layers",
    "target_parameters": "adapts parameters outside of linear layers",
    "alora_invocation_tokens": "acts only after its invocation tokens (aLoRA), so that it cannot be merged",
    "use_qalora": "pools its inputs (QA-LoRA)",
    "use_bdlora": "is block-diagonal (BD-LoRA)",
    "arrow_config": "routes between adapters (Arrow)",
    "kasa_config": "scales its rank by singular values (KaSA)",
    "monteclora_config": "samples its weights (MonteCLoRA)",
    "lora_bias": "trains biases, which Gemma 3 has not",
}
# Options that decide how the training went or where its tensors are, all of which the tensors themselves
# show.
_HARMLESS = {
    *("alora_invocation_tokens", "auto_mapping", "base_model_class", "corda_config", "exclude_modules"),
    *("ephemeral_gpu_offload", "eva_config", "fan_in_fan_out", "inference_mode", "layers_pattern"),
    *(
        "layers_to_transform",
        "loftq_config",
        "lora_dropout",
        "lora_ga_config",
        "megatron_core",
        "peft_version",
    ),
    *("qalora_group_size", "runtime_config", "target_modules", "velora_config"),
}
_READ = {
    *("peft_type", "task_type", "bias", "init_lora_weights", "r", "lora_alpha", "use_rslora", "rank_pattern"),
    *("alpha_pattern", "use_dora", "modules_to_save", "trainable_token_indices", "ensure_weight_tying"),
    *("base_model_name_or_path", "revision"),
}


@dataclass(frozen=True)
class AdapterConfig:
    """What adapter_config.json says about a LoRA adapter that can be merged."""

    path: Path
    """Of adapter_config.json, named by errors."""
    rank: int
    alpha: float
    use_rslora: bool
    """Whether the change is scaled by alpha / √rank instead of alpha / rank."""
    rank_pattern: tuple[tuple[str, float], ...]
    """(regular expression over module names, rank), the first match counts."""
    alpha_pattern: tuple[tuple[str, float], ...]
    use_dora: bool
    modules_to_save: tuple[str, ...]
    """Modules that were trained whole."""
    token_indices: Mapping[str, tuple[int, ...]]
    """Rows that were trained alone, by module."""
    ensure_weight_tying: bool
    base_model: str | None
    """Directory or Hub id of the base, as it was called where the adapter was trained."""
    base_revision: str | None

    def scaling(self, module: str) -> float:
        """Return the factor of `B @ A` for a module such as `model.layers.0.self_attn.q_proj`."""
        rank = self.module_rank(module)
        alpha = _by_pattern(self.alpha_pattern, module, self.alpha)
        return alpha / math.sqrt(rank) if self.use_rslora else alpha / rank

    def module_rank(self, module: str) -> int:
        """Return the rank of a module's adapter."""
        return int(_by_pattern(self.rank_pattern, module, self.rank))


def is_adapter(directory: Path) -> bool:
    """Tell whether a directory holds a PEFT adapter."""
    return (directory / CONFIG_FILE).is_file()


def read_adapter_config(directory: Path) -> AdapterConfig:
    """Read adapter_config.json; raises CheckpointError, naming the option, for what cannot be merged
    exactly."""
    path = directory / CONFIG_FILE
    document = read_json_object(path)
    _refuse_unsupported(document, path)
    base_model = document.get("base_model_name_or_path")
    revision = document.get("revision")
    if not isinstance(base_model, str | None) or not isinstance(revision, str | None):
        raise CheckpointError(
            'keys "base_model_name_or_path" and "revision" must be strings or null', where=path
        )
    rank, alpha = document.get("r", 8), document.get("lora_alpha", 8)
    if not _is_rank(rank):
        raise CheckpointError(f'key "r" is {rank!r}, not a positive integer', where=path)
    if not _is_number(alpha):
        raise CheckpointError(f'key "lora_alpha" is {alpha!r}, not a number', where=path)
    return AdapterConfig(
        path=path,
        rank=rank,
        alpha=alpha,
        use_rslora=_flag(document, "use_rslora", path),
        rank_pattern=_pattern(document, "rank_pattern", path),
        alpha_pattern=_pattern(document, "alpha_pattern", path),
        use_dora=_flag(document, "use_dora", path),
        modules_to_save=_strings(document, "modules_to_save", path),
        token_indices=_token_indices(document, path),
        ensure_weight_tying=_flag(document, "ensure_weight_tying", path),
        base_model=base_model or None,
        base_revision=revision or None,
    )


def base_source(adapter: AdapterConfig) -> str:
    """Return the directory or Hub id (`name@revision`) of the base that the adapter names.

    Raises CheckpointError when it names none, or one whose weights are quantized.
    """
    name = adapter.base_model
    if name is None:
        raise CheckpointError(
            "the adapter does not name its base model",
            where=adapter.path,
            remedy="pass the base with --base",
        )
    if _QUANTIZED_NAME.search(name):
        raise CheckpointError(
            f"the adapter was trained on a quantized base, {name}, into which it cannot be merged exactly",
            where=adapter.path,
            remedy="pass the float model that the base was quantized from with --base, "
            "for example --base google/gemma-3-270m-it",
        )
    if Path(name).is_dir():
        return name
    beside = adapter.path.parent / name
    if beside.is_dir():
        return str(beside)
    if name.startswith(("/", ".", "~")) or "\\" in name or name.count("/") != 1:
        raise CheckpointError(
            f"the base model of the adapter, {name}, is not on this machine",
            where=adapter.path,
            remedy="pass the directory or Hub id of the base with --base",
        )
    return f"{name}@{adapter.base_revision}" if adapter.base_revision else name


def merge_adapter(
    directory: Path,
    adapter: AdapterConfig,
    config: Gemma3Config,
    base: Mapping[str, WeightTensor],
) -> tuple[Gemma3Config, dict[str, WeightTensor]]:
    """Lay an adapter over its base; nothing is computed until a tensor is read.

    directory: the adapter's. config, base: the base model's, by canonical name. Returns the config
    (vocabulary and tied head as the adapter leaves them) and all tensors, in the order of `expected_shapes`.
    Raises CheckpointError, naming the tensor with expected and found shape, when the adapter belongs to
    another base.
    """
    parts = _parts(_open_weights(directory), config, directory)
    embedding = _adapted("model.embed_tokens", base[EMBEDDING], parts, adapter)
    head_base = base[HEAD] if HEAD in base else base[EMBEDDING]
    config, head = _adapted_head(head_base, embedding, parts, adapter, config)
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
    config = replace(config, vocab_size=rows)
    check_tensors(merged, config, where=directory)
    return config, merged


@dataclass(frozen=True)
class LoraTensor:
    """A base tensor plus its low-rank change, with DoRA's magnitudes where there are any."""

    base: WeightTensor
    down: StoredTensor
    """A: (rank, in); for an embedding (rank, rows)."""
    up: StoredTensor
    """B: (out, rank); for an embedding (features, rank)."""
    scaling: float
    embedding: bool
    """Whether the change is (B @ A) transposed."""
    magnitude: StoredTensor | None
    """DoRA's (out,): each row of the merged weight is given this length."""

    @property
    def name(self) -> str:
        """Name in the model."""
        return self.base.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Matrices are (out, in)."""
        return self.base.shape

    @property
    def dtype(self) -> str:
        """That of the base, to which the merged values are rounded."""
        return self.base.dtype

    @property
    def source(self) -> Path:
        """The adapter's file."""
        return self.up.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Merge these rows: float32 arithmetic, rounded to the base's dtype, as float32."""
        values = self.base.read(rows)
        start = 0 if rows is None else rows.indices(self.shape[0])[0]
        step = max(1, _CHUNK_VALUES // self.shape[1])
        for at in range(0, values.shape[0], step):
            chunk = values[at : at + step]
            self._merge(chunk, slice(start + at, start + at + chunk.shape[0]))
        return values

    def raw(self) -> NDArray[Any]:
        """Merge all rows, in the base's dtype."""
        return self.read().astype(FLOAT_DTYPES[self.dtype])

    def _merge(self, values: NDArray[np.float32], rows: slice) -> None:
        """Merge in place; values: (rows, in) of the base."""
        if self.embedding:
            down = np.ascontiguousarray(self.down.raw()[:, rows]).astype(np.float32)  # (rank, rows)
            change = np.ascontiguousarray((self.up.read() @ down).T)  # (rows, features)
        else:
            change = self.up.read(rows) @ self.down.read()  # (rows, in)
        change *= np.float32(self.scaling)
        values += change
        if self.magnitude is not None:
            # Lengths in float64, so that they do not depend on the order of the sum.
            lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64)).astype(np.float32)
            values *= (self.magnitude.read(rows) / lengths)[:, None]
        _round(values, self.dtype)


@dataclass(frozen=True)
class RowsReplaced:
    """A tensor some of whose rows were trained alone (`trainable_token_indices`)."""

    base: WeightTensor
    indices: tuple[int, ...]
    values: StoredTensor
    """(len(indices), features)."""

    @property
    def name(self) -> str:
        """Name in the model."""
        return self.base.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the base."""
        return self.base.shape

    @property
    def dtype(self) -> str:
        """That of the base, to which the new rows are rounded."""
        return self.base.dtype

    @property
    def source(self) -> Path:
        """The adapter's file."""
        return self.values.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows, the trained ones in place of the base's."""
        result = self.base.read(rows)
        start = 0 if rows is None else rows.indices(self.shape[0])[0]
        at = np.asarray(self.indices) - start
        inside = (at >= 0) & (at < result.shape[0])
        trained = self.values.read()[inside]
        _round(trained, self.dtype)
        result[at[inside]] = trained
        return result

    def raw(self) -> NDArray[Any]:
        """Return all rows, in the base's dtype."""
        return self.read().astype(FLOAT_DTYPES[self.dtype])


@dataclass(frozen=True)
class Renamed:
    """A tensor under another name and, where that narrows it, in another dtype."""

    base: WeightTensor
    name: str
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.base.shape

    @property
    def source(self) -> Path:
        """The file of the tensor."""
        return self.base.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows, rounded to the dtype."""
        values = self.base.read(rows)
        if self.dtype != self.base.dtype:
            _round(values, self.dtype)
        return values

    def raw(self) -> NDArray[Any]:
        """Return the tensor in its dtype."""
        return (
            self.base.raw() if self.dtype == self.base.dtype else self.read().astype(FLOAT_DTYPES[self.dtype])
        )


_Parts = dict[str, dict[str, StoredTensor]]
"""Module → role → tensor; roles: "weight" (trained whole), "base" (saved with the adapter), "lora_A", …,
"tokens"."""

_ROLES = {
    "lora_A": "down",
    "lora_B": "up",
    "lora_embedding_A": "embedding_down",
    "lora_embedding_B": "embedding_up",
    "lora_magnitude_vector": "magnitude",
    "trainable_tokens_delta": "tokens",
}


def _open_weights(directory: Path) -> dict[str, StoredTensor]:
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


def _parts(stored: Mapping[str, StoredTensor], config: Gemma3Config, directory: Path) -> _Parts:
    """Sort the adapter's tensors by module and role."""
    parts: _Parts = {}
    for stored_name, tensor in stored.items():
        name, role = _module_and_role(stored_name)
        if is_vision(name) and config.conditional:
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
                remedy=_MERGE_FIRST,
            )
        if role in parts.setdefault(name, {}):
            raise CheckpointError(
                f"tensor {stored_name} is stored twice", where=directory / WEIGHTS_FILE, remedy=_MERGE_FIRST
            )
        parts[name][role] = tensor
    return parts


def _module_and_role(stored_name: str) -> tuple[str, str | None]:
    """Split `base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight` into module and role."""
    components = stored_name.split(".")
    for marker, role in _ROLES.items():
        if marker in components:
            module = [part for part in components[: components.index(marker)] if part != "token_adapter"]
            return canonical_name(".".join(module)), role
    if components[-1] != "weight":
        return canonical_name(stored_name), None
    module_name = canonical_name(stored_name.replace(".token_adapter.", ".")).removesuffix(".weight")
    return module_name, "base" if "base_layer" in components or "original_module" in components else "weight"


def _adapted(module: str, base: WeightTensor, parts: _Parts, adapter: AdapterConfig) -> WeightTensor:
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
            f"{module} has both a LoRA and token rows of its own", where=adapter.path, remedy=_MERGE_FIRST
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
            remedy="save the adapter again with model.save_pretrained(directory)",
        )
    if len(base.shape) != 2:
        raise CheckpointError(f"{module} is not a matrix, so it has no LoRA", where=down.source)
    rank = adapter.module_rank(module)
    rows, columns = base.shape
    _expect(down, (rank, rows) if embedding else (rank, columns), down.name)
    _expect(up, (columns, rank) if embedding else (rows, rank), up.name)
    magnitude = roles.get("magnitude")
    if adapter.use_dora and embedding:
        raise CheckpointError(
            f"DoRA on an embedding ({module}) is not supported", where=adapter.path, remedy=_MERGE_FIRST
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
    return LoraTensor(base, down, up, adapter.scaling(module), embedding, magnitude)


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
            remedy=_MERGE_FIRST,
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
    base: WeightTensor, embedding: WeightTensor, parts: _Parts, adapter: AdapterConfig, config: Gemma3Config
) -> tuple[Gemma3Config, WeightTensor | None]:
    """The head as it was trained, and whether it is still the embedding; None when it is.

    base: the head before, which is the base's embedding when the two are tied.
    """
    own, of_embedding = parts.get("lm_head", {}), parts.get("model.embed_tokens", {})
    if own:
        head = _adapted("lm_head", base, parts, adapter)
        stored_head, stored_embedding = own.get("weight"), of_embedding.get("weight")
        whole = (
            len(own) == len(of_embedding) == 1 and stored_head is not None and stored_embedding is not None
        )
        if whole and same_bytes(own["weight"], of_embedding["weight"]):
            return replace(config, tie_word_embeddings=True), None
        if config.tie_word_embeddings and _mirrored(own, of_embedding):
            return config, None
        if config.tie_word_embeddings and adapter.ensure_weight_tying and "up" in own:
            raise CheckpointError(
                '"ensure_weight_tying" is set, yet lm_head and embed_tokens have LoRAs of their own',
                where=adapter.path,
                remedy=_MERGE_FIRST,
            )
        return replace(config, tie_word_embeddings=False), head
    if not config.tie_word_embeddings:
        return config, base
    lora = {"embedding_down", "embedding_up"} & set(of_embedding)
    apart = lora or "embed_tokens" in {name.rpartition(".")[2] for name in adapter.modules_to_save}
    if not apart or adapter.ensure_weight_tying:
        return config, None  # untouched, or rows that PEFT changes in both at once
    # Only the embedding was trained: the head stayed what the base's embedding was.
    if "base" in of_embedding:
        base = of_embedding["base"]
    if base.shape != embedding.shape:
        raise CheckpointError(
            f"the embedding was trained apart from the head and has {embedding.shape[0]} rows, "
            f"but the head, which the adapter does not hold, has {base.shape[0]}",
            where=adapter.path,
            remedy="add lm_head to modules_to_save, or " + _MERGE_FIRST,
        )
    return replace(config, tie_word_embeddings=False), Renamed(base, HEAD, embedding.dtype)


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


def _round(values: NDArray[np.float32], dtype: str) -> None:
    """Round in place to the values of a narrower dtype, to nearest with ties to even."""
    if dtype != "F32":
        # What float16 cannot hold becomes infinite, which check_finite tells of.
        with np.errstate(over="ignore"):
            values[...] = values.astype(FLOAT_DTYPES[dtype])


def _refuse_unsupported(document: Mapping[str, Any], path: Path) -> None:
    peft_type = document.get("peft_type")
    if peft_type != "LORA":
        raise CheckpointError(
            f"this is an adapter of type {peft_type}, not LORA", where=path, remedy=_MERGE_FIRST
        )
    task = document.get("task_type")
    if task not in (None, "CAUSAL_LM"):
        raise CheckpointError(
            f"the adapter is for the task {task}, not CAUSAL_LM",
            where=path,
            remedy="edgekit converts models that generate text",
        )
    if document.get("bias", "none") != "none":
        raise CheckpointError(
            f"""the adapter trains biases ("bias": "{document["bias"]}"), which Gemma 3 has not""",
            where=path,
            remedy='train with bias="none"',
        )
    for key, what in _REFUSED.items():
        if document.get(key):
            raise CheckpointError(f'the adapter {what} ("{key}")', where=path, remedy=_MERGE_FIRST)
    init = document.get("init_lora_weights", True)
    if isinstance(init, str) and _CHANGES_BASE.match(init):
        raise CheckpointError(
            f'the adapter was initialised by "{init}", which also changed the base it belongs to',
            where=path,
            remedy="save it with path_initial_model_for_weight_conversion=… (PEFT makes a plain LoRA of it), "
            "or " + _MERGE_FIRST,
        )
    if not isinstance(init, bool) and init not in _PLAIN_INIT:
        raise CheckpointError(
            f'the initialisation "{init}" is not known to leave the base as it was',
            where=path,
            remedy=_MERGE_FIRST,
        )
    # An option from a later PEFT may change what the tensors mean; better to stop than to ignore it.
    for key, value in document.items():
        if key not in _HARMLESS and key not in _READ and key not in _REFUSED and value:
            raise CheckpointError(
                f'the option "{key}" is not known, so its effect on the weights is not either',
                where=path,
                remedy=_MERGE_FIRST,
            )


def _by_pattern(patterns: tuple[tuple[str, float], ...], module: str, default: float) -> float:
    """The value of the first pattern that matches the end of a module's name, as PEFT matches it."""
    for pattern, value in patterns:
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _pattern(document: Mapping[str, Any], key: str, path: Path) -> tuple[tuple[str, float], ...]:
    patterns = document.get(key) or {}
    valid = _is_rank if key == "rank_pattern" else _is_number
    if not isinstance(patterns, dict) or not all(valid(value) for value in patterns.values()):
        raise CheckpointError(f'key "{key}" is not an object of module → number', where=path)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise CheckpointError(
                f'key "{key}": {pattern!r} is not a regular expression ({error})', where=path
            ) from error
    return tuple(patterns.items())


def _token_indices(document: Mapping[str, Any], path: Path) -> Mapping[str, tuple[int, ...]]:
    """By module name; "" stands for the input embedding, which PEFT takes when a plain list is given."""
    value = document.get("trainable_token_indices") or {}
    by_module = {"": value} if isinstance(value, list) else value
    if not isinstance(by_module, dict) or not all(
        isinstance(rows, list)
        and all(isinstance(row, int) and not isinstance(row, bool) and row >= 0 for row in rows)
        for rows in by_module.values()
    ):
        raise CheckpointError(
            'key "trainable_token_indices" is not a list of token ids per module', where=path
        )
    return {module: tuple(rows) for module, rows in by_module.items()}


def _strings(document: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    value = document.get(key) or []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise CheckpointError(f'key "{key}" is not a list of names', where=path)
    return tuple(value)


def _flag(document: Mapping[str, Any], key: str, path: Path) -> bool:
    value = document.get(key)
    if not isinstance(value, bool | None):
        raise CheckpointError(f'key "{key}" is {value!r}, not true or false', where=path)
    return bool(value)


def _is_rank(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1 << 16


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
