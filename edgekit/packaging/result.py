"""What packaging made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.packaging.identity import Identity
from edgekit.packaging.offer import Task
from edgekit.packaging.play import PlaySize
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.trial import Trial

RECORD_NAME: Final = "edgekit-package.json"
"""By which a directory is known as an earlier output: what was packaged, and how."""


def write_record(directory: Path, facts: Mapping[str, Any]) -> None:
    """Write the record of what was packaged."""
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    (directory / RECORD_NAME).write_text(f"{text}\n", encoding="utf-8")


@dataclass(frozen=True)
class PackagedFile:
    """A file that was written. path: relative to the output. size: in bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class AdapterSizes:
    """What one base with adapters takes, in bytes. base: its model file, once. sidecars: each one's, by its task."""

    base: int
    sidecars: Mapping[str, int]

    @property
    def together(self) -> int:
        """Base and sidecars."""
        return self.base + sum(self.sidecars.values())

    @property
    def merged(self) -> int:
        """What as many bundles would take, each with an adapter merged into a copy of the base."""
        return self.base * len(self.sidecars)


@dataclass(frozen=True)
class PackageResult:
    """What `package` made.

    target: as asked for. output: the directory. apk: the app, for that target. files: everything written. source: the
    bundle, its adapters and what the app offers. identity: the app's, None for a target without an app. fingerprint:
    SHA-256 of the signer's certificate; debug_key: whether that is this machine's debug key; both for an APK only.
    trial: for the Gallery. notes: what the user should know. next_steps: commands to type. seconds: from the call to
    the finished output.
    """

    target: str
    output: Path
    apk: Path | None
    files: tuple[PackagedFile, ...]
    source: Source
    identity: Identity | None
    abis: tuple[str, ...]
    play: PlaySize
    fingerprint: str | None
    debug_key: bool
    trial: Trial | None
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]
    seconds: float

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def adapter_sizes(self) -> AdapterSizes | None:
        """What the adapters save; None where there are none."""
        return sizes_of(self.source)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        sizes = self.adapter_sizes
        return {
            "target": self.target,
            "output": str(self.output),
            "apk": None if self.apk is None else str(self.apk),
            "size": self.size,
            "files": [asdict(file) for file in self.files],
            "bundle": str(self.source.directory),
            "model": asdict(self.source.manifest.model),
            "identity": None if self.identity is None else asdict(self.identity),
            "abis": list(self.abis),
            "title": self.source.offer.title,
            "tasks": [_task_json(self.source, task) for task in self.source.offer.tasks],
            "adapter_sizes": None
            if sizes is None
            else {
                "base": sizes.base,
                "sidecars": dict(sizes.sidecars),
                "together": sizes.together,
                "merged": sizes.merged,
            },
            "play": {**asdict(self.play), "download": self.play.download, "sentence": self.play.sentence},
            "signer": None
            if self.fingerprint is None
            else {"sha256": self.fingerprint, "debug_key": self.debug_key},
            "gallery_runtime": None if self.trial is None else asdict(self.trial),
            "notes": list(self.notes),
            "next_steps": list(self.next_steps),
            "seconds": round(self.seconds, 3),
        }


def sizes_of(source: Source) -> AdapterSizes | None:
    """Return what base and adapters take; None where there are none."""
    if not source.adapters:
        return None
    sidecars = {folder: adapter.manifest.sidecar.size for folder, adapter in source.adapters.items()}
    return AdapterSizes(source.manifest.model.size, sidecars)


def _task_json(source: Source, task: Task) -> dict[str, Any]:
    sidecar = None if task.adapter is None else asdict(source.adapters[task.adapter].manifest.sidecar)
    return {
        "id": task.id,
        "title": task.title,
        "sidecar": sidecar,
        "examples": len(task.examples),
        "golden": [asdict(golden) for golden in task.golden],
        "actions": len(task.actions),
        "quality": None if task.quality is None else {"passed": task.quality.passed},
    }
