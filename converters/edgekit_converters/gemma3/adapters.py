"""Adapter inputs: every projection of the traced model adds what two further inputs of its signature make of x.

The inputs are those of `edgekit.graph.adapters`; they are the same in prefill and decode, and of fixed shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from litert_torch.generative.export_hf.core import exportable_module

from edgekit.graph.adapters import AdapterSlot

PLAIN = (
    exportable_module.LiteRTExportableModuleForDecoderOnlyLMPrefill,
    exportable_module.LiteRTExportableModuleForDecoderOnlyLMGenerate,
)
"""The exporter's own signatures, without adapter inputs."""

_PREFIX = "lora_"
"""The exporter names an input by its argument and its key there: `lora` and the rest."""


def adapted(
    model: Any, slots: Sequence[AdapterSlot], rank: int, signatures: tuple[type, type] = PLAIN
) -> tuple[type, type]:
    """Hook an adapter into a model, and give signatures that take it as inputs."""
    given: dict[str, torch.Tensor] = {}
    for slot in slots:
        model.get_submodule(slot.module).register_forward_hook(_adding(slot, given))
    samples = {
        name.removeprefix(_PREFIX): torch.zeros(shape)
        for slot in slots
        for name, shape in zip((slot.down, slot.up), slot.shapes(rank), strict=True)
    }

    class Adapted:
        def get_sample_inputs(self, model_config: Any, **options: Any) -> Any:
            signatures = super().get_sample_inputs(model_config, **options)  # type: ignore[misc]
            for inputs, dynamic in signatures.values():
                inputs["lora"] = dict(samples)
                if dynamic:
                    dynamic["lora"] = dict.fromkeys(samples)
            return signatures

        def forward(
            self, tokens: Any, input_pos: Any, kv_cache: Any, mask: Any, lora: dict[str, torch.Tensor]
        ) -> Any:
            given.update({_PREFIX + name: values for name, values in lora.items()})
            return super().forward(tokens, input_pos, kv_cache, mask)  # type: ignore[misc]

    prefill, decode = (type(f"Adapted{kind.__name__}", (Adapted, kind), {}) for kind in signatures)
    return prefill, decode


def _adding(
    slot: AdapterSlot, given: dict[str, torch.Tensor]
) -> Callable[[Any, Any, torch.Tensor], torch.Tensor]:
    def add(_: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        narrow = torch.nn.functional.linear(inputs[0], given[slot.down])
        return output + narrow @ given[slot.up]

    return add
