"""Trace a Gemma 3 model with random weights into a float TFLite file, with litert-torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from edgekit.families.base import Architecture
from edgekit.graph.format import GraphKey
from edgekit.graph.slots import adapter_slots
from edgekit_converters.gemma3.caches import cache_shapes
from edgekit_converters.gemma3.forward import ADAPTER_ARGUMENT, Forward

_MAX_POSITIONS = 32_768
_DYNAMIC_SAMPLE = 4096
_DYNAMIC_PROMPT = 128


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
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model


def trace(model: Any, key: GraphKey, sizes: Placeholders, directory: Path) -> Path:
    """Trace prefill and decode of a model; gives the path of the TFLite file in `directory`."""
    from litert_torch import fx_infra
    from litert_torch._convert import interface
    from litert_torch.backend.experimental import torch_tfl

    converter = interface.Converter()
    for name, signature, inputs, dimensions in _signatures(model, key, sizes):
        program = torch.export.export(signature, args=(), kwargs=inputs, dynamic_shapes=dimensions)
        program = fx_infra.safe_run_decompositions(program, fx_infra.decomp.pre_lower_decomp())
        program = program.run_decompositions(torch_tfl.decomps)
        converter.add_signature(name, program.module(), sample_kwargs=inputs, dynamic_shapes=dimensions)
    path = directory / "model.tflite"
    converter.convert(lightweight_conversion=False, strict_export=False).export(str(path))
    return path


def _signatures(
    model: Any, key: GraphKey, sizes: Placeholders
) -> Iterator[tuple[str, torch.nn.Module, dict[str, Any], dict[str, Any]]]:
    """Name, module, sample inputs and free dimensions of every signature."""
    prompt = Forward(model, key, "many", logits=key.scoring).eval()
    if key.form == "dynamic":
        tokens = torch.export.Dim("tokens", min=1, max=_MAX_POSITIONS)
        length = torch.export.Dim("cache", max=_MAX_POSITIONS)
        yield "prefill", prompt, *_inputs(key, _DYNAMIC_PROMPT, sizes.kv_length, tokens, length)
    else:
        length = None
        for count in key.prefill_lengths:
            yield f"prefill_{count}", prompt, *_inputs(key, count, sizes.kv_length, None, None)
    decode = Forward(model, key, "one", logits=True).eval()
    yield "decode", decode, *_inputs(key, 1, sizes.kv_length, None, length)


def _inputs(
    key: GraphKey, count: int, kv_length: int, tokens: Any, length: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sample inputs of a signature, and their free dimensions."""
    caches = cache_shapes(key, kv_length)
    precision = torch.float16 if key.kv_precision == "float16" else torch.float32
    inputs: dict[str, Any] = {
        "tokens": torch.ones((1, count), dtype=torch.int32),
        "input_pos": torch.arange(count, dtype=torch.int32),
        "kv_cache": {name: torch.zeros(shape, dtype=precision) for name, (shape, _) in caches.items()},
        "mask": torch.zeros((1, 1, count, kv_length)),
    }
    dimensions: dict[str, Any] = {
        "tokens": {1: tokens},
        "input_pos": {0: tokens},
        "kv_cache": {name: {} if axis is None else {axis: length} for name, (_, axis) in caches.items()},
        "mask": {2: tokens, 3: length},
    }
    if key.adapters is not None:
        slots = adapter_slots(key.architecture, key.adapters.targets)
        samples = {
            name.removeprefix(f"{ADAPTER_ARGUMENT}_"): torch.zeros(shape)
            for slot in slots
            for name, shape in zip((slot.down, slot.up), slot.shapes(key.adapters.rank), strict=True)
        }
        inputs[ADAPTER_ARGUMENT] = samples
        dimensions[ADAPTER_ARGUMENT] = dict.fromkeys(samples)
    return inputs, dimensions


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
