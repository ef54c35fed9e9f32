"""A directory that appears whole or not at all.

Everything is written into `.NAME.part` beside its place (the same file system) and moved there by one rename. A
directory of an earlier run is moved out of the way first and removed afterwards; a run that is killed between the two
renames leaves it as `.NAME.old`, and the next run puts it back before it looks.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edgekit.errors import InputError

RECORD_NAME: Final = "edgekit-package.json"
"""By which a directory is known as ours: what was packaged, and how."""

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def new_folder(directory: Path, *, force: bool, needed_bytes: int) -> Iterator[Path]:
    """Yield an empty directory to write into; it becomes `directory` when the block ends without an exception.

    The block must write the record. force: replace what an earlier run has written there, edits included. A directory
    that holds other things is refused in any case. needed_bytes: checked against the free space first. Raises
    InputError when something is in the way, another run writes there, it cannot be written, or the disk is full.
    """
    target = Path(os.path.abspath(directory))  # noqa: PTH100 - resolves “..” without following links
    part, old = target.with_name(f".{target.name}.part"), target.with_name(f".{target.name}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(part, target)
        try:
            if old.is_dir() and not target.exists():
                old.rename(target)
            refuse_if_in_the_way(target, force=force)
            _refuse_if_full(target.parent, needed_bytes)
            _empty(part)
            yield part
            if not (part / RECORD_NAME).is_file():
                raise ValueError(f"{part}: {RECORD_NAME} is missing")
            _put(part, target, old)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        finally:
            os.close(lock)
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        if error.errno in _NO_SPACE:
            raise _full(target.parent, needed_bytes) from error
        if named is not None and target.parent not in (named, *named.parents):
            raise
        raise InputError(
            f"the output cannot be written: {error.strerror}",
            where=target if named is None or part in (named, *named.parents) else named,
            remedy="name a directory that you may write",
        ) from error


def refuse_if_in_the_way(directory: Path, *, force: bool) -> None:
    """Raise InputError unless a directory may be written: it is not there, empty, or an earlier output and forced."""
    if not os.path.lexists(directory):
        return
    if not directory.is_dir():
        raise InputError(
            "there is a file where the output directory should be", where=directory, remedy="name another"
        )
    names = sorted(path.name for path in directory.iterdir())
    if not names:
        return
    if RECORD_NAME not in names:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise InputError(
            f"the directory is not empty and edgekit package has not made it ({shown})",
            where=directory,
            remedy="name a new or an empty directory; --force replaces earlier output only",
        )
    if not force:
        raise InputError(
            "there is an earlier output already",
            where=directory,
            remedy="pass --force to replace it, your changes to it included, or name another directory",
        )


def write_record(directory: Path, facts: dict[str, Any]) -> None:
    """Write the record of what was packaged."""
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    (directory / RECORD_NAME).write_text(f"{text}\n", encoding="utf-8")


def _lock(part: Path, target: Path) -> int:
    """Make the directory beside and lock it until the descriptor is closed."""
    import fcntl  # only where there is one: the rest of edgekit imports without

    while True:
        part.mkdir(exist_ok=True)
        try:
            descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # the other run has just moved or removed it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(
                "another edgekit run is writing here", where=target, remedy="wait until it has ended"
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), part.stat()):
                return descriptor
        os.close(descriptor)


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _put(part: Path, target: Path, old: Path) -> None:
    _sync(part)
    if target.is_symlink():  # the user's link stays, what it leads to is replaced
        target = Path(os.path.realpath(target))
    if old.exists():
        shutil.rmtree(old)
    if target.exists():
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync(directory: Path) -> None:
    for root, _, names in os.walk(directory):
        for name in names:
            descriptor = os.open(Path(root, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _refuse_if_full(directory: Path, needed_bytes: int) -> None:
    if shutil.disk_usage(directory).free < needed_bytes:
        raise _full(directory, needed_bytes)


def _full(directory: Path, needed_bytes: int) -> InputError:
    free = shutil.disk_usage(directory).free
    return InputError(
        f"not enough space: {needed_bytes:,} bytes are needed, {free:,} are free",
        where=directory,
        remedy="free some space, or name another disk",
    )
