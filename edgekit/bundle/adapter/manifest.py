"""The manifest of an adapter bundle, `adapter.json`: which base it belongs to, and how to talk with it.

Written and read as `edgekit.json` is (`edgekit.bundle.manifest`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, MAX_MANIFEST_BYTES, is_plain_name
from edgekit.bundle.manifest import Manifest, ModelFile, SamplerUse, StopToken
from edgekit.errors import AdapterError
from edgekit.records import migrations
from edgekit.records.codec import decode, is_digest, plain, read_values
from edgekit.records.documents import Json
from edgekit.records.versions import up_to_date
from edgekit.text.messages import Turns

SCHEMA_VERSION: Final = len(migrations.ADAPTER) + 1

AGAIN: Final = "make it again with `edgekit adapter`, or restore the file"


@dataclass(frozen=True)
class BaseUse:
    """The base bundle that an adapter was made for. model_sha256: of its model file."""

    name: str
    model_sha256: str


@dataclass(frozen=True)
class AdapterSource:
    """The PEFT adapter that it was made from.

    name: a directory's name or a Hub id. digest: SHA-256 of its configuration and weights.
    rank: as trained; the sidecar's may be larger (padded) or smaller (reduced).
    reduction_error: the largest relative error (Frobenius) that reducing the rank brought to a projection's change;
    None when it was not reduced.
    """

    name: str
    digest: str
    rank: int
    alpha: float
    rslora: bool
    reduction_error: float | None = None


@dataclass(frozen=True)
class AdapterManifest:
    """Everything that later commands know of an adapter bundle.

    rank: of the sidecar, which is that of the base's graph. targets: projections that it changes.
    system_prompt: sent before each conversation. stop_tokens: those that end an answer, all of them the base's.
    chat_template: the engine's, when the adapter was trained with another one than the base.
    answer, turns: as in `edgekit.json`.
    """

    name: str
    sidecar: ModelFile
    base: BaseUse
    source: AdapterSource
    rank: int
    targets: tuple[str, ...]
    system_prompt: str | None
    sampler: SamplerUse
    stop_tokens: tuple[StopToken, ...]
    chat_template: str | None
    answer: Mapping[str, Json] | None
    licence: str | None
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    turns: Turns | None = None
    schema_version: int = field(default=SCHEMA_VERSION, kw_only=True)

    def one_turn_on(self, base: Manifest) -> bool:
        """Whether each message begins a conversation of its own: as for a bundle (`Manifest.one_turn`), and where the
        base says so and its template is the adapter's."""
        if self.turns is None:
            return self.answer is not None or (base.turns == "one" and self.chat_template is None)
        return self.turns == "one"


def to_json(manifest: AdapterManifest) -> dict[str, Any]:
    """Return the manifest as JSON values, in the order in which they are written."""
    values = plain(manifest)
    assert isinstance(values, dict)
    return {"schema_version": values.pop("schema_version"), **values}


def manifest_bytes(manifest: AdapterManifest) -> bytes:
    """Return the manifest's file content."""
    return f"{json.dumps(to_json(manifest), indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def read_adapter_manifest(directory: Path) -> AdapterManifest:
    """Read an adapter bundle's manifest; the sidecar is not looked at.

    Raises AdapterError, with the file and the key, when it is missing, unreadable, of the wrong shape, or made by a
    newer edgekit.
    """
    path = directory / ADAPTER_MANIFEST_NAME
    values = read_values(path, remedy=AGAIN, error=AdapterError, max_bytes=MAX_MANIFEST_BYTES)
    values = up_to_date(values, migrations=migrations.ADAPTER, where=path, remedy=AGAIN, error=AdapterError)
    manifest = decode(AdapterManifest, values, where=path, remedy=AGAIN, error=AdapterError)
    problems = {
        "sidecar.file must be a plain file name": not is_plain_name(manifest.sidecar.file),
        "sidecar.sha256 must be 64 hexadecimal digits": not is_digest(manifest.sidecar.sha256),
        "base.model_sha256 must be 64 hexadecimal digits": not is_digest(manifest.base.model_sha256),
        "targets is empty": not manifest.targets,
    }
    for problem, present in problems.items():
        if present:
            raise AdapterError(problem, where=path, remedy=AGAIN)
    return manifest
