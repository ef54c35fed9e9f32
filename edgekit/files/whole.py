"""A file that appears whole or not at all.

It is written into `.NAME.part` beside its place (the same file system), synced, and moved there by one rename. What a
killed run leaves is deleted by the next run that writes the same file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from edgekit.errors import InputError
from edgekit.files.lock import take
from edgekit.files.trouble import refuse_if_full, telling

_SECONDS: Final = 10.0
_LONGEST: Final = 80  # letters of the name that go into the name beside: file systems take 255 bytes


@contextlib.contextmanager
def whole(
    path: Path,
    *,
    needed_bytes: int = 0,
    private: bool = False,
    seconds: float = _SECONDS,
    error: type[InputError] = InputError,
) -> Iterator[FileIO]:
    """Write a file beside its place, and put it there when the block ends without an exception.

    Directories are made when missing; a file that is there is replaced at the end, and not before.
    needed_bytes: how large it will be, if that is known; checked against the free space first. private: nobody but the
    user may read it. seconds: how long to wait for another run that writes the same file.
    Yields the file, open for reading and writing, without a buffer. Raises the given error when there is no space, the
    place cannot be written, or another run writes there.
    """
    part = path.with_name(f".{path.name[:_LONGEST]}.part")
    with telling(path.parent, needed_bytes=needed_bytes, error=error):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise error("there is a directory where a file should be", where=path, remedy="name another file")
        file = _open_new(part, 0o600 if private else 0o666, time.monotonic() + seconds, error)
        try:
            refuse_if_full(path.parent, needed_bytes, error=error)
            yield file
            os.fsync(file.fileno())
            part.replace(path)
            sync(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        finally:
            file.close()


def write_whole(
    path: Path, content: bytes | str, *, private: bool = False, error: type[InputError] = InputError
) -> None:
    """Write a small file at once, text as UTF-8. Raises as `whole` does."""
    data = memoryview(content.encode() if isinstance(content, str) else content)
    with whole(path, needed_bytes=len(data), private=private, error=error) as file:
        while data:
            data = data[file.write(data) :]


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_new(part: Path, mode: int, deadline: float, error: type[InputError]) -> FileIO:
    """Make the file beside and lock it until it is closed.

    It is always a new file: what lies there, be it a link, is deleted, unless its writer still lives.
    """
    while True:
        try:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        except FileExistsError:
            _sweep(part, deadline, error)
            continue
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            if take(descriptor, part, deadline, error):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # another run took it for a leftover before it was locked


def _sweep(part: Path, deadline: float, error: type[InputError]) -> None:
    """Delete what a killed run left, or wait for a run that is alive."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError:  # a link, or a file that may not be read: nothing that a running writer holds
        part.unlink(missing_ok=True)
        return
    try:
        if take(descriptor, part, deadline, error):
            part.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
