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
from pathlib import Path
from typing import Any

from edgekit.errors import CheckpointError
from edgekit.families.base import (
    EMBEDDING,
    FULL,
    HEAD,
    SLIDING,
    Architecture,
    Document,
    Family,
    FoldSite,
    Shape,
)
from edgekit.families.keys import RESTORE, Keys, refuse_quantized

NAME = "gemma3"

GEMMA_3_270M = Architecture(
    hidden_size=640,
    intermediate_size=2048,
    num_attention_heads=4,
    num_key_value_heads=1,
    head_dim=256,
    layer_types=((SLIDING,) * 5 + (FULL,)) * 3,
    sliding_window=512,
    query_pre_attn_scalar=256,
    rms_norm_eps=1e-6,
    hidden_activation="gelu_pytorch_tanh",
    rope_theta=1_000_000.0,
    rope_local_base_freq=10_000.0,
    rope_scaling_factor=1.0,
    tied_embedding=True,
    family=NAME,
    vocab_size=262_144,
    max_position_embeddings=32_768,
)

_TEXT_CLASSES = {"Gemma3ForCausalLM", "Gemma3TextModel"}
_CONDITIONAL_CLASSES = {"Gemma3ForConditionalGeneration", "Gemma3Model"}
_MAX_LAYERS = 1024  # far above any Gemma 3 (62); keeps a damaged number from filling the memory with names


def read(document: Document, where: Path) -> Architecture:
    """Make an architecture of a parsed config.json; `where` is the file that errors name.

    Raises CheckpointError for bidirectional attention, biases, soft caps, and rotary scaling that is not linear.
    """
    conditional = _is_conditional(document, where)
    text: Mapping[str, Any] = document
    if conditional:
        nested = document.get("text_config")
        if not isinstance(nested, dict):
            raise CheckpointError(
                "has no text_config, where Gemma3ForConditionalGeneration describes its text model",
                where=where,
                remedy=RESTORE,
            )
        text = nested
    refuse_quantized(text, where)
    keys = Keys(text, where)
    _refuse_unsupported(keys)
    for key, gemmas in (
        ("query_pre_attn_scalar", 256),
        ("rms_norm_eps", 1e-6),
        ("tie_word_embeddings", True),
        ("hidden_activation", "gelu_pytorch_tanh"),
    ):
        keys.refuse_null(key, gemmas)
    layers = keys.integer("num_hidden_layers", high=_MAX_LAYERS)
    heads = keys.integer("num_attention_heads", 8)
    kv_heads = keys.integer("num_key_value_heads", 4)
    if heads % kv_heads:
        raise keys.error(
            f"num_attention_heads ({heads}) is not a multiple of num_key_value_heads ({kv_heads})"
        )
    theta, local_base, factor = _rope(keys)
    layer_types = _layer_types(keys, layers)
    no_window = SLIDING not in layer_types and text.get("sliding_window") is None
    outer = Keys(document, where)
    return Architecture(
        hidden_size=keys.integer("hidden_size"),
        intermediate_size=keys.integer("intermediate_size"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=keys.integer("head_dim", 256),
        layer_types=layer_types,
        sliding_window=4096 if no_window else keys.integer("sliding_window", 4096),
        query_pre_attn_scalar=int(keys.number("query_pre_attn_scalar", 256.0)),
        rms_norm_eps=keys.number("rms_norm_eps", 1e-6),
        hidden_activation=keys.string("hidden_activation", "gelu_pytorch_tanh"),
        rope_theta=theta,
        rope_local_base_freq=local_base,
        rope_scaling_factor=factor,
        # The model that was saved decides the tie, so the outer value goes before the text model's.
        tied_embedding=outer.boolean("tie_word_embeddings", keys.boolean("tie_word_embeddings", True)),
        family=NAME,
        vocab_size=keys.integer("vocab_size", 262_208),
        max_position_embeddings=keys.integer("max_position_embeddings", 131_072),
        conditional=conditional,
    )


def tensors(architecture: Architecture) -> dict[str, Shape]:
    """Name and shape of every tensor of the model, in the model's order.

    Names are those of Transformers' `Gemma3ForCausalLM`; matrices are (out, in), norms (features,).
    `lm_head.weight` comes last and only when the head is not tied to the embedding.
    """
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    queries, keys = architecture.query_size, architecture.key_size
    shapes: dict[str, Shape] = {EMBEDDING: (architecture.vocab_size, hidden)}
    for layer in range(architecture.layers):
        prefix = f"model.layers.{layer}"
        shapes |= {
            f"{prefix}.input_layernorm.weight": (hidden,),
            f"{prefix}.self_attn.q_proj.weight": (queries, hidden),
            f"{prefix}.self_attn.k_proj.weight": (keys, hidden),
            f"{prefix}.self_attn.v_proj.weight": (keys, hidden),
            f"{prefix}.self_attn.q_norm.weight": (architecture.head_dim,),
            f"{prefix}.self_attn.k_norm.weight": (architecture.head_dim,),
            f"{prefix}.self_attn.o_proj.weight": (hidden, queries),
            f"{prefix}.post_attention_layernorm.weight": (hidden,),
            f"{prefix}.pre_feedforward_layernorm.weight": (hidden,),
            f"{prefix}.mlp.gate_proj.weight": (inner, hidden),
            f"{prefix}.mlp.up_proj.weight": (inner, hidden),
            f"{prefix}.mlp.down_proj.weight": (hidden, inner),
            f"{prefix}.post_feedforward_layernorm.weight": (hidden,),
        }
    shapes["model.norm.weight"] = (hidden,)
    if not architecture.tied_embedding:
        shapes[HEAD] = (architecture.vocab_size, hidden)
    return shapes


def canonical(stored: str) -> str:
    """Take the wrappers off a stored name: `base_model.model.model.layers.0…` → `model.layers.0…`.

    Tools wrap a model in modules of their own, and each wrapper puts its name before (torch.compile: `_orig_mod`,
    DataParallel: `module`, PEFT: `base_model.model`, the vision model: `language_model`) or in between
    (`base_layer`). All of them only say how a model was wrapped, so all are taken away; what is left is the
    tensor's place in the model. Names that are not of a Gemma 3 text model come out stripped but otherwise as they are.
    """
    parts = [part for part in stored.split(".") if part not in _WRAPPERS_ANYWHERE]
    while len(parts) > 1 and parts[0] in _WRAPPERS_BEFORE:
        del parts[0]
    if "modules_to_save" in parts:  # PEFT's trained copy: embed_tokens.modules_to_save.default.weight
        parts.remove("modules_to_save")
    if len(parts) > 2 and parts[-2] == "default" and parts[-1] == "weight":
        del parts[-2]
    core = ".".join(parts)
    return core if parts[0] == "lm_head" or left_out(core) else f"model.{core}"


def left_out(name: str) -> bool:
    """Tell whether a tensor or module belongs to a tower for pictures or sound, or to its projector."""
    return bool(_VISION.intersection(name.split(".")))


def folds(architecture: Architecture) -> tuple[FoldSite, ...]:
    """Every exact site of a Gemma 3 (derived from modeling_gemma3.py).

    Not among them, since they are not exact: rows of q and k (their norms mix the head's channels), rows of gate (GELU
    is not homogeneous), rows of o and down (the norms behind them absorb only one number for all channels).
    """
    hidden, groups = architecture.hidden_size, architecture.num_key_value_heads
    sites = []
    for layer in range(architecture.layers):
        prefix = f"model.layers.{layer}"

        def names(*projections: str, prefix: str = prefix) -> tuple[str, ...]:
            return tuple(f"{prefix}.{projection}_proj.weight" for projection in projections)

        queries = names("self_attn.q", "self_attn.k", "self_attn.v")
        gates = names("mlp.gate", "mlp.up")
        (values,), (output,), (up,), (down,) = map(
            names, ("self_attn.v", "self_attn.o", "mlp.up", "mlp.down")
        )
        repeats = architecture.num_attention_heads // groups
        sites += [
            FoldSite(f"{prefix}: norm to q, k, v", f"{prefix}.input_layernorm.weight", queries, hidden),
            FoldSite(f"{prefix}: v to o", values, (output,), architecture.key_size, groups, repeats),
            FoldSite(
                f"{prefix}: norm to gate, up", f"{prefix}.pre_feedforward_layernorm.weight", gates, hidden
            ),
            FoldSite(f"{prefix}: up to down", up, (down,), architecture.intermediate_size),
        ]
    if not architecture.tied_embedding:
        sites.append(FoldSite("norm to head", "model.norm.weight", (HEAD,), hidden))
    return tuple(sites)


def _is_conditional(document: Document, where: Path) -> bool:
    """Tell Gemma3ForConditionalGeneration from Gemma3ForCausalLM; refuse what has another head."""
    declared = document.get("architectures") or []
    classes = [declared] if isinstance(declared, str) else declared
    if not classes:
        return bool(document.get("model_type") == "gemma3")
    if _TEXT_CLASSES.intersection(classes):
        return False
    if _CONDITIONAL_CLASSES.intersection(classes):
        return True
    raise CheckpointError(
        f"this is not a Gemma 3 language model but {', '.join(classes)}",
        where=where,
        remedy="edgekit converts Gemma3ForCausalLM, and the text part of Gemma3ForConditionalGeneration",
    )


def _refuse_unsupported(keys: Keys) -> None:
    for cap in ("attn_logit_softcapping", "final_logit_softcapping"):
        if keys.values.get(cap) is not None:
            raise keys.error(f"{cap} is set: Gemma 3 has no soft caps, and its graph computes none")
    bidirectional = keys.values.get("use_bidirectional_attention")
    if bidirectional:
        raise keys.error(
            "use_bidirectional_attention is set: this is an encoder (as EmbeddingGemma), which writes no text"
        )
    if keys.boolean("attention_bias", False):
        raise keys.error("attention_bias is true: Gemma 3 graphs have no biases")


def _layer_types(keys: Keys, layers: int) -> tuple[str, ...]:
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


def _rope(keys: Keys) -> tuple[float, float, float]:
    """(base of full layers, base of sliding layers, linear scaling of full layers) from either spelling."""
    theta = keys.number("rope_theta", 1_000_000.0)
    local_base = keys.number("rope_local_base_freq", 10_000.0)
    scaling = keys.mapping("rope_scaling")
    parameters = keys.mapping("rope_parameters")
    if parameters is not None:
        full = Keys(parameters, keys.where, "rope_parameters.").mapping(FULL) or {}
        sliding = Keys(parameters, keys.where, "rope_parameters.").mapping(SLIDING) or {}
        if not full and not sliding and parameters:
            raise keys.error(
                f"rope_parameters has neither {FULL} nor {SLIDING}, so the two bases are not known"
            )
        theta = Keys(full, keys.where, f"rope_parameters.{FULL}.").number("rope_theta", theta)
        local_base = Keys(sliding, keys.where, f"rope_parameters.{SLIDING}.").number("rope_theta", local_base)
        local_type = sliding.get("rope_type", "default")
        if local_type != "default":
            raise keys.error(
                f"rope_parameters.{SLIDING}.rope_type is {local_type!r}; Gemma 3 scales full-attention only"
            )
        scaling = dict(scaling or {}) | {key: value for key, value in full.items() if key != "rope_theta"}
    return theta, local_base, _scaling(keys, scaling)


def _scaling(keys: Keys, scaling: Mapping[str, Any] | None) -> float:
    if not scaling:
        return 1.0
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return 1.0
    if kind != "linear":
        raise keys.error(f"rope_scaling has the type {kind!r}; the graph computes only linear scaling")
    factor = scaling.get("factor")
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
        raise keys.error(f"rope_scaling is linear but has no positive factor ({factor!r})")
    return float(factor)


_WRAPPERS_BEFORE = {"module", "model", "base_model", "language_model"}
_WRAPPERS_ANYWHERE = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "base_layer"}
_VISION = {"vision_tower", "multi_modal_projector", "vision_model", "embed_vision"} | {
    "audio_tower",
    "audio_model",
    "embed_audio",
}

_LAYER, _BLOCK = "model.layers.{n}.", "blk.{n}."
_GGUF = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}

FAMILY = Family(
    name=NAME,
    title="Gemma 3",
    model_types=frozenset({"gemma3_text", "gemma3"}),
    classes=frozenset(_TEXT_CLASSES | _CONDITIONAL_CLASSES),
    read=read,
    tensors=tensors,
    canonical=canonical,
    left_out=left_out,
    gguf_names={
        "token_embd.weight": EMBEDDING,
        **{f"{_BLOCK}{theirs}.weight": f"{_LAYER}{ours}.weight" for theirs, ours in _GGUF.items()},
        "output_norm.weight": "model.norm.weight",
        "output.weight": HEAD,
    },
    folds=folds,
)
