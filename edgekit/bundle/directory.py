"""How a bundle directory appears: whole, or not at all, by the commit of `edgekit.files.commit`.

What is told here is which files of a directory are the bundle's. They go when it is replaced; those that edgekit did
not make stay.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgekit.errors import BundleError
from edgekit.files import commit
from edgekit.files.directory import some
from edgekit.files.within import check_files, opened_folder, read_regular
from edgekit.records import documents

MANIFEST_NAME = "edgekit.json"
ADAPTER_MANIFEST_NAME = "adapter.json"
EMPTY_SIDECAR_NAME = "empty.lora.tflite"
"""Of a base that takes adapters: the sidecar for conversations without one."""
NOTICE_NAME = "NOTICE"
SIGNATURE_NAME = "edgekit.sig"
TASKS_NAME = "tasks.json"
"""In an app's assets: what the app offers."""
SBOM_NAME = "sbom.cdx.json"
"""In an app's assets: what the bundle was made of."""
REPORTS_NAME = "reports"

_NAMED_FILE = {MANIFEST_NAME: "model", ADAPTER_MANIFEST_NAME: "sidecar"}
"""The two manifests, and the key under which each names the one large file of its bundle."""

_OUR_NAMES = (*_NAMED_FILE, NOTICE_NAME, EMPTY_SIDECAR_NAME, SIGNATURE_NAME)
_READ = (*_OUR_NAMES, TASKS_NAME, SBOM_NAME, REPORTS_NAME, "*.litertlm", "*.tflite")
"""Patterns of the names that are read in a bundle."""
_OUR_REPORT = re.compile(r"(convert|validate|bench-[^/\\]+|package)\.(html|json)")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
MAX_MANIFEST_BYTES = 4 << 20
"""Most of it is the rows that a trimmed vocabulary kept: 8 bytes for each stretch of them, 256 kB at most so far."""
_ENGINE_CACHE = re.compile(r"[._].*(xnnpack.*cache|mldrift)")


@dataclass(frozen=True)
class Staging:
    """Where the files of a new bundle are written.

    path: an empty directory; files in it (and in subdirectories) keep their relative names in the bundle.
    Caches that an engine leaves here are dropped. directory: where the bundle will be.
    """

    path: Path
    directory: Path


@contextlib.contextmanager
def new_bundle(
    directory: str | Path, *, force: bool = False, needed_bytes: int = 0, manifest: str = MANIFEST_NAME
) -> Iterator[Staging]:
    """Write a new bundle: yields a staging directory and, when the block ends without an exception, makes it
    the bundle.

    manifest: the name of its manifest; a bundle with the other one is not replaced.
    directory: made when missing, with its parents; a symbolic link is followed. force: replace a bundle that
    is there. Its model, manifest, notice, reports and engine caches go; files that edgekit did not make stay.
    A directory that holds other files and no bundle is refused in any case. needed_bytes: the size of what
    will be written, checked against the free space first (the old bundle stays until the new one is
    complete).

    The block must write the manifest and the file it names. When the block raises (KeyboardInterrupt
    included), everything is as before. Raises BundleError when something is in the way, another run writes
    here, the directory cannot be written, or the disk is full.
    """
    target = Path(os.path.realpath(directory))
    with commit.new_contents(target, _layout(force, manifest), needed_bytes=needed_bytes) as staging:
        yield Staging(staging, target)


def check_directory(directory: Path) -> None:
    """Look at a bundle directory, which anybody may have made, before anything in it is read. Changes nothing.

    Raises BundleError when a killed run left it between two bundles (after 10 seconds of waiting for a run that is at
    it), and for links out of it and special files among its entries.
    """
    commit.refuse_unfinished(directory, _layout())
    check_files(directory, _READ, error=BundleError)


def reports_directory(directory: Path) -> Path:
    """Return where a bundle's reports are, made when missing.

    Raises BundleError when it is a link, or no directory: nothing is written through one.
    """
    path = directory / REPORTS_NAME
    try:
        with opened_folder(path, make=True):
            return path
    except OSError as error:
        what = "is a link, or no directory" if os.path.lexists(path) else f"cannot be made: {error.strerror}"
        raise BundleError(f"the place for reports {what}", where=path, remedy="remove it") from error


def was_interrupted(directory: Path) -> bool:
    """Tell whether a killed (or a running) conversion left unfinished files here."""
    return commit.was_interrupted(directory)


def _layout(force: bool = False, manifest: str = MANIFEST_NAME) -> commit.Layout:
    return commit.Layout(
        refuse=partial(_refuse_if_in_the_way, force=force, manifest=manifest),
        prepare=_replaced,
        may_go=_may_be_ours,
        last=frozenset(_NAMED_FILE),
        folders=(REPORTS_NAME,),
        error=BundleError,
    )


def _may_be_ours(name: str) -> bool:
    folder, slash, last = name.rpartition("/")
    if slash:
        return folder == REPORTS_NAME and _OUR_REPORT.fullmatch(last) is not None
    return is_plain_name(name)


def _replaced(staging: Path, target: Path) -> list[str]:
    """Drop caches from checking the staged model, and return the files of the bundle that is replaced."""
    model_name = _old_model_name(staging)
    if model_name is None or not (staging / model_name).is_file():
        raise ValueError(f"{staging}: a bundle needs its manifest and the file that it names")
    for path in list(staging.iterdir()):
        if _is_cache(path.name, model_name):
            path.unlink()
    old_model = _old_model_name(target)
    return [] if old_model is None else _files_of_bundle(target, old_model)


def _refuse_if_in_the_way(directory: Path, force: bool, manifest: str) -> None:
    names = sorted(path.name for path in directory.iterdir())
    if not names:
        return
    if _old_model_name(directory) is None:
        raise BundleError(
            f"the directory is not empty and holds no bundle of edgekit's ({some(names)})",
            where=directory,
            remedy="name a new or an empty directory; --force replaces bundles only",
        )
    if (found := _manifest_of(directory)) != manifest:
        raise BundleError(
            f"another kind of bundle is here, with {found}",
            where=directory,
            remedy="name another directory; a base and its adapters have a directory each",
        )
    if not force:
        raise BundleError(
            "there is a bundle already",
            where=directory,
            remedy="pass --force to replace it, or name another directory",
        )


# ---------------------------------------- what is ours


def _manifest_of(directory: Path) -> str | None:
    """Return the name of the manifest in a directory, if there is one."""
    return next((name for name in _NAMED_FILE if os.path.lexists(directory / name)), None)


def _old_model_name(directory: Path) -> str | None:
    """Return the model file, or sidecar, that a directory's manifest names; None when there is no manifest.

    Reads no more than this, so that bundles of later versions can be replaced as well. Raises BundleError
    when the manifest does not say.
    """
    manifest = _manifest_of(directory)
    if manifest is None:
        return None
    path = directory / manifest
    try:
        content = read_regular(path, MAX_MANIFEST_BYTES) or b""
        name = documents.loads(content)[_NAMED_FILE[manifest]]["file"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if not is_plain_name(name):
        raise BundleError(
            "the manifest of the bundle in the way cannot be read, so which files belong to it is not known",
            where=path,
            remedy="delete the directory yourself, or name another one",
        )
    return str(name)


def is_plain_name(name: object) -> bool:
    """Tell whether a value is a file name as a manifest may name its model: the characters that edgekit itself uses.

    Whatever else a name holds would have a meaning somewhere: in a path, a shell, a build file, a link.
    """
    return isinstance(name, str) and _PLAIN_NAME.fullmatch(name) is not None


def _is_cache(name: str, model_name: str) -> bool:
    """Tell whether a file is a cache that an engine wrote next to a model.

    Seen: `m.litertlm_1795502689_13373924.xnnpack_cache`; the GPU backend writes `…_mldrift_….bin`.
    """
    rest = name.removeprefix(Path(model_name).stem)
    return rest != name and _ENGINE_CACHE.match(rest) is not None


def _files_of_bundle(directory: Path, model_name: str) -> list[str]:
    """Return the relative names of the files in a bundle directory that edgekit, or an engine, made."""
    ours = [
        path.name
        for path in directory.iterdir()
        if (path.is_symlink() or not path.is_dir())
        and (path.name in (model_name, *_OUR_NAMES) or _is_cache(path.name, model_name))
    ]
    reports = directory / REPORTS_NAME
    if reports.is_dir() and not reports.is_symlink():
        ours += [f"{REPORTS_NAME}/{p.name}" for p in reports.iterdir() if _OUR_REPORT.fullmatch(p.name)]
    return sorted(ours)
