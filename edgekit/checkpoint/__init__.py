"""What comes in: a fine-tuned Gemma 3 checkpoint, opened without reading its weights.

`open_checkpoint` takes a directory, a Hub id or a LoRA adapter and returns a `Checkpoint`: the architecture,
and every tensor under its name in `Gemma3ForCausalLM`, read from a memory map when it is needed.
"""

from __future__ import annotations

from edgekit.checkpoint.adapter import AdapterConfig
from edgekit.checkpoint.config import Gemma3Config, expected_shapes, read_config
from edgekit.checkpoint.opening import Checkpoint, digest, open_checkpoint, source_files
from edgekit.checkpoint.tensors import WeightTensor, check_finite

__all__ = [
    "AdapterConfig",
    "Checkpoint",
    "Gemma3Config",
    "WeightTensor",
    "check_finite",
    "digest",
    "expected_shapes",
    "open_checkpoint",
    "read_config",
    "source_files",
]
