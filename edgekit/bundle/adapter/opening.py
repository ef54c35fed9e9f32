"""An adapter bundle, checked against the base that it is to be used with: before the engine sees a byte of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.adapter.manifest import AGAIN, AdapterManifest, read_adapter_manifest
from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, check_directory
from edgekit.bundle.manifest import Manifest, sampler_of
from edgekit.bundle.opening import Bundle
from edgekit.errors import AdapterError
from edgekit.files.digest import file_digest
from edgekit.files.within import check_files
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import Sampler

_MERGED = "convert the adapter merged into its base: edgekit convert ADAPTER"


@dataclass(frozen=True)
class Adapter:
    """A checked adapter bundle."""

    directory: Path
    manifest: AdapterManifest

    @property
    def sidecar(self) -> Path:
        """The file that the engine reads."""
        return self.directory / self.manifest.sidecar.file

    @property
    def answer(self) -> AnswerFormat | None:
        """What answers are held to."""
        return None if self.manifest.answer is None else AnswerFormat.from_manifest(self.manifest.answer)

    @property
    def sampler(self) -> Sampler:
        """How the adapter's answers are sampled."""
        return sampler_of(self.manifest.sampler)


def open_adapter(path: str | Path, base: Bundle) -> Adapter:
    """Open an adapter bundle for use with a base.

    path: its directory, or the sidecar in it. Raises AdapterError, with the way out, when there is none, when the
    sidecar is not the one that the manifest describes, and when it was made for another base.
    """
    adapter = read_adapter_bundle(path)
    refuse_unready(base)
    assert base.manifest is not None and base.manifest.adapters is not None
    manifest, where = adapter.manifest, adapter.directory / ADAPTER_MANIFEST_NAME
    if manifest.base.model_sha256 != base.manifest.model.sha256:
        raise AdapterError(
            f"the adapter was made for another base: {manifest.base.name}, whose model has the SHA-256 "
            f"{manifest.base.model_sha256[:12]}…; this base's model has {base.manifest.model.sha256[:12]}…",
            where=where,
            remedy="name that base, or make the adapter for this one: "
            f"edgekit adapter … --base-bundle {base.directory}",
        )
    slots = base.manifest.adapters
    if manifest.rank != slots.rank or not set(manifest.targets) <= set(slots.targets):
        raise AdapterError(
            f"the adapter says rank {manifest.rank} on {', '.join(manifest.targets)}; the base takes rank {slots.rank} "
            f"on {', '.join(slots.targets)}",
            where=where,
            remedy=AGAIN,
        )
    return adapter


def read_adapter_bundle(path: str | Path) -> Adapter:
    """Open an adapter bundle whatever its base. Raises AdapterError as `open_adapter` does."""
    path = Path(path)
    directory = path if path.is_dir() else path.parent
    if not path.exists():
        raise AdapterError(
            "no such file or directory", where=path, remedy="name a directory that `edgekit adapter` wrote"
        )
    check_directory(directory)
    if not (directory / ADAPTER_MANIFEST_NAME).is_file():
        trained = (directory / "adapter_config.json").is_file()
        raise AdapterError(
            "this is the adapter as it was trained, not yet a sidecar"
            if trained
            else "this is no adapter bundle: there is no " + ADAPTER_MANIFEST_NAME,
            where=path,
            remedy="make one: edgekit adapter "
            + (f"{directory} --base-bundle BASE" if trained else "ADAPTER --base-bundle BASE"),
        )
    manifest = read_adapter_manifest(directory)
    _check_sidecar(directory / manifest.sidecar.file, manifest)
    return Adapter(directory, manifest)


def refuse_unready(base: Bundle) -> Manifest:
    """Return the manifest of a base that takes adapters; raises AdapterError for one that does not."""
    manifest = base.manifest
    if manifest is None or manifest.adapters is None:
        raise AdapterError(
            "this bundle takes no adapters: its graph has no inputs for them, so one would have no effect",
            where=base.model_path,
            remedy="convert the base again with --adapters 16, or " + _MERGED,
        )
    return manifest


def _check_sidecar(path: Path, manifest: AdapterManifest) -> None:
    try:
        check_files(path.parent, [path.name], error=AdapterError)
        size = path.stat().st_size
        digest = file_digest(path)
    except OSError as error:
        raise AdapterError(
            f"the sidecar that the manifest names cannot be read: {error.strerror}", where=path, remedy=AGAIN
        ) from error
    if size != manifest.sidecar.size:
        raise AdapterError(
            f"the file has {size:,} bytes, the manifest says {manifest.sidecar.size:,}: it was changed or cut off",
            where=path,
            remedy=AGAIN,
        )
    if digest != manifest.sidecar.sha256:
        raise AdapterError(
            f"the file's SHA-256 is {digest[:12]}…, the manifest says {manifest.sidecar.sha256[:12]}…: it was changed",
            where=path,
            remedy=AGAIN,
        )
