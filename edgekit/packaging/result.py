"""What packaging made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.errors import GateError
from edgekit.figures import size
from edgekit.packaging.offer import Task
from edgekit.packaging.play import PlaySize
from edgekit.packaging.source import Source
from edgekit.packaging.target import Delivered, Written
from edgekit.quoting import json_text

_UNSAID: Mapping[str, Any] = {
    "apk": None,
    "identity": None,
    "abis": [],
    "signer": None,
    "gallery_runtime": None,
}
"""Facts that the JSON has a key for whatever the target."""

RECORD_NAME: Final = "edgekit-package.json"
"""By which a directory is known as an earlier output: what was packaged, and how."""


def write_record(directory: Path, facts: Mapping[str, Any]) -> None:
    """Write the record of what was packaged."""
    (directory / RECORD_NAME).write_text(json_text(facts), encoding="utf-8")


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
class Package:
    """What `package` made.

    target: as asked for. output: the directory. path: the one file that was made, as an app, or the directory.
    packaged: everything written. source: the bundle, its adapters and what the app offers. written: what the target
    tells of it. delivered: what was done on a device, None without one. notes: what the user should know. next_steps:
    commands to type. seconds: from the call to the finished output.
    """

    target: str
    output: Path
    path: Path
    packaged: tuple[PackagedFile, ...]
    source: Source
    play: PlaySize
    written: Written
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]
    delivered: Delivered | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether what was written can be used."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it cannot be used, one sentence each."""
        return self.written.problems

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything written."""
        return tuple(self.output / file.path for file in self.packaged)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.packaged)

    @property
    def adapter_sizes(self) -> AdapterSizes | None:
        """What the adapters save; None where there are none."""
        return _sizes_of(self.source)

    def raise_if_failed(self) -> None:
        """Raise GateError when what was written cannot be used."""
        if not self.passed:
            raise GateError("; ".join(self.problems), where=self.path)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        sizes = self.adapter_sizes
        return {
            "target": self.target,
            "output": str(self.output),
            "size": self.size,
            "files": [asdict(file) for file in self.packaged],
            "bundle": str(self.source.directory),
            "model": asdict(self.source.manifest.model),
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
            "bundle_signed_by": None if self.source.signing is None else self.source.signing.public.id,
            "play": {**asdict(self.play), "download": self.play.download, "sentence": self.play.sentence},
            "parts": [asdict(part) for part in self.written.parts],
            **_UNSAID,
            **self.written.facts,
            "notes": list(self.notes),
            "next_steps": list(self.next_steps),
            "seconds": round(self.seconds, 3),
            "device": None if self.delivered is None else self.delivered.serial,
        }


def adapter_notes(source: Source) -> tuple[str, ...]:
    """What adapters save, as a note; none where there are none."""
    sizes = _sizes_of(source)
    if sizes is None:
        return ()
    count = len(sizes.sidecars)
    together, merged = size(sizes.together), size(sizes.merged)
    if count == 1:
        return (f"base and adapter take {together}, a merged bundle {merged}",)
    times = f"{count} merged bundles would take {count} times the base"
    return (f"the base once and {count} adapters take {together}; {times}, {merged}",)


def _sizes_of(source: Source) -> AdapterSizes | None:
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
