"""The manifest of an adapter bundle, `adapter.json`: which base it belongs to, and how to talk with it.

Written and read as `edgekit.json` is (`edgekit.bundle.manifest`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, MAX_MANIFEST_BYTES, is_plain_name
from edgekit.bundle.manifest import ModelFile, SamplerUse, StopToken
from edgekit.errors import AdapterError
from edgekit.records.codec import decode, is_digest, plain, read_values
from edgekit.records.documents import Json
from edgekit.records.versions import up_to_date

SCHEMA_VERSION: Final = 1

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
    answer: the format that answers are held to, as in `edgekit.json`. turns: "one" when each message must begin a
    conversation of its own.
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
    turns: Literal["one", "many"] = "many"
    schema_version: int = field(default=SCHEMA_VERSION, kw_only=True)


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
    values = up_to_date(values, where=path, remedy=AGAIN, error=AdapterError)
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
