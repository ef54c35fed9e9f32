"""A file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from edgekit.errors import InputError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def new_file(path: Path, needed_bytes: int) -> Iterator[FileIO]:
    """Write a file beside its place, and put it there when the block ends without an exception.

    A file that is there is replaced then, and not before. What a killed run left (`.NAME.part`) is overwritten by the
    next. needed_bytes: how large it will be, checked against the free space first. Yields the file, open for reading
    and writing, without a buffer. Raises InputError when there is no space, the directory cannot be
    written, or another run is writing the same file.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise InputError(
                "there is a directory where the app should be", where=path, remedy="name another file"
            )
        file = _open_locked(part, path)
        try:
            _refuse_if_full(path.parent, needed_bytes)
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
            _sync_directory(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        finally:
            with contextlib.suppress(OSError):  # closing flushes, which fails again on a full disk
                file.close()
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if error.filename is not None else None
        if named not in (None, part, path, *path.parents):
            raise
        if error.errno in _NO_SPACE:
            free = shutil.disk_usage(path.parent).free
            raise _full(path.parent, needed_bytes, free) from error
        if error.errno == errno.EFBIG:
            raise InputError(
                f"the app grew beyond the allowed size: {needed_bytes:,} bytes are needed",
                where=path,
                remedy="raise the limit (ulimit -f), or name a file system that takes large files",
            ) from error
        raise InputError(
            f"the app cannot be written: {error.strerror}",
            where=named or path,
            remedy="name a directory that you may write",
        ) from error


def _open_locked(part: Path, path: Path) -> FileIO:
    """Open the file beside, empty, and lock it until it is closed or moved away."""
    import fcntl  # only where there is one: the rest of edgekit imports without

    while True:
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise InputError(
                "another edgekit run is writing this app", where=path, remedy="wait until it has ended"
            ) from None
        # The other run may have moved the file to its place between our opening and locking it.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), part.stat()):
                file.truncate()
                return file
        file.close()


def _refuse_if_full(directory: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise _full(directory, needed_bytes, free)


def _full(directory: Path, needed_bytes: int, free: int) -> InputError:
    return InputError(
        f"not enough space: {needed_bytes:,} bytes are needed, {free:,} are free",
        where=directory,
        remedy="free some space, or name another disk",
    )


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
