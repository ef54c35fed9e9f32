"""What `edgekit inspect` finds in a bundle, as records."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.container import MetadataValue
from edgekit.bundle.manifest import Manifest, to_json
from edgekit.bundle.tflite import ModelSummary
from edgekit.records.codec import plain
from edgekit.results import raise_if_failed

PARTS: Final = (
    "embedding",
    "attention",
    "mlp",
    "norms",
    "other constants",
    "graph",
    "tokenizer",
    "metadata",
    "other sections",
    "padding",
)
"""What a file's size is divided into; metadata includes the container's header."""


@dataclass(frozen=True)
class SectionSummary:
    """A section: its number and kind, where it lies (byte offsets, end exclusive), its metadata."""

    index: int
    kind: str
    begin: int
    end: int
    size: int
    metadata: Mapping[str, MetadataValue]


@dataclass(frozen=True)
class TokenSummary:
    """A token, or several in a row: ids (empty when the file gives only a text) and text (None when not
    known)."""

    ids: tuple[int, ...]
    text: str | None


@dataclass(frozen=True)
class SamplerSummary:
    """The default sampling."""

    kind: str
    temperature: float
    top_k: int
    top_p: float


@dataclass(frozen=True)
class LlmSummary:
    """The LLM metadata: what the engine is told besides the model.

    model_type: the engine's name for the family, None when unset.
    max_num_tokens: the most tokens of prompt and answer together, 0 when unset.
    template_length: characters of the chat template, None without one.
    """

    model_type: str | None
    max_num_tokens: int
    start_token: TokenSummary | None
    pad_token: TokenSummary | None
    stop_tokens: tuple[TokenSummary, ...]
    sampler: SamplerSummary | None
    template_length: int | None
    template_sha256: str | None
    minimum_runtime: str | None


@dataclass(frozen=True)
class TokenizerSummary:
    """The tokenizer: `SentencePiece` or `Hugging Face (BPE)`, bytes in the file, number of pieces."""

    kind: str
    size: int
    pieces: int


@dataclass(frozen=True)
class Summary:
    """All that `inspect` finds.

    container_version: None for a bare .tflite file. parts: bytes per part, in the order of PARTS; together
    the file's size. kv_length: the most tokens of prompt and answer together, as the manifest, the LLM
    metadata or the model says. size_matches, digest_matches: whether the file is the one that the manifest
    describes; None without a manifest.
    """

    path: Path
    size: int
    sha256: str
    container_version: str | None
    system_metadata: Mapping[str, MetadataValue]
    sections: tuple[SectionSummary, ...]
    llm: LlmSummary | None
    tokenizer: TokenizerSummary | None
    models: tuple[ModelSummary, ...]
    parts: Mapping[str, int]
    kv_length: int | None
    manifest: Manifest | None
    size_matches: bool | None
    digest_matches: bool | None

    @property
    def trimmed_bytes(self) -> int | None:
        """Bytes that the embedding's removed rows would take; None when the vocabulary is whole or not known."""
        vocabulary = None if self.manifest is None else self.manifest.vocabulary
        if self.manifest is None or vocabulary is None:
            return None
        kept = self.manifest.architecture.vocab_size
        return self.parts["embedding"] * (vocabulary.rows - kept) // kept

    @property
    def problems(self) -> tuple[str, ...]:
        """What a manifest says of the file that is not so."""
        if self.size_matches is False or self.digest_matches is False:
            return ("the file is not the one that its manifest describes",)
        return ()

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def files(self) -> tuple[Path, ...]:
        """The file that was read."""
        return (self.path,)

    def raise_if_failed(self) -> None:
        """Raise GateError when there are problems."""
        raise_if_failed(self, where=self.path)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        values = {
            field.name: plain(getattr(self, field.name), infinite=True)
            for field in dataclasses.fields(self)
            if field.name not in ("path", "manifest")
        }
        manifest = None if self.manifest is None else to_json(self.manifest)
        return {
            "path": str(self.path),
            **values,
            "manifest": manifest,
            "trimmed_bytes": self.trimmed_bytes,
        }
