"""What goes into an app beside its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.directory import MANIFEST_NAME, NOTICE_NAME
from edgekit.bundle.manifest import Manifest, manifest_bytes
from edgekit.packaging.task import TASK_NAME, Task, task_bytes


@dataclass(frozen=True)
class AppContents:
    """The files of `assets/edgekit` (docs/design/app.md).

    assets: by name; a file to be copied from where it lies, or its bytes.
    """

    assets: Mapping[str, Path | bytes]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(
            asset.stat().st_size if isinstance(asset, Path) else len(asset) for asset in self.assets.values()
        )


def app_contents(directory: Path, manifest: Manifest, task: Task) -> AppContents:
    """Gather what an app gets of a bundle: its manifest as it lies there, the task, the terms, the model.

    The terms are the bundle's NOTICE; a bundle without one gets a file that says so, because the app's model card
    shows it and no app should ship a Gemma model without a word on its terms.
    """
    manifest_path, notice = directory / MANIFEST_NAME, directory / NOTICE_NAME
    return AppContents(
        {
            MANIFEST_NAME: manifest_path if manifest_path.is_file() else manifest_bytes(manifest),
            TASK_NAME: task_bytes(task),
            NOTICE_NAME: notice if notice.is_file() else _no_terms(manifest),
            manifest.model.file: directory / manifest.model.file,
        }
    )


def _no_terms(manifest: Manifest) -> bytes:
    said = manifest.licence or "The checkpoint that this model was converted from says nothing of its terms."
    remark = "A fine-tune of Gemma is under the Gemma Terms of Use, which must travel with the model."
    return f"{said}\n\n{remark}\n".encode()
