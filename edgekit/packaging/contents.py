"""What goes into an app beside its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, MANIFEST_NAME, NOTICE_NAME
from edgekit.bundle.manifest import Manifest, manifest_bytes
from edgekit.packaging.tasks import TASKS_NAME, Offer, tasks_bytes

ADAPTERS_NAME: Final = "adapters"
"""The folder of the adapters; each has one of its own in it, with the name that its task gives."""


@dataclass(frozen=True)
class AppContents:
    """The files of `assets/edgekit` (docs/design/app.md).

    assets: by name, with / between folders; a file to be copied from where it lies, or its bytes.
    """

    assets: Mapping[str, Path | bytes]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(
            asset.stat().st_size if isinstance(asset, Path) else len(asset) for asset in self.assets.values()
        )


def app_contents(
    directory: Path, manifest: Manifest, offer: Offer, adapters: Mapping[str, Adapter] | None = None
) -> AppContents:
    """Gather what an app gets of a bundle and its adapters: manifests as they lie there, tasks, terms, model, sidecars.

    adapters: by folder. The terms are the bundle's NOTICE; a bundle without one gets a file that says so, because the
    app's model card shows it and no app should ship a Gemma model without a word on its terms. An adapter's own terms
    go along where it has some.
    """
    manifest_path, notice = directory / MANIFEST_NAME, directory / NOTICE_NAME
    assets: dict[str, Path | bytes] = {
        MANIFEST_NAME: manifest_path if manifest_path.is_file() else manifest_bytes(manifest),
        TASKS_NAME: tasks_bytes(offer),
        NOTICE_NAME: notice if notice.is_file() else _no_terms(manifest),
        manifest.model.file: directory / manifest.model.file,
    }
    if manifest.adapters is not None:
        assets[manifest.adapters.empty.file] = directory / manifest.adapters.empty.file
    for folder, adapter in (adapters or {}).items():
        for name in (ADAPTER_MANIFEST_NAME, adapter.manifest.sidecar.file, NOTICE_NAME):
            if name != NOTICE_NAME or (adapter.directory / name).is_file():
                assets[f"{ADAPTERS_NAME}/{folder}/{name}"] = adapter.directory / name
    return AppContents(assets)


def _no_terms(manifest: Manifest) -> bytes:
    said = manifest.licence or "The checkpoint that this model was converted from says nothing of its terms."
    remark = "A fine-tune of Gemma is under the Gemma Terms of Use, which must travel with the model."
    return f"{said}\n\n{remark}\n".encode()
