"""adapter_config.json of PEFT: what a LoRA adapter says about itself, and the adapters that are refused.

Refused is whatever cannot be merged into the base exactly: another method than LoRA, variants of LoRA that
compute something else, and initialisations that changed the base.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import CheckpointError
from edgekit.records.documents import read_json_object

CONFIG_FILE = "adapter_config.json"
MERGE_FIRST = "merge where it was trained, model.merge_and_unload().save_pretrained(directory), and pass that"
SAVE_AGAIN = "save the adapter again with model.save_pretrained(directory)"

# Initialisations that take from the base what they give to the adapter: the file alone is then a change to a
# base that was never saved.
_LONGEST_PATTERN = 1000
_ENDLESS = re.compile(r"\)[*+{]")  # a group again and again: what takes exponential time has one
_REPEATED = re.compile(r"[*+{]")
_CHANGES_BASE = re.compile(r"pissa|olora|corda|loftq|lora_ga", re.IGNORECASE)
_PLAIN_INIT = ("gaussian", "eva", "orthogonal")

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
# Options that say how the training went or where the tensors are: the tensors themselves show their effect.
_HARMLESS = {
    *("auto_mapping", "base_model_class", "corda_config", "ephemeral_gpu_offload", "eva_config"),
    *("exclude_modules", "fan_in_fan_out", "inference_mode", "layers_pattern", "layers_to_transform"),
    *("loftq_config", "lora_dropout", "lora_ga_config", "megatron_core", "peft_version"),
    *("qalora_group_size", "runtime_config", "target_modules", "velora_config"),
}
_READ = {
    *("alpha_pattern", "base_model_name_or_path", "bias", "ensure_weight_tying", "init_lora_weights"),
    *("lora_alpha", "modules_to_save", "peft_type", "r", "rank_pattern", "revision", "task_type"),
    *("trainable_token_indices", "use_dora", "use_rslora"),
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
    """Read adapter_config.json.

    Raises CheckpointError, naming the option, for an adapter that cannot be merged exactly.
    """
    path = directory / CONFIG_FILE
    document = read_json_object(path)
    if "fine_tune_type" in document or "lora_parameters" in document:
        raise CheckpointError(
            "this is an adapter of MLX, not of PEFT",
            where=path,
            remedy="merge it where it was trained, and pass the result: mlx_lm.fuse --model BASE --adapter-path "
            f"{shlex.quote(str(directory))} --save-path MERGED",
        )
    _refuse_unsupported(document, path)
    base_model = document.get("base_model_name_or_path")
    revision = document.get("revision")
    if not isinstance(base_model, str | None) or not isinstance(revision, str | None):
        raise CheckpointError(
            'keys "base_model_name_or_path" and "revision" must be strings or null',
            where=path,
            remedy=SAVE_AGAIN,
        )
    rank, alpha = document.get("r", 8), document.get("lora_alpha", 8)
    if not _is_rank(rank):
        raise CheckpointError(f'key "r" is {rank!r}, not a positive integer', where=path, remedy=SAVE_AGAIN)
    if not _is_number(alpha):
        raise CheckpointError(f'key "lora_alpha" is {alpha!r}, not a number', where=path, remedy=SAVE_AGAIN)
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


def _refuse_unsupported(document: Mapping[str, Any], path: Path) -> None:
    peft_type = document.get("peft_type")
    if peft_type != "LORA":
        raise CheckpointError(
            f"this is an adapter of type {peft_type}, not LORA", where=path, remedy=MERGE_FIRST
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
            raise CheckpointError(f'the adapter {what} ("{key}")', where=path, remedy=MERGE_FIRST)
    init = document.get("init_lora_weights", True)
    if isinstance(init, str) and _CHANGES_BASE.match(init):
        raise CheckpointError(
            f'the adapter was initialised by "{init}", which also changed the base it belongs to',
            where=path,
            remedy="save it with path_initial_model_for_weight_conversion=… (PEFT makes a plain LoRA of it), "
            "or " + MERGE_FIRST,
        )
    if not isinstance(init, bool) and init not in _PLAIN_INIT:
        raise CheckpointError(
            f'the initialisation "{init}" is not known to leave the base as it was',
            where=path,
            remedy=MERGE_FIRST,
        )
    # An option from a later PEFT may change what the tensors mean; better to stop than to ignore it.
    for key, value in document.items():
        if value and key not in _HARMLESS | _READ | _REFUSED.keys():
            raise CheckpointError(
                f'the option "{key}" is not known, so its effect on the weights is not either',
                where=path,
                remedy=MERGE_FIRST,
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
        raise CheckpointError(
            f'key "{key}" is not an object of module → number', where=path, remedy=SAVE_AGAIN
        )
    for pattern in patterns:
        if len(pattern) > _LONGEST_PATTERN or _ENDLESS.search(pattern) or len(_REPEATED.findall(pattern)) > 4:
            raise CheckpointError(
                f'key "{key}": {pattern[:60]!r} could take for ever to match', where=path, remedy=MERGE_FIRST
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise CheckpointError(
                f'key "{key}": {pattern!r} is not a regular expression ({error})',
                where=path,
                remedy=SAVE_AGAIN,
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
            'key "trainable_token_indices" is not a list of token ids per module',
            where=path,
            remedy=SAVE_AGAIN,
        )
    return {module: tuple(rows) for module, rows in by_module.items()}


def _strings(document: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    value = document.get(key) or []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise CheckpointError(f'key "{key}" is not a list of names', where=path, remedy=SAVE_AGAIN)
    return tuple(value)


def _flag(document: Mapping[str, Any], key: str, path: Path) -> bool:
    value = document.get(key)
    if not isinstance(value, bool | None):
        raise CheckpointError(f'key "{key}" is {value!r}, not true or false', where=path, remedy=SAVE_AGAIN)
    return bool(value)


def _is_rank(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1 << 16


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
