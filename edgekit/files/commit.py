"""Several files of a directory that change together: all of them, or none.

No file system replaces several files at once. So it is done the way a database commits, with a redo log:

1. everything is written into `.edgekit-staging/` inside the directory (the same file system, hence renames
never copy) and synced to the disk; what is there stays untouched; 2. one rename, `.edgekit-staging` →
`.edgekit-commit`, is the commit: before it the old files count, after it the new ones; 3. stale files go, the
new ones move to their places, those that tell of the others last.

A run killed in 1 leaves the old files and some leftovers, which the next run deletes. A run killed in 3
(a few renames, and the disk's word that they are done) leaves `.edgekit-commit`, and the next writer finishes the
moves before it looks. Readers never do: a directory that came from elsewhere may hold a commit that somebody made,
and looking at it must not change a file. They say so: `refuse_unfinished`. Each step of 3 can be repeated safely. A
file is never half new: it moves by a rename, relative to an open directory, so that no link among the directories is
followed.

Swapping whole directories with Linux's `renameat2(RENAME_EXCHANGE)` was considered: it has no gap at all, but
fails on mount points (`-o /out` in a container) and several file systems, needs the user's own files carried
across, and pulls the directory away from under shells and file managers.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files.lock import hold
from edgekit.files.trouble import naming_the_place, refuse_if_full, telling
from edgekit.files.whole import sync
from edgekit.files.within import opened_folder, read_regular

_STAGING = ".edgekit-staging"
_COMMIT = ".edgekit-commit"
_STALE = ".edgekit-stale.json"  # in staging and commit: what of the old files must go; removed when done
_WAIT_SECONDS = 10
_MOST_STALE = 1 << 20


@dataclass(frozen=True)
class Layout:
    """What a directory is made of; names are relative, with / between their parts.

    refuse: raises when a directory may not be written. prepare: looks at what was staged before it is committed, may
    delete some of it, and returns which files of the directory it replaces. may_go: whether a name is one that we may
    have made, and so may delete. last: files that tell of the others. folders: removed when nothing is left in them.
    """

    refuse: Callable[[Path], None]
    prepare: Callable[[Path, Path], list[str]]
    may_go: Callable[[str], bool]
    last: frozenset[str]
    folders: tuple[str, ...]
    error: type[InputError]


@contextlib.contextmanager
def new_contents(target: Path, layout: Layout, *, needed_bytes: int = 0) -> Iterator[Path]:
    """Yield an empty directory to write into; what is in it moves into `target` when the block ends without an
    exception, all of it or nothing.

    target: a path without links, made when missing, with its parents. needed_bytes: checked against the free space
    first (the old files stay until the new ones are complete).
    When the block raises (KeyboardInterrupt included), everything is as before. Raises the layout's error when
    something is in the way, another run writes here, the directory cannot be written, or the disk is full.
    """
    error, staging = layout.error, target / _STAGING
    with telling(target, needed_bytes=needed_bytes, error=error):
        existed = target.is_dir()
        with hold(target, error=error):
            try:
                _finish(target, layout)
                _discard(staging)
                layout.refuse(target)
                refuse_if_full(target, needed_bytes, error=error)
                staging.mkdir()
                with naming_the_place(staging, target):
                    yield staging
                _commit(target, layout)
            finally:
                # An error that brought us here matters more than what remains, and the next run sweeps.
                with contextlib.suppress(OSError):
                    _discard(staging)
                if not existed:
                    with contextlib.suppress(OSError):
                        target.rmdir()  # only succeeds when nothing came of it


def refuse_unfinished(directory: Path, layout: Layout) -> None:
    """Raise the layout's error when a killed run left the directory between two states. Readers call it first.

    Waits 10 seconds for a run that is at it.
    """
    if not os.path.lexists(directory / _COMMIT):
        return
    directory = Path(os.path.realpath(directory))
    with hold(directory, seconds=_WAIT_SECONDS, error=layout.error):
        if not os.path.lexists(directory / _COMMIT):
            return
    raise layout.error(
        "a run was killed while it put its files in place",
        where=directory,
        remedy="if it was yours, run the same command again, which finishes it; if the directory came from elsewhere, "
        f"delete {_COMMIT} in it",
    )


def was_interrupted(directory: Path) -> bool:
    """Tell whether a killed (or a running) run left unfinished files here."""
    return (directory / _STAGING).is_dir()


def _commit(target: Path, layout: Layout) -> None:
    """Make the staged files those of the directory."""
    staging = target / _STAGING
    old = layout.prepare(staging, target)
    staged = [path.relative_to(staging).as_posix() for path in _files(staging)]
    if foreign := [name for name in staged if not layout.may_go(name)]:
        raise ValueError(f"{staging / foreign[0]}: not a name of the layout")
    for name in staged:
        # Found out now, because after the commit there is no way back.
        blocked = [
            place
            for place in (target / name).parents
            if os.path.lexists(place) and place != target and (place.is_symlink() or not place.is_dir())
        ]
        if name not in old and os.path.lexists(target / name):
            blocked.append(target / name)
        if blocked:
            raise layout.error(
                "what edgekit did not make has the name of something new",
                where=blocked[0],
                remedy="move it away",
            )
    (staging / _STALE).write_text(json.dumps([name for name in old if name not in staged]), encoding="utf-8")
    for path in sorted(staging.rglob("*"), reverse=True):
        sync(path)
    sync(staging)
    staging.rename(target / _COMMIT)
    sync(target)
    _finish(target, layout)


def _finish(target: Path, layout: Layout) -> None:
    """Carry out a commit, from wherever a killed run left it."""
    commit = target / _COMMIT
    if not os.path.lexists(commit):
        return
    try:
        with opened_folder(target) as there, opened_folder(_COMMIT, within=there) as here:
            if os.fstat(here).st_uid != os.geteuid():
                raise _damaged(commit, layout)
            _move(there, here, commit, layout)
    except OSError as cause:
        if cause.errno in (errno.ELOOP, errno.ENOTDIR, errno.EINVAL):  # a link, or something special
            raise _damaged(commit, layout) from cause
        raise
    shutil.rmtree(commit)
    for folder in layout.folders:
        with contextlib.suppress(OSError):
            (target / folder).rmdir()  # only succeeds when it is empty


def _move(there: int, here: int, commit: Path, layout: Layout) -> None:
    """Delete what is stale in a directory (`there`) and move to it what is in the commit (`here`)."""
    # Everything is looked at before anything is touched.
    names = _committed(here, commit, layout)
    # Stale files go before the first new one comes; the list goes after the last stale one. So while the list
    # is there, everything that it names is still old, however often this runs.
    stale = _stale_names(here, commit / _STALE, layout)
    for name in stale:
        with contextlib.suppress(FileNotFoundError), _parent(there, name) as (parent, last):
            os.unlink(last, dir_fd=parent)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_STALE, dir_fd=here)
    # Those that tell of the others last: as long as one is in the commit, some file may still have to move.
    for name in sorted(names, key=lambda name: name in layout.last):
        with _parent(here, name) as (source, last), _parent(there, name, make=True) as (place, _):
            os.replace(last, last, src_dir_fd=source, dst_dir_fd=place)
    os.fsync(there)
    for folder in layout.folders:
        with contextlib.suppress(FileNotFoundError), opened_folder(folder, within=there) as part:
            os.fsync(part)


@contextlib.contextmanager
def _parent(directory: int, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open directory in which a name of the layout lies, and the last part of the name."""
    folder, _, last = name.rpartition("/")
    if not folder:
        yield directory, last
        return
    with opened_folder(folder, within=directory, make=make) as parent:
        yield parent, last


def _committed(here: int, commit: Path, layout: Layout) -> list[str]:
    """The names in a commit; raises the layout's error for what no run of ours puts there."""
    names = []
    for folder in ("", *layout.folders):
        try:
            with contextlib.ExitStack() as stack:
                part = stack.enter_context(opened_folder(folder, within=here)) if folder else here
                for entry in os.scandir(part):
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if name in layout.folders or name == _STALE:
                        continue
                    if not entry.is_file(follow_symlinks=False) or not layout.may_go(name):
                        raise _damaged(commit / name, layout)
                    names.append(name)
        except FileNotFoundError:
            continue
    return sorted(names)


def _stale_names(here: int, path: Path, layout: Layout) -> list[str]:
    """Read the list of stale files; a directory that came from elsewhere must not make us delete outside it."""
    try:
        content = read_regular(_STALE, _MOST_STALE, within=here, links=False)
    except FileNotFoundError:
        return []
    try:
        names = json.loads(b"" if content is None or content.count(b"[") > 1 else content)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(
        isinstance(name, str) and layout.may_go(name) for name in names
    ):
        raise _damaged(path, layout)
    return names


def _damaged(path: Path, layout: Layout) -> InputError:
    return layout.error(
        "what an interrupted run left is damaged", where=path, remedy=f"delete {_COMMIT} yourself"
    )


def _files(directory: Path) -> Iterable[Path]:
    return [path for path in sorted(directory.rglob("*")) if path.is_symlink() or not path.is_dir()]


def _discard(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
