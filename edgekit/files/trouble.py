"""What the operating system says about a place that is written to, as an error that tells what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edgekit.errors import EdgekitError, InputError

_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def telling(place: Path, *, needed_bytes: int = 0, error: type[InputError] = InputError) -> Iterator[None]:
    """Turn an OSError about a place, something within it, or a directory above into the given error.

    needed_bytes: what is to be written there, if that is known. Errors about other files pass.
    """
    try:
        yield
    except OSError as cause:
        if cause.errno in _NO_SPACE:
            raise _full(place, needed_bytes, error) from cause
        needs = f" ({needed_bytes:,} bytes are needed)" if needed_bytes else ""
        if cause.errno == errno.EFBIG:
            raise error(
                f"a file grew beyond the allowed size{needs}",
                where=place,
                remedy="raise the limit (ulimit -f), or name a place whose file system takes large files",
            ) from cause
        named = Path(os.fsdecode(cause.filename)) if isinstance(cause.filename, str | bytes) else None
        if named is None and cause.errno not in (errno.EIO, errno.EROFS):
            raise
        if named is not None and named not in (place, *place.parents) and place not in named.parents:
            raise
        if isinstance(cause, FileExistsError | NotADirectoryError):
            raise error(
                "there is a file where a directory should be", where=named, remedy="name another directory"
            ) from cause
        raise error(
            f"cannot be written: {cause.strerror}",
            where=named or place,
            remedy="name a place that you may write to",
        ) from cause


@contextlib.contextmanager
def naming_the_place(temporary: Path, place: Path) -> Iterator[None]:
    """Let errors name the place where something is to be, and not where it is being made."""
    try:
        yield
    except EdgekitError as error:
        for part in ("message", "where", "remedy"):
            if (text := getattr(error, part)) is not None:
                setattr(error, part, text.replace(str(temporary), str(place)))
        raise


def refuse_if_full(place: Path, needed_bytes: int, *, error: type[InputError] = InputError) -> None:
    """Raise the given error when a file or directory of that size does not fit beside what is there."""
    if _free(place) < needed_bytes:
        raise _full(place, needed_bytes, error)


def _free(place: Path) -> int:
    """Bytes that are free where a place is, or will be."""
    there = next((path for path in (place, *place.parents) if path.is_dir()), None)
    return 0 if there is None else shutil.disk_usage(there).free


def _full(place: Path, needed_bytes: int, error: type[InputError]) -> InputError:
    needs = f"{needed_bytes:,} bytes are needed, " if needed_bytes else ""
    return error(
        f"not enough space: {needs}{_free(place):,} are free",
        where=place,
        remedy="free some space, or name another disk; what is new needs room beside what is old",
    )
