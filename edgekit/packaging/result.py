"""What packaging made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.packaging.apk.identity import Identity
from edgekit.packaging.gallery.trial import Trial
from edgekit.packaging.play import PlaySize
from edgekit.packaging.source import Source


@dataclass(frozen=True)
class PackagedFile:
    """A file that was written. path: relative to the output. size: in bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class PackageResult:
    """What `package` made.

    target: as asked for. output: the directory. apk: the app, for that target. files: everything written. source: the
    bundle and its task. identity: the app's, None for a target without an app. fingerprint: SHA-256 of the signer's
    certificate; debug_key: whether that is this machine's debug key; both for an APK only. trial: for the Gallery.
    notes: what the user should know. next_steps: commands to type. seconds: from the call to the finished output.
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

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        task = self.source.task
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
            "examples": len(task.examples),
            "golden": [asdict(golden) for golden in task.golden],
            "actions": len(task.actions),
            "quality": None if task.quality is None else {"passed": task.quality.passed},
            "play": {**asdict(self.play), "download": self.play.download, "sentence": self.play.sentence},
            "signer": None
            if self.fingerprint is None
            else {"sha256": self.fingerprint, "debug_key": self.debug_key},
            "gallery_runtime": None if self.trial is None else asdict(self.trial),
            "notes": list(self.notes),
            "next_steps": list(self.next_steps),
            "seconds": round(self.seconds, 3),
        }
