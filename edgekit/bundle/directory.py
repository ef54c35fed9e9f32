"""How a bundle directory appears: whole, or not at all.

A bundle is several files that belong together, and no file system replaces several files at once. So a
directory is replaced the way a database commits, with a redo log:

1. everything is written into `.edgekit-staging/` inside the directory (the same file system, hence renames
never copy) and synced to the disk; the bundle that is there stays untouched; 2. one rename,
`.edgekit-staging` → `.edgekit-commit`, is the commit: before it the old bundle counts, after it the new one;
3. stale files of the old bundle go, the new files move to their places, the manifest last.

A run killed in 1 leaves the old bundle and some leftovers, which the next run deletes. A run killed in 3
(three renames, well below a millisecond) leaves `.edgekit-commit`, and whoever comes next, reader or writer,
finishes the moves before looking: `finish_interrupted`. Each step of 3 can be repeated safely. A model file
is never half new: it moves by a rename.

The exclusive lock is the kernel's, on the directory itself: it needs no lock file and dies with its process.
Linux and macOS.

Swapping whole directories with Linux's `renameat2(RENAME_EXCHANGE)` was considered: it has no gap at all, but
fails on mount points (`-o /out` in a container) and several file systems, needs the user's own files carried
across, and pulls the directory away from under shells and file managers.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import BundleError

MANIFEST_NAME = "edgekit.json"
ADAPTER_MANIFEST_NAME = "adapter.json"
EMPTY_SIDECAR_NAME = "empty.lora.tflite"
"""Of a base that takes adapters: the sidecar for conversations without one."""
NOTICE_NAME = "NOTICE"
REPORTS_NAME = "reports"

_NAMED_FILE = {MANIFEST_NAME: "model", ADAPTER_MANIFEST_NAME: "sidecar"}
"""The two manifests, and the key under which each names the one large file of its bundle."""

_OUR_NAMES = (*_NAMED_FILE, NOTICE_NAME, EMPTY_SIDECAR_NAME)
_STAGING = ".edgekit-staging"
_COMMIT = ".edgekit-commit"
_STALE = ".edgekit-stale.json"  # in staging and commit: what of the old bundle must go; removed when done
_OUR_REPORT = re.compile(r"(convert|validate|bench-[^/\\]+|package)\.(html|json)")
_ENGINE_CACHE = re.compile(r"[._].*(xnnpack.*cache|mldrift)")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


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
    with _telling_os_errors(target, needed_bytes):
        existed = target.is_dir()
        lock = _lock(target, seconds=0)
    try:
        with _telling_os_errors(target, needed_bytes):
            _finish(target)
            _discard(target / _STAGING)
            _refuse_if_in_the_way(target, force, manifest)
            _refuse_if_full(target, needed_bytes)
            staging = target / _STAGING
            staging.mkdir()
            yield Staging(staging, target)
            _commit(target)
    finally:
        with contextlib.suppress(
            OSError
        ):  # the error that brought us here matters more than what remains; the next run sweeps
            _discard(target / _STAGING)
        if not existed:
            with contextlib.suppress(OSError):
                target.rmdir()  # only succeeds when nothing came of it
        os.close(lock)


def finish_interrupted(directory: Path) -> None:
    """Complete the commit of a killed run, if there is one. Readers call it before they look.

    Raises BundleError when the directory cannot be written, or another run is still busy with its commit
    after 10 seconds.
    """
    if not (directory / _COMMIT).is_dir():
        return
    directory = Path(os.path.realpath(directory))
    with _telling_os_errors(directory, 0):
        lock = _lock(directory, seconds=10)
        try:
            _finish(directory)
        finally:
            os.close(lock)


def was_interrupted(directory: Path) -> bool:
    """Tell whether a killed (or a running) conversion left unfinished files here."""
    return (directory / _STAGING).is_dir()


# ---------------------------------------- what is ours


def _manifest_of(directory: Path) -> str | None:
    """Return the name of the manifest in a directory, if there is one."""
    return next((name for name in _NAMED_FILE if (directory / name).exists()), None)


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
        name = json.loads(path.read_bytes())[_NAMED_FILE[manifest]]["file"]
    except (ValueError, KeyError, TypeError, RecursionError):
        name = None
    if not is_plain_name(name):
        raise BundleError(
            "the manifest of the bundle in the way cannot be read, so which files belong to it is not known",
            where=path,
            remedy="delete the directory yourself, or name another one",
        )
    return str(name)


def is_plain_name(name: object) -> bool:
    """Tell whether a value is a file name without any directory, as a manifest may name its model."""
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\\0")


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
    if reports.is_dir():
        ours += [f"{REPORTS_NAME}/{p.name}" for p in reports.iterdir() if _OUR_REPORT.fullmatch(p.name)]
    return sorted(ours)


# ---------------------------------------- before


def _lock(directory: Path, seconds: float) -> int:
    """Make the directory when missing and lock it exclusively; returns the descriptor whose closing unlocks.

    Raises BundleError when another process still holds the lock after the given seconds, OSError as it comes.
    """
    import fcntl  # only where there is one: the rest of edgekit imports without

    deadline = time.monotonic() + seconds
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # another run gave up at this moment and removed what it had made
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The other run may have removed the directory between our opening and locking it.
            if directory.is_dir() and os.path.samestat(os.fstat(descriptor), directory.stat()):
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise BundleError(
                    "another edgekit run is writing this bundle",
                    where=directory,
                    remedy="wait until it has ended, or name another directory",
                ) from None
            time.sleep(0.02)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _refuse_if_in_the_way(directory: Path, force: bool, manifest: str) -> None:
    names = sorted(path.name for path in directory.iterdir())
    if not names:
        return
    if _old_model_name(directory) is None:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise BundleError(
            f"the directory is not empty and holds no bundle of edgekit's ({shown})",
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


def _refuse_if_full(directory: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise _full(directory, needed_bytes, free)


def _full(directory: Path, needed_bytes: int, free: int) -> BundleError:
    needs = f"{needed_bytes:,} bytes are needed, " if needed_bytes else ""
    return BundleError(
        f"not enough space: {needs}{free:,} are free",
        where=directory,
        remedy="free some space, or name another disk; a new bundle needs room beside the old one",
    )


@contextlib.contextmanager
def _telling_os_errors(directory: Path, needed_bytes: int) -> Iterator[None]:
    """Turn what the operating system says about the directory into a BundleError; other files' errors
    pass."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EFBIG:
            needs = f" ({needed_bytes:,} bytes are needed)" if needed_bytes else ""
            raise BundleError(
                f"a file grew beyond the allowed size{needs}",
                where=directory,
                remedy="raise the limit (ulimit -f), or name a directory whose file system takes large files",
            ) from error
        if error.errno in _NO_SPACE:
            free = shutil.disk_usage(directory).free if directory.is_dir() else 0
            raise _full(directory, needed_bytes, free) from error
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        if named is None and error.errno not in (errno.EIO, errno.EROFS):
            raise
        if (
            named is not None
            and named not in (directory, *directory.parents)
            and directory not in named.parents
        ):
            raise
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise BundleError(
                "there is a file where the bundle directory should be",
                where=named,
                remedy="name another directory",
            ) from error
        raise BundleError(
            f"cannot be written: {error.strerror}",
            where=named or directory,
            remedy="name a directory that you may write",
        ) from error


# ---------------------------------------- commit


def _commit(target: Path) -> None:
    """Make the staged files the bundle."""
    staging = target / _STAGING
    model_name = _old_model_name(staging)
    if model_name is None or not (staging / model_name).is_file():
        raise ValueError(f"{staging}: a bundle needs its manifest and the file that it names")
    for path in list(staging.iterdir()):
        if _is_cache(path.name, model_name):
            path.unlink()
    staged = [
        path.relative_to(staging).as_posix() for path in sorted(staging.rglob("*")) if not path.is_dir()
    ]
    old_model = _old_model_name(target)
    old = [] if old_model is None else _files_of_bundle(target, old_model)
    for name in staged:
        # Found out now, because after the commit there is no way back.
        blocked = [place for place in (target / name).parents if place.exists() and not place.is_dir()]
        if name not in old and os.path.lexists(target / name):
            blocked.append(target / name)
        if blocked:
            raise BundleError(
                "what edgekit did not make has the name of something new",
                where=blocked[0],
                remedy="move it away",
            )
    (staging / _STALE).write_text(json.dumps([name for name in old if name not in staged]), encoding="utf-8")
    for path in sorted(staging.rglob("*"), reverse=True):
        _sync(path)
    _sync(staging)
    staging.rename(target / _COMMIT)
    _sync(target)
    _finish(target)


def _finish(target: Path) -> None:
    """Carry out a commit, from wherever a killed run left it."""
    commit = target / _COMMIT
    if not commit.is_dir():
        return
    # Stale files go before the first new one comes; the list goes after the last stale one. So while the list
    # is there, everything that it names is still the old bundle's, however often this runs.
    stale = commit / _STALE
    if stale.exists():
        for name in _stale_names(stale):
            (target / name).unlink(missing_ok=True)
        stale.unlink()
    staged = [path for path in sorted(commit.rglob("*")) if not path.is_dir()]
    # The manifest last: as long as it is in the commit, some file may still have to move.
    for path in sorted(staged, key=lambda path: path.parent == commit and path.name in _NAMED_FILE):
        place = target / path.relative_to(commit)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
    _sync(target)
    shutil.rmtree(commit)
    reports = target / REPORTS_NAME
    if reports.is_dir() and not any(reports.iterdir()):
        reports.rmdir()


def _stale_names(path: Path) -> list[str]:
    """Read the list of stale files; a directory that came from elsewhere must not make us delete outside
    it."""
    try:
        names = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(
        is_plain_name(name)
        or (isinstance(name, str) and _OUR_REPORT.fullmatch(name.removeprefix(f"{REPORTS_NAME}/")))
        for name in names
    ):
        raise BundleError(
            "what an interrupted conversion left is damaged",
            where=path,
            remedy=f"delete {path.parent.name} yourself",
        )
    return names


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
