"""A directory that appears whole or not at all.

Everything is written into `.NAME.part` beside its place (the same file system) and moved there by one rename. A
directory of an earlier run is moved out of the way first and removed afterwards; a run that is killed between the two
renames leaves it as `.NAME.old`, and the next run puts it back before it looks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files.lock import hold
from edgekit.files.trouble import naming_the_place, refuse_if_full, telling
from edgekit.files.whole import sync


@contextlib.contextmanager
def new_directory(
    directory: Path,
    *,
    record: str,
    force: bool = False,
    needed_bytes: int = 0,
    error: type[InputError] = InputError,
) -> Iterator[Path]:
    """Yield an empty directory to write into; it becomes `directory` when the block ends without an exception.

    record: name of a file that the block must write, by which the directory is known as an earlier output. force:
    replace one, edits included. A directory that holds other things is refused in any case. needed_bytes: checked
    against the free space first. Raises the given error when something is in the way, another run writes there, it
    cannot be written, or the disk is full.
    """
    target = Path(os.path.abspath(directory))  # noqa: PTH100 - resolves “..” without following links
    part, old = target.with_name(f".{target.name}.part"), target.with_name(f".{target.name}.old")
    with telling(target.parent, needed_bytes=needed_bytes, error=error), contextlib.ExitStack() as stack:
        _own(part, old, error)
        stack.enter_context(hold(part, error=error))
        try:
            if old.is_dir() and not os.path.lexists(target):
                old.rename(target)
            refuse_if_in_the_way(target, record=record, force=force, error=error)
            refuse_if_full(target.parent, needed_bytes, error=error)
            _empty(part)
            with naming_the_place(part, target):
                yield part
            if not (part / record).is_file():
                raise ValueError(f"{part}: {record} is missing")
            _put(part, target, old)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _own(part: Path, old: Path, error: type[InputError]) -> None:
    """Unlink what others may have planted in a folder that they can write to; refuse a directory that is theirs."""
    for place in (part, old):
        if place.is_symlink():
            place.unlink()
        elif place.is_dir() and place.stat().st_uid != os.geteuid():
            raise error(
                "another user's directory has the name of a temporary one",
                where=place,
                remedy="write to a folder of your own",
            )


def refuse_if_in_the_way(
    directory: Path, *, record: str, force: bool, error: type[InputError] = InputError
) -> None:
    """Raise the given error unless a directory may be written: not there, empty, or an earlier output and forced."""
    if not os.path.lexists(directory):
        return
    if not directory.is_dir():
        raise error(
            "there is a file where the output directory should be", where=directory, remedy="name another"
        )
    names = sorted(path.name for path in directory.iterdir())
    if not names:
        return
    if record not in names:
        raise error(
            f"the directory is not empty and edgekit has not made it ({some(names)})",
            where=directory,
            remedy="name a new or an empty directory; --force replaces earlier output only",
        )
    if not force:
        raise error(
            "there is an earlier output already",
            where=directory,
            remedy="pass --force to replace it, your changes to it included, or name another directory",
        )


def some(names: list[str]) -> str:
    """The first names of a directory, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _put(part: Path, target: Path, old: Path) -> None:
    for root, _, names in os.walk(part):
        for name in names:
            sync(Path(root, name))
        sync(Path(root))
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
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)
