"""Sliding layers that keep a ring: the last positions, however long the text.

A ring of R slots holds position p in slot p mod R. Which position a slot holds follows from the next position to be
written alone, so no counter is part of the state, and taking back up to R - window tokens leaves a ring that still
has every position that the window can reach: the ones written since are exactly those that it cannot.

    decode    writes one slot in place and attends to the ring
    prefill   attends to the ring as it was and to the prompt behind it, then keeps of both what comes last;
              so a prompt may be longer than the ring
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import litert_torch.backend.experimental.torch_tfl  # noqa: F401 (registers torch.ops.tfl)
import litert_torch.generative.custom_ops.dynamic_update_slice as slices
import torch
from litert_torch.generative.export_hf.core import cache, cache_base, exportable_module
from torch.utils import _pytree as pytree

_BLOCKED = -1e4
"""Added to the scores of positions that must not be seen, as in the exporter's own sliding masks."""

_NEVER = -(1 << 24)
"""The position of a slot that was never written: out of every window's reach."""

_SEQUENCE_AXIS = 2


@dataclass(frozen=True)
class Append:
    """Where one step's keys and values go: decode has a slot, prefill for every slot a row of ring + prompt."""

    slot: torch.Tensor | None = None
    rows: torch.Tensor | None = None


class RingLayer(cache.LiteRTLMCacheLayer):  # type: ignore[misc]
    """The cache of a sliding layer: keys and values of shape (1, heads, ring, head_dim)."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take in a step's keys and values; gives what its queries attend to."""
        append: Append = self.get_cache_runtime_args()["append"]
        keys, self.keys = _append(self.keys, key_states, append)
        values, self.values = _append(self.values, value_states, append)
        return keys, values


class RingCache(cache.LiteRTLMCache):  # type: ignore[misc]
    """Rings for sliding layers, every position for the others."""

    ring_length: ClassVar[int]

    @classmethod
    def create_from_config(cls, model_config: Any, export_config: Any, **options: Any) -> RingCache:
        """Make an empty cache; the exporter calls this by the class's name."""
        layers = []
        for index, kind in enumerate(model_config.layer_types):
            layer = cache.LiteRTLMCacheLayer.create_from_config(model_config, index, export_config, **options)
            if kind == "sliding_attention":
                keys, values = (t[:, :, : cls.ring_length].clone() for t in (layer.keys, layer.values))
                layer = RingLayer(keys, values, kind, k_ts_idx=_SEQUENCE_AXIS, v_ts_idx=_SEQUENCE_AXIS)
            layers.append(layer)
        return cls(layers)


class _Ring:
    """What both signatures have in common: rings of a fixed length among caches of a free one."""

    def get_sample_kv_cache(self, model_config: Any) -> Any:
        inputs, dynamic = super().get_sample_kv_cache(model_config)  # type: ignore[misc]
        for index, layer in enumerate(inputs["kv_cache"].layers):
            if isinstance(layer, RingLayer):
                dynamic["kv_cache"][2 * index : 2 * index + 2] = [None, None]
        return inputs, dynamic

    def adapt_inputs(
        self, tokens: Any, embeddings: Any, input_pos: torch.Tensor, kv_cache: Any, mask: Any, **options: Any
    ) -> Any:
        window = self.model.config.sliding_window  # type: ignore[attr-defined]
        options["local_mask"], append = self.ring_step(input_pos, window, kv_cache.ring_length)  # type: ignore[attr-defined]
        adapted = super().adapt_inputs(tokens, embeddings, input_pos, kv_cache, mask, **options)  # type: ignore[misc]
        kv_cache.set_cache_runtime_args({"cache_position": input_pos, "append": append})
        return adapted


class RingPrefill(_Ring, exportable_module.LiteRTExportableModuleForDecoderOnlyLMPrefill):  # type: ignore[misc]
    """The prefill signature."""

    @staticmethod
    def ring_step(positions: torch.Tensor, window: int, length: int) -> tuple[torch.Tensor, Append]:
        """The sliding mask over ring and prompt, and which of their rows the new ring is made of."""
        slots = torch.arange(length, dtype=torch.int32)
        first, last = positions[:1], positions[-1:]
        held = _held(slots, first - 1, length)
        keys = torch.cat([torch.where(held < 0, _NEVER, held), positions])[None, :]
        queries = positions[:, None]
        seen = (keys < queries + 1) & (keys > queries - window)
        will_hold = _held(slots, last, length)
        rows = torch.where(will_hold >= first, will_hold - first + length, slots)
        return _additive(seen), Append(rows=rows)


class RingDecode(_Ring, exportable_module.LiteRTExportableModuleForDecoderOnlyLMGenerate):  # type: ignore[misc]
    """The decode signature."""

    @staticmethod
    def ring_step(positions: torch.Tensor, window: int, length: int) -> tuple[torch.Tensor, Append]:
        """The sliding mask over the ring with the new token in it, and the token's slot."""
        slots = torch.arange(length, dtype=torch.int32)
        held = _held(slots, positions, length)
        seen = (held >= 0) & (positions - held < window)
        return _additive(seen[None, :]), Append(slot=_slot(positions, length))


def _held(slots: torch.Tensor, last: torch.Tensor, length: int) -> torch.Tensor:
    """The position that each slot holds when `last` was the latest written; negative where none was."""
    behind = _slot(last, length) - slots
    return last - torch.where(behind < 0, behind + length, behind)


def _slot(position: torch.Tensor, length: int) -> torch.Tensor:
    # Of two tensors: with a plain number the exporter makes 64 bits of the result.
    return torch.remainder(position, torch.full((1,), length, dtype=torch.int32))


def _additive(seen: torch.Tensor) -> torch.Tensor:
    blocked = torch.full_like(seen, _BLOCKED, dtype=torch.float32)
    return torch.where(seen, torch.zeros_like(seen, dtype=torch.float32), blocked)[None, None]


def _append(ring: torch.Tensor, new: torch.Tensor, append: Append) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives what to attend to, and the ring to keep."""
    if append.slot is not None:
        zero = torch.zeros((1,), dtype=torch.int32)
        start = torch.cat([zero, zero, append.slot, zero])
        ring = slices.dynamic_update_slice(ring, new, list(start))
        return ring, ring
    both = torch.cat([ring, new], dim=_SEQUENCE_AXIS)
    # Not index_select: what the exporter makes of that knows no free dimensions.
    return both, torch.ops.tfl.gather(both, append.rows, _SEQUENCE_AXIS)


def _unflatten(values: Any, context: Any) -> RingCache:
    names, (_, _, key_axis, value_axis, kinds) = context
    by_name = dict(zip(names, values, strict=True))
    return RingCache(
        [
            (RingLayer if kind == "sliding_attention" else cache.LiteRTLMCacheLayer)(
                by_name[f"k_{index}"], by_name[f"v_{index}"], kind, k_ts_idx=key_axis, v_ts_idx=value_axis
            )
            for index, kind in enumerate(kinds)
        ]
    )


cache_base.register_cache_implementation(RingCache)
pytree.register_pytree_node(
    RingCache,
    cache._flatten_kvc_t,
    _unflatten,
    flatten_with_keys_fn=cache._flatten_kvc_t_with_keys,
    serialized_type_name="",
)
