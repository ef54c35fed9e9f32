"""What comes in: a fine-tuned Gemma 3 checkpoint, opened without reading its weights.

`open_checkpoint` takes a directory, a Hub id or a LoRA adapter and returns a `Checkpoint`: the architecture,
and every tensor under its name in `Gemma3ForCausalLM`, read from a memory map when it is needed.
"""

from __future__ import annotations

from edgekit.checkpoint.lora.config import AdapterConfig
from edgekit.checkpoint.open import Checkpoint, digest, open_checkpoint, source_files
from edgekit.checkpoint.safetensors import WeightTensor, check_finite

__all__ = [
    "AdapterConfig",
    "Checkpoint",
    "WeightTensor",
    "check_finite",
    "digest",
    "open_checkpoint",
    "source_files",
]
