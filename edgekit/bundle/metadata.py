"""LlmMetadata and ExecutorMetadata: what the engine is told about the model beside its weights.

Sources: `llm_metadata.proto`, `executor_metadata.proto` of LiteRT-LM (as compiled into litert-lm-builder 0.18.1), and
what the engine 0.18.1 was seen to do with each field; docs/design/text.md tells how it was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.families.base import SLIDING, Architecture
from edgekit.graph.format import KEY_SEQUENCE_AXIS, VALUE_SEQUENCE_AXIS, Form
from edgekit.text.dialects import dialect_of
from edgekit.text.settle import Text

if TYPE_CHECKING:
    from litert_lm_builder.runtime.proto.executor_metadata_pb2 import ExecutorMetadata
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

MIN_RUNTIME_VERSION = "0.11.0"
"""The oldest runtime that was seen to open and run such bundles (the Gallery 1.0.18 has it). No engine enforces it."""

MIN_RUNTIME_VERSION_WINDOW = "0.18.1"
"""Of bundles whose sliding layers keep a ring: 0.11.0 refuses them, the releases between were not tried."""

MIN_RUNTIME_VERSION_ADAPTERS = "0.14.0"
"""Of bases that take adapters: the first release tried that can be given a sidecar (docs/design/adapters.md)."""


def build_llm_metadata(
    text: Text, *, kv_length: int, min_runtime_version: str = MIN_RUNTIME_VERSION
) -> LlmMetadata:
    """Build the LlmMetadata of a bundle; serialize it with `serialize`.

    kv_length: tokens that a conversation may hold. The engine takes it as its limit unless the application sets
        another one; a dynamic graph grows its caches up to it.
    """
    from google.protobuf import json_format
    from litert_lm_builder.runtime.proto import llm_metadata_pb2, sampler_params_pb2

    metadata = llm_metadata_pb2.LlmMetadata()
    if text.start_id is not None:
        metadata.start_token.token_ids.ids.append(text.start_id)
    for token_id in text.stop_ids:
        metadata.stop_tokens.add().token_ids.ids.append(token_id)
    if text.tokenizer.pad_id is not None:
        metadata.pad_token.token_ids.ids.append(text.tokenizer.pad_id)

    # The CPU engine implements no other type: with GREEDY or TOP_K every message fails with UNIMPLEMENTED. Greedy
    # is the best of one.
    greedy = text.sampler.kind == "greedy"
    metadata.sampler_params.type = sampler_params_pb2.SamplerParameters.TOP_P
    metadata.sampler_params.k = 1 if greedy else text.sampler.top_k
    metadata.sampler_params.p = 1.0 if greedy else text.sampler.top_p
    metadata.sampler_params.temperature = 1.0 if greedy else text.sampler.temperature

    metadata.max_num_tokens = kv_length
    model_type = dialect_of(text).model_type(text)
    told = getattr(metadata.llm_model_type, model_type.name)
    told.SetInParent()
    json_format.ParseDict(dict(model_type.fields), told)
    metadata.jinja_prompt_template = text.device.source
    metadata.min_runtime_version = min_runtime_version
    return metadata


def build_executor_metadata(
    architecture: Architecture, *, form: Form, kv_length: int, ring_length: int | None = None
) -> ExecutorMetadata:
    """Build the ExecutorMetadata: each layer's cache, by name, and how long it may become.

    form: of the graph, which decides the layout of the value caches.
    kv_length: positions that a layer may hold.
    ring_length: positions that a sliding layer keeps; None when it keeps all of them, masked.
    Rings need this section: without it the CPU engine 0.18.1 treats all caches like the first. Full caches run the
    same without it, and with wrong lengths in it; other backends may not.
    """
    from litert_lm_builder.runtime.proto import executor_metadata_pb2

    metadata = executor_metadata_pb2.ExecutorMetadata()
    executor = metadata.llm_executor_metadata
    kinds = executor_metadata_pb2.StateBuffer
    for layer, layer_type in enumerate(architecture.layer_types):
        local = ring_length is not None and layer_type == SLIDING
        key_kind = kinds.TYPE_LOCAL_KEY_CACHE if local else kinds.TYPE_GLOBAL_KEY_CACHE
        value_kind = kinds.TYPE_LOCAL_VALUE_CACHE if local else kinds.TYPE_GLOBAL_VALUE_CACHE
        for name, kind, axis in (
            (f"kv_cache_k_{layer}", key_kind, KEY_SEQUENCE_AXIS),
            (f"kv_cache_v_{layer}", value_kind, VALUE_SEQUENCE_AXIS[form]),
        ):
            executor.state_buffers.add(
                prefill_input_name=name,
                prefill_output_name=name,
                decode_input_name=name,
                decode_output_name=name,
                policy=kinds.POLICY_DEFAULT,
                type=kind,
                sequence_axis=axis,
                maximum_sequence_length=ring_length if local else kv_length,
                minimum_sequence_length=architecture.sliding_window if local else None,
            )
    # How far the engine may go back: what was written over in a ring is gone.
    executor.max_history_size = (
        kv_length if ring_length is None else ring_length - architecture.sliding_window
    )
    return metadata


def serialize(metadata: LlmMetadata | ExecutorMetadata) -> bytes:
    """Serialize a metadata message to the same bytes every time."""
    return bytes(metadata.SerializeToString(deterministic=True))
