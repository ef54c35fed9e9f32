"""Locks between runs. Each is the kernel's, and dies with its process."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgekit.errors import InputError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PAUSE: Final = 0.02  # seconds between two tries


def lock(path: Path) -> BaseFileLock:
    """Return a context that waits until nobody else makes a file of a cache: its lock is the file `PATH.lock`, kept.

    The directory must be there.
    """
    from filelock import FileLock

    return FileLock(path.with_suffix(".lock"))


@contextlib.contextmanager
def hold(directory: Path, *, seconds: float = 0.0, error: type[InputError] = InputError) -> Iterator[None]:
    """Make a directory when it is missing, and keep other runs from writing there until the block ends.

    directory: no link. It is the directory that is locked, hence no lock file stays behind where people look. Linux and
    macOS. Raises the given error when another process still holds it after so many seconds, OSError as it comes.
    """
    deadline = time.monotonic() + seconds
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:  # another run gave up at this moment and removed what it had made
            continue
        try:
            if take(descriptor, directory, deadline, error):
                yield
                return
        finally:
            os.close(descriptor)


def take(descriptor: int, path: Path, deadline: float, error: type[InputError] = InputError) -> bool:
    """Lock an open file or directory until it is closed; False when its path names another one by now.

    deadline: of `time.monotonic`, until which to wait for who holds it. Raises the given error after that.
    """
    import fcntl  # only where there is one: the rest of edgekit imports without

    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise busy(path, error) from None
            time.sleep(_PAUSE)
    # Whoever held it before may have removed it, or moved it to its place.
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    return False


def busy(place: Path, error: type[InputError] = InputError) -> InputError:
    """Return the error for a place where another run is writing."""
    return error(
        "another edgekit run is writing here", where=place, remedy="wait until it has ended, or name another"
    )
