"""The architecture of a Gemma 3 text model, as config.json tells it.

Three spellings are read:

* Transformers 4, `Gemma3ForCausalLM`: `rope_theta`, `rope_local_base_freq`, `rope_scaling`,
  `sliding_window_pattern`;
* Transformers 5, `Gemma3ForCausalLM`: `rope_parameters` with one entry per layer type, and `layer_types`;
* `Gemma3ForConditionalGeneration` of either: the text model is under `text_config`, the rest describes the
  vision tower.

A key that config.json leaves out has the default of Transformers' `Gemma3TextConfig`: published
configurations of the larger models rely on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import CheckpointError
from edgekit.records.documents import read_json_object

SLIDING = "sliding_attention"
FULL = "full_attention"

_TEXT_ARCHITECTURES = {"Gemma3ForCausalLM", "Gemma3TextModel"}
_CONDITIONAL_ARCHITECTURES = {"Gemma3ForConditionalGeneration", "Gemma3Model"}
_RESTORE = "save model and config again with save_pretrained(), or take the value from the base's config.json"
_MAX_LAYERS = 1024  # far above any Gemma 3 (62); keeps a damaged number from filling the memory with names
_MAX_DIMENSION = 1 << 31
_NO_BOUND = 1 << 62


@dataclass(frozen=True)
class Gemma3Config:
    """What config.json says about a Gemma 3 text model: all that decides graph, shapes and token ids."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    sliding_window: int
    """Positions that a sliding-attention layer sees, itself included."""
    layer_types: tuple[str, ...]
    """One of "sliding_attention" and "full_attention" per layer."""
    rope_theta: float
    """Base of the rotary frequencies in full-attention layers."""
    rope_local_base_freq: float
    """Base of the rotary frequencies in sliding-attention layers."""
    rope_scaling: tuple[tuple[str, str | float], ...] | None
    """How full-attention layers scale their rotary frequencies: sorted (key, value) pairs, or None."""
    query_pre_attn_scalar: float
    rms_norm_eps: float
    hidden_activation: str
    max_position_embeddings: int
    attn_logit_softcapping: float | None
    final_logit_softcapping: float | None
    tie_word_embeddings: bool
    """Whether the output head is the embedding; False for a checkpoint with a head of its own."""
    pad_token_id: int | None
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    conditional: bool = False
    """Whether this is the text part of `Gemma3ForConditionalGeneration`; its vision tower is left out."""


def read_config(directory: Path) -> Gemma3Config:
    """Read `config.json` of a checkpoint directory.

    Raises CheckpointError, naming the file and the key, when the file is absent or damaged, when the model is
    not a Gemma 3 text model, or when it is one that cannot be converted (quantized weights, bidirectional
    attention, biases).
    """
    path = directory / "config.json"
    remedy = "pass a directory written by save_pretrained(): config.json next to model.safetensors"
    return parse_config(read_json_object(path, remedy=remedy), where=path)


def parse_config(document: Mapping[str, Any], *, where: Path) -> Gemma3Config:
    """Make a Gemma3Config of a parsed config.json; `where` is the file that errors name."""
    conditional = _is_conditional(document, where)
    text: Mapping[str, Any] = document
    if conditional:
        nested = document.get("text_config")
        if not isinstance(nested, dict):
            raise CheckpointError(
                "has no text_config, where Gemma3ForConditionalGeneration describes its text model",
                where=where,
                remedy=_RESTORE,
            )
        text = nested
    for level in (document, text):
        _refuse_quantized(level, where)

    keys = _Keys(text, where)
    _refuse_unsupported(keys)
    layers = keys.integer("num_hidden_layers", high=_MAX_LAYERS)
    heads = keys.integer("num_attention_heads", 8)
    kv_heads = keys.integer("num_key_value_heads", 4)
    if heads % kv_heads:
        raise keys.error(
            f"num_attention_heads ({heads}) is not a multiple of num_key_value_heads ({kv_heads})"
        )
    theta, local_base, scaling = _rope(keys)
    outer = _Keys(document, where)
    return Gemma3Config(
        vocab_size=keys.integer("vocab_size", 262_208),
        hidden_size=keys.integer("hidden_size"),
        intermediate_size=keys.integer("intermediate_size"),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=keys.integer("head_dim", 256),
        sliding_window=keys.integer("sliding_window", 4096),
        layer_types=_layer_types(keys, layers),
        rope_theta=theta,
        rope_local_base_freq=local_base,
        rope_scaling=scaling,
        query_pre_attn_scalar=keys.number("query_pre_attn_scalar", 256.0),
        rms_norm_eps=keys.number("rms_norm_eps", 1e-6),
        hidden_activation=keys.string("hidden_activation", "gelu_pytorch_tanh"),
        max_position_embeddings=keys.integer("max_position_embeddings", 131_072),
        attn_logit_softcapping=keys.optional_number("attn_logit_softcapping"),
        final_logit_softcapping=keys.optional_number("final_logit_softcapping"),
        # The model that was saved decides the tie, so the outer value goes before the text model's.
        tie_word_embeddings=outer.boolean("tie_word_embeddings", keys.boolean("tie_word_embeddings", True)),
        pad_token_id=keys.token_id("pad_token_id", 0),
        bos_token_id=keys.token_id("bos_token_id", 2),
        eos_token_ids=keys.token_ids("eos_token_id", (1,)),
        conditional=conditional,
    )


def expected_shapes(config: Gemma3Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the model, in the model's order.

    Names are those of Transformers' `Gemma3ForCausalLM`; matrices are (out, in), norms (features,).
    `lm_head.weight` comes last and only when the head is not tied to the embedding.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, hidden)}
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}"
        shapes |= {
            f"{prefix}.input_layernorm.weight": (hidden,),
            f"{prefix}.self_attn.q_proj.weight": (queries, hidden),
            f"{prefix}.self_attn.k_proj.weight": (keys, hidden),
            f"{prefix}.self_attn.v_proj.weight": (keys, hidden),
            f"{prefix}.self_attn.q_norm.weight": (config.head_dim,),
            f"{prefix}.self_attn.k_norm.weight": (config.head_dim,),
            f"{prefix}.self_attn.o_proj.weight": (hidden, queries),
            f"{prefix}.post_attention_layernorm.weight": (hidden,),
            f"{prefix}.pre_feedforward_layernorm.weight": (hidden,),
            f"{prefix}.mlp.gate_proj.weight": (inner, hidden),
            f"{prefix}.mlp.up_proj.weight": (inner, hidden),
            f"{prefix}.mlp.down_proj.weight": (hidden, inner),
            f"{prefix}.post_feedforward_layernorm.weight": (hidden,),
        }
    shapes["model.norm.weight"] = (hidden,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes


def _is_conditional(document: Mapping[str, Any], where: Path) -> bool:
    """Tell Gemma3ForConditionalGeneration from Gemma3ForCausalLM; refuse every other architecture."""
    declared = document.get("architectures")
    architectures = [declared] if isinstance(declared, str) else declared
    if architectures is not None and not (
        isinstance(architectures, list) and all(isinstance(name, str) for name in architectures)
    ):
        raise CheckpointError('key "architectures" is not a list of names', where=where, remedy=_RESTORE)
    model_type = document.get("model_type")
    if architectures:
        if model_type in ("gemma3_text", "gemma3", None):
            if _TEXT_ARCHITECTURES.intersection(architectures):
                return False
            if _CONDITIONAL_ARCHITECTURES.intersection(architectures):
                return True
    elif model_type in ("gemma3_text", "gemma3"):
        return bool(model_type == "gemma3")
    found = ", ".join(architectures) if architectures else f"model_type {model_type!r}"
    if architectures and model_type not in ("gemma3_text", "gemma3", None):
        found = f"{found} (model_type {model_type!r})"
    raise CheckpointError(
        f"this is not a Gemma 3 language model but {found}",
        where=where,
        remedy="edgekit converts Gemma3ForCausalLM, and the text part of Gemma3ForConditionalGeneration",
    )


def _refuse_quantized(document: Mapping[str, Any], where: Path) -> None:
    quantization = document.get("quantization_config") or document.get("quantization")
    if not quantization:
        return
    method = quantization.get("quant_method", "unnamed") if isinstance(quantization, dict) else "unnamed"
    raise CheckpointError(
        f"the weights are already quantized (quantization_config: {method})",
        where=where,
        remedy="convert the checkpoint in float: merge the adapter into the bf16 base model and save that, "
        "or pass the adapter with --base and the float base",
    )


def _refuse_unsupported(keys: _Keys) -> None:
    bidirectional = keys.values.get("use_bidirectional_attention")
    if bidirectional:
        raise keys.error(
            "use_bidirectional_attention is set: this is an encoder (as EmbeddingGemma), which writes no text"
        )
    if keys.boolean("attention_bias", False):
        raise keys.error("attention_bias is true: Gemma 3 graphs have no biases")


def _layer_types(keys: _Keys, layers: int) -> tuple[str, ...]:
    declared = keys.values.get("layer_types")
    if declared is None:
        spelling = (
            "sliding_window_pattern" if "sliding_window_pattern" in keys.values else "_sliding_window_pattern"
        )
        pattern = keys.integer(spelling, 6)
        return tuple(SLIDING if (layer + 1) % pattern else FULL for layer in range(layers))
    if not isinstance(declared, list) or not all(kind in (SLIDING, FULL) for kind in declared):
        raise keys.error(f'layer_types must be a list of "{SLIDING}" and "{FULL}"')
    if len(declared) != layers:
        raise keys.error(f"layer_types has {len(declared)} entries for num_hidden_layers {layers}")
    return tuple(declared)


def _rope(keys: _Keys) -> tuple[float, float, tuple[tuple[str, str | float], ...] | None]:
    """(base of full layers, base of sliding layers, scaling of full layers) from either spelling."""
    theta = keys.number("rope_theta", 1_000_000.0)
    local_base = keys.number("rope_local_base_freq", 10_000.0)
    scaling = keys.mapping("rope_scaling")
    parameters = keys.mapping("rope_parameters")
    if parameters is not None:
        full = _Keys(parameters, keys.where, "rope_parameters.").mapping(FULL) or {}
        sliding = _Keys(parameters, keys.where, "rope_parameters.").mapping(SLIDING) or {}
        if not full and not sliding and parameters:
            raise keys.error(
                f"rope_parameters has neither {FULL} nor {SLIDING}, so the two bases are not known"
            )
        theta = _Keys(full, keys.where, f"rope_parameters.{FULL}.").number("rope_theta", theta)
        local_base = _Keys(sliding, keys.where, f"rope_parameters.{SLIDING}.").number(
            "rope_theta", local_base
        )
        local_type = sliding.get("rope_type", "default")
        if local_type != "default":
            raise keys.error(
                f"rope_parameters.{SLIDING}.rope_type is {local_type!r}; Gemma 3 scales full-attention only"
            )
        scaling = dict(scaling or {}) | {key: value for key, value in full.items() if key != "rope_theta"}
    return theta, local_base, _scaling(keys, scaling)


def _scaling(keys: _Keys, scaling: Mapping[str, Any] | None) -> tuple[tuple[str, str | float], ...] | None:
    if not scaling:
        return None
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return None
    if not isinstance(kind, str):
        raise keys.error(f"rope_scaling has the type {kind!r}, not a name")
    pairs: dict[str, str | float] = {"rope_type": kind}
    for key, value in scaling.items():
        if key in ("rope_type", "type", "rope_theta") or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise keys.error(f"rope_scaling.{key} is {value!r}, not a number")
        pairs[key] = float(value)
    if kind == "linear" and not float(pairs.get("factor", 0.0)) > 0:
        raise keys.error("rope_scaling is linear but has no positive factor")
    return tuple(sorted(pairs.items()))


class _Keys:
    """Typed reading of a JSON object's keys, with errors that name file and key."""

    def __init__(self, values: Mapping[str, Any], where: Path, prefix: str = "") -> None:
        self.values = values
        self.where = where
        self.prefix = prefix

    def error(self, message: str) -> CheckpointError:
        return CheckpointError(message, where=self.where, remedy=_RESTORE)

    def integer(
        self, key: str, default: int | None = None, *, low: int = 1, high: int = _MAX_DIMENSION
    ) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not an integer from {low} to {high}')
        return value

    def number(self, key: str, default: float) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _NO_BOUND:
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not a positive number')
        return float(value)

    def optional_number(self, key: str) -> float | None:
        return None if self.values.get(key) is None else self.number(key, 1.0)

    def string(self, key: str, default: str) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not a string')
        return value

    def boolean(self, key: str, default: bool) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not true or false')
        return value

    def mapping(self, key: str) -> Mapping[str, Any] | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not an object')
        return value

    def token_id(self, key: str, default: int) -> int | None:
        # Unlike the others, null means something here: there is no such token.
        if key in self.values and self.values[key] is None:
            return None
        return self.integer(key, default, low=0)

    def token_ids(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.values.get(key, list(default))
        ids = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < _MAX_DIMENSION for i in ids):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not a token id or a list of them')
        return tuple(ids)

    def _get(self, key: str, default: Any) -> Any:
        value = self.values.get(key)
        if value is None:
            value = default
        if value is None:
            raise self.error(f'key "{self.prefix}{key}" is missing')
        return value
