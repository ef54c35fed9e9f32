"""Trace a Gemma 3 model with random weights into a float TFLite file, with litert-torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from edgekit.graph.adapters import adapter_slots, layer_sizes
from edgekit.graph.format import KEY_SEQUENCE_AXIS, VALUE_SEQUENCE_AXIS, Architecture, GraphKey

_MAX_POSITIONS = 32_768
_DYNAMIC_SAMPLE = 4096


@dataclass(frozen=True)
class Placeholders:
    """Sizes that stand in the traced file for those a user chooses: each occurs nowhere else in it."""

    vocabulary: int
    kv_length: int


def placeholders(key: GraphKey) -> Placeholders:
    """Two primes that no product of the architecture's sizes meets; small, to trace fast."""
    architecture = key.architecture
    largest = max(architecture.hidden_size, architecture.intermediate_size, *key.prefill_lengths, 1024)
    vocabulary = _next_prime(largest + 1000)
    if key.form == "dynamic":
        return Placeholders(vocabulary, _DYNAMIC_SAMPLE)
    return Placeholders(vocabulary, _next_prime(vocabulary + 100))


def random_model(architecture: Architecture, vocabulary: int) -> Any:
    """A Gemma 3 model in which no two tensors are equal.

    Freshly made norms are all alike, and the converter merges equal constants: random values keep each
    tensor recognisable.
    """
    from litert_torch.generative.export_hf.core import attention  # noqa: F401 (registers the attention)
    from litert_torch.generative.export_hf.model_ext import patches

    config = transformers.Gemma3TextConfig(
        vocab_size=vocabulary,
        hidden_size=architecture.hidden_size,
        intermediate_size=architecture.intermediate_size,
        num_hidden_layers=len(architecture.layer_types),
        num_attention_heads=architecture.num_attention_heads,
        num_key_value_heads=architecture.num_key_value_heads,
        head_dim=architecture.head_dim,
        layer_types=list(architecture.layer_types),
        sliding_window=architecture.sliding_window,
        query_pre_attn_scalar=architecture.query_pre_attn_scalar,
        rms_norm_eps=architecture.rms_norm_eps,
        hidden_activation=architecture.hidden_activation,
        rope_parameters=_rope_parameters(architecture),
        tie_word_embeddings=architecture.tied_embedding,
        max_position_embeddings=_MAX_POSITIONS,
        pad_token_id=0,
        use_bidirectional_attention=False,
    )
    config._attn_implementation = "lrt_transposed_attention"
    with patches.get_patch_context(config.model_type):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    model.generation_config.cache_implementation = "static"
    return model


def trace(model: Any, key: GraphKey, sizes: Placeholders, directory: Path) -> Path:
    """Trace prefill and decode of a model; gives the path of the TFLite file in `directory`."""
    from litert_torch.generative.export_hf.core import export_lib
    from litert_torch.generative.export_hf.core.exportable_module_config import ExportableModuleConfig

    config = ExportableModuleConfig(
        model="gemma3",
        output_dir=str(directory),
        work_dir=str(directory),
        quantization_recipe=None,
        enable_dynamic_shape=key.form == "dynamic",
        prefill_lengths=list(key.prefill_lengths) or [128],
        cache_length=sizes.kv_length,
        k_ts_idx=KEY_SEQUENCE_AXIS,
        v_ts_idx=VALUE_SEQUENCE_AXIS[key.form],
        prefill_logits=key.scoring,
    )
    if key.scoring:
        model.register_forward_pre_hook(_keep_all_logits, with_kwargs=True)
        model.lm_head.register_forward_pre_hook(_without_batch)
    _choose_signatures(model, key, config)
    source = export_lib.SourceModelArtifacts(
        model=model, model_config=model.config, text_model_config=model.config, tokenizer=None
    )
    config = export_lib.update_export_config(config, source)
    exported = export_lib.export_text_prefill_decode_model(
        source, config, export_lib.ExportedModelArtifacts()
    )
    return Path(exported.prefill_decode_model_path)


def _choose_signatures(model: Any, key: GraphKey, config: Any) -> None:
    """Let the exporter use our caches and signatures: it finds a cache by name and has no such hook for signatures."""
    from litert_torch.generative.export_hf.core import export_lib

    from edgekit_converters.gemma3 import adapters

    signatures = adapters.PLAIN
    if key.cache == "window":
        from edgekit_converters.gemma3 import ring

        config.cache_implementation = ring.RingCache.__name__
        ring.RingCache.ring_length = key.architecture.ring_length
        signatures = (ring.RingPrefill, ring.RingDecode)
    if key.adapters is not None:
        slots = adapter_slots(layer_sizes(key.architecture), key.adapters.targets)
        signatures = adapters.adapted(model, slots, key.adapters.rank, signatures)
    export_lib.get_prefill_decode_exportable_cls = lambda *_: signatures


def _keep_all_logits(_: Any, arguments: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The exporter keeps the logits of a prompt's last token only; Transformers takes 0 for all of them."""
    return arguments, {**options, "logits_to_keep": 0}


def _without_batch(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Make logits of shape (tokens, vocabulary): three dimensions, one of them free, take a reshape whose target
    shape would hold the vocabulary's size as a constant, where no linker looks."""
    return (arguments[0][0],)


def _rope_parameters(architecture: Architecture) -> dict[str, Any]:
    full: dict[str, Any] = {"rope_type": "default", "rope_theta": architecture.rope_theta}
    if architecture.rope_scaling_factor != 1.0:
        full |= {"rope_type": "linear", "factor": architecture.rope_scaling_factor}
    return {
        "full_attention": full,
        "sliding_attention": {"rope_type": "default", "rope_theta": architecture.rope_local_base_freq},
    }


def _next_prime(start: int) -> int:
    candidate = start
    while any(candidate % divisor == 0 for divisor in range(2, int(candidate**0.5) + 1)):
        candidate += 1
    return candidate
