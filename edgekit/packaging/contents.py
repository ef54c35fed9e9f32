"""What goes into an app beside its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekit.bundle.directory import MANIFEST_NAME
from edgekit.bundle.manifest import Manifest
from edgekit.packaging.task import Task

ASSETS: Final = "assets/edgekit/"
TASK_NAME: Final = "task.json"
NOTICE_NAME: Final = "NOTICE"


@dataclass(frozen=True)
class AppContents:
    """The files of `assets/edgekit` (docs/design/app.md).

    assets: by name; a file to be copied from where it lies, or its bytes.
    """

    assets: Mapping[str, Path | bytes]


@dataclass(frozen=True)
class PackagedBundle:
    """A checked bundle with all that a target needs to know of it.

    model: the .litertlm file. notice: the terms.
    """

    directory: Path
    model: Path
    manifest: Manifest
    task: Task
    notice: bytes

    @property
    def contents(self) -> AppContents:
        """What lies in the app's assets, in the order of the app's design."""
        return AppContents(
            {
                MANIFEST_NAME: self.directory / MANIFEST_NAME,
                self.manifest.model.file: self.model,
                TASK_NAME: self.task.to_json(),
                NOTICE_NAME: self.notice,
            }
        )


@dataclass(frozen=True)
class Written:
    """What a target wrote: files relative to its directory; what to do next, a line each; what to know, a sentence
    each."""

    files: tuple[str, ...]
    next_steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
