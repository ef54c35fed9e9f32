"""Files of a directory that came from elsewhere: no link in it leads out, and nothing but a regular file is read.

Names are taken relative to an open directory, as openat(2) does, so that what a path meant when it was looked at is
what is read or moved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from edgekit.errors import EdgekitError, InputError

_BLOCK: Final = 1 << 20
_POINTER_BYTES: Final = 1023
POINTER: Final = "this is a git-lfs pointer, which stands for a file that was not fetched"
FETCH_IT: Final = "run `git lfs install && git lfs pull` in the repository, or download the file itself"


@contextlib.contextmanager
def opened_folder(path: Path | str, *, within: int | None = None, make: bool = False) -> Iterator[int]:
    """Open a directory that is no link, by its path or by its name in an open one, for the `dir_fd` of `os`.

    make: make it when it is missing. Raises OSError: ELOOP or ENOTDIR for a link.
    """
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, dir_fd=within)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_regular(path: Path | str, *, within: int | None = None, links: bool = False) -> int:
    """Open a regular file for reading; links: follow one. Raises OSError for anything else, and never waits."""
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW)
    if not stat.S_ISREG(os.stat(path, dir_fd=within, follow_symlinks=links).st_mode):
        # Asked before opening, too: to open a device can do something.
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    descriptor = os.open(path, flags, dir_fd=within)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def read_regular(
    path: Path | str, most: int, *, within: int | None = None, links: bool = True
) -> bytes | None:
    """Read a regular file; None when it has more bytes than `most`, however many it says that it has.

    Raises OSError as `open_regular` does.
    """
    with os.fdopen(open_regular(path, within=within, links=links), "rb", buffering=0) as file:
        blocks, left = [], most + 1
        while left and (block := file.read(min(left, _BLOCK))):
            blocks.append(block)
            left -= len(block)
    return None if left == 0 else b"".join(blocks)


def check_files(directory: Path, patterns: Sequence[str], *, error: type[EdgekitError] = InputError) -> None:
    """Raise the given error when a file that is to be read is a link out of its directory, a special file, or a
    pointer of git-lfs.

    patterns: of the names that are read; what else lies there does not matter. A link may lead to a file of the
    directory, or into the Hub's cache, whose snapshots are made of links. What others planted would otherwise be read,
    and with it published, in the name of the user.
    """
    real = Path(os.path.realpath(directory))
    homes = (real, *_hub_blobs(real))
    with os.scandir(directory) as entries:
        for entry in entries:
            if not any(fnmatchcase(entry.name, pattern) for pattern in patterns):
                continue
            if entry.is_symlink():
                target = Path(os.path.realpath(entry.path))
                if target.exists() and not any(home in target.parents for home in homes):
                    raise error(
                        "this is a link out of its directory, which is not followed",
                        where=entry.path,
                        remedy="put the file itself there (cp -L), or pass the directory that it lies in",
                    )
                kind = target.stat().st_mode if target.exists() else stat.S_IFREG
            else:
                kind = entry.stat(follow_symlinks=False).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise error(
                    "this is no file but a pipe, a socket or a device", where=entry.path, remedy="remove it"
                )
            if stat.S_ISREG(kind) and is_pointer(entry.path):
                raise error(
                    POINTER,
                    where=entry.path,
                    remedy=FETCH_IT,
                )


def is_pointer(path: Path | str) -> bool:
    """Tell whether a file is a pointer of git-lfs. Source: the git-lfs specification, "The Pointer"."""
    with contextlib.suppress(OSError):
        return (read_regular(path, _POINTER_BYTES) or b"").startswith(
            b"version https://git-lfs.github.com/spec/"
        )
    return False


def _hub_blobs(real: Path) -> list[Path]:
    """Where the links of a snapshot lead: the blobs beside it, and those of the Hub's cache."""
    found = []
    if real.parent.name == "snapshots":
        found.append(real.parent.parent / "blobs")
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    cache = Path(os.path.realpath(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub"))
    if cache.is_dir():
        found += [model / "blobs" for model in cache.iterdir() if model.name.startswith("models--")]
    return found
