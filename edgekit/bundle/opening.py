"""Opening a bundle: its model file is held to what the manifest says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekit.bundle.directory import (
    ADAPTER_MANIFEST_NAME,
    MANIFEST_NAME,
    check_directory,
    was_interrupted,
)
from edgekit.bundle.manifest import CONVERT_AGAIN, Manifest, read_manifest
from edgekit.errors import BundleError
from edgekit.files.digest import file_digest
from edgekit.files.within import check_files

_COPY_AGAIN: Final = "copy the whole bundle again, or convert again with --force"
_MODEL_SUFFIXES: Final = (".litertlm", ".tflite")


@dataclass(frozen=True)
class Bundle:
    """A bundle whose model file was checked.

    manifest: None for a bare .litertlm file that edgekit knows nothing more of.
    """

    directory: Path
    manifest: Manifest | None
    model_path: Path


def verify_model_file(directory: str | Path, manifest: Manifest) -> Path:
    """Check that the model file is the one the manifest describes, and return its path.

    Raises BundleError when it is missing, or its size or digest differs.
    """
    path = Path(directory) / manifest.model.file
    try:
        check_files(path.parent, [path.name], error=BundleError)
        size = path.stat().st_size
        if size != manifest.model.size:
            expected = f"{manifest.model.size:,}"
            raise BundleError(
                f"the file has {size:,} bytes, the manifest says {expected}: it was changed or cut off",
                where=path,
                remedy=_COPY_AGAIN,
            )
        digest = file_digest(path)
    except OSError as error:
        raise BundleError(
            f"the model file that the manifest names cannot be read: {error.strerror}",
            where=path,
            remedy=CONVERT_AGAIN,
        ) from error
    if digest != manifest.model.sha256:
        expected = manifest.model.sha256[:12]
        raise BundleError(
            f"the file's SHA-256 is {digest[:12]}…, the manifest says {expected}…: it was changed",
            where=path,
            remedy=_COPY_AGAIN,
        )
    return path


def open_bundle(path: str | Path) -> Bundle:
    """Open a bundle directory, or a bare .litertlm file.

    A file beside a manifest that names it is checked against it as well. Nothing is changed.
    Raises BundleError when there is no bundle, or the model is not the one the manifest describes.
    """
    path = Path(path)
    try:
        return _open(path)
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror}", where=path) from error


def suppressed_beside(model: Path) -> tuple[int, ...] | None:
    """Return the ids that must not be generated under an answer format, as the manifest beside a model file says.

    None when there is no manifest of it, or an old one that does not say.
    """
    try:
        manifest = read_manifest(model.parent)
    except BundleError:
        return None
    return manifest.suppressed_tokens if manifest.model.file == model.name else None


def _open(path: Path) -> Bundle:
    if path.is_dir():
        return _open_directory(path)
    if not path.exists():
        raise BundleError(
            "no such file or directory", where=path, remedy="name a bundle directory or a .litertlm file"
        )
    if not path.is_file():
        raise BundleError("not a file", where=path, remedy="name a bundle directory or a .litertlm file")
    if (path.parent / MANIFEST_NAME).is_file():
        check_directory(path.parent)
        manifest = read_manifest(path.parent)
        if manifest.model.file == path.name:
            return _open_directory(path.parent)
    return Bundle(path.parent, None, path)


def _open_directory(directory: Path) -> Bundle:
    check_directory(directory)
    if not (directory / MANIFEST_NAME).exists():
        raise no_manifest(directory)
    manifest = read_manifest(directory)
    while True:
        try:
            return Bundle(directory, manifest, verify_model_file(directory, manifest))
        except BundleError:
            # A conversion may have replaced the bundle between our reading the manifest and the model: then
            # look again.
            check_directory(directory)
            again = read_manifest(directory)
            if again == manifest:
                raise
            manifest = again


def no_manifest(directory: Path) -> BundleError:
    """Return the error for a directory without a manifest, by what is there instead."""
    models = sorted(p.name for p in directory.iterdir() if p.name.endswith(_MODEL_SUFFIXES))
    if was_interrupted(directory):
        return BundleError(
            "no bundle yet: a conversion is running, or was interrupted",
            where=directory,
            remedy="wait for it, or run `edgekit convert` again",
        )
    if (directory / ADAPTER_MANIFEST_NAME).is_file():
        return BundleError(
            "this is an adapter bundle, which is nothing without its base",
            where=directory,
            remedy="name its base, and pass this one with --adapter",
        )
    if len(models) == 1:
        return BundleError(
            f"there is {models[0]} but no {MANIFEST_NAME}",
            where=directory,
            remedy=f"name the file itself: {directory / models[0]}",
        )
    if models:
        shown = ", ".join(models[:5]) + (" …" if len(models) > 5 else "")
        return BundleError(
            f"no {MANIFEST_NAME}, and {len(models)} model files ({shown})",
            where=directory,
            remedy="name one of the files",
        )
    what = "holds no bundle" if any(directory.iterdir()) else "is empty"
    return BundleError(f"the directory {what}", where=directory, remedy="make one with `edgekit convert`")
