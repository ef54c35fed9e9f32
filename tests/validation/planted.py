"""Bundles with one fault planted, whose manifests vouch for them: only a check of the content can tell."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.bundle.inspect import inspect
from edgekit.bundle.manifest import StopToken, read_manifest, write_manifest
from edgekit.bundle.writing import Section, write_container

Change = Callable[[bytearray], bytes | bytearray]


def planted(bundle: Path, target: Path, kind: SectionKind, change: Change) -> Path:
    """Copy a bundle with one section changed, and make the manifest agree with it."""
    manifest = read_manifest(bundle)
    container = read_container(bundle / manifest.model.file)
    sections = []
    for info in container.sections:
        content = bytearray(section_bytes(container, info))
        if info.kind is kind:
            content = bytearray(change(content))
        sections.append(Section(info.kind, len(content), [bytes(content)], info.metadata))
    target.mkdir(parents=True)
    with (target / manifest.model.file).open("wb") as file:
        written = write_container(file, sections)
    found = inspect(target / manifest.model.file).llm
    assert found is not None
    model = dataclasses.replace(manifest.model, size=written.size, sha256=written.sha256)
    stops = tuple(StopToken(token.ids, token.text or "") for token in found.stop_tokens)
    write_manifest(
        target,
        dataclasses.replace(manifest, model=model, stop_tokens=stops, template_sha256=found.template_sha256),
    )
    return target


def metadata(edit: Callable[[Any], None]) -> Change:
    """A change of the LLM metadata."""

    def change(content: bytearray) -> bytes:
        from litert_lm_builder.runtime.proto import llm_metadata_pb2

        message = llm_metadata_pb2.LlmMetadata.FromString(bytes(content))
        edit(message)
        return bytes(message.SerializeToString(deterministic=True))

    return change


def flip_a_byte(bundle: Path, target: Path, position: int = -5000) -> Path:
    """Copy a bundle and change one byte of the model file; the manifest stays."""
    manifest = read_manifest(bundle)
    content = bytearray((bundle / manifest.model.file).read_bytes())
    content[position] ^= 1
    target.mkdir(parents=True)
    (target / manifest.model.file).write_bytes(content)
    write_manifest(target, manifest)
    assert hashlib.sha256(content).hexdigest() != manifest.model.sha256
    return target
