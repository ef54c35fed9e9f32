"""What is built is kept under the digest of what it was built from.

So a step whose inputs did not change is not run again, two builds at a time do not disturb each other, and a running
test keeps its classes while the next ones are compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from android_build.layout import BUILD

_KEPT: Final = 3


def made(step: str, inputs: Iterable[Path | str], make: Callable[[Path], None]) -> Path:
    """Return the directory that a step makes, making it when it was not made of these inputs before.

    inputs: files and directories in the repository, which count with names and content, directories of another step,
    which count with their path (it holds their digest), and texts. make: fills the empty directory that it is given.
    """
    target = BUILD / step / digest_of(inputs)
    if target.is_dir():
        os.utime(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as name:
        work = Path(name) / step
        work.mkdir()
        make(work)
        try:
            work.rename(target)
        except OSError:  # another build was faster
            if not target.is_dir():
                raise
    print(f"  {step:18} {time.monotonic() - started:6.1f} s", flush=True)
    _forget_old(target.parent)
    return target


def digest_of(inputs: Iterable[Path | str]) -> str:
    """Return a digest of inputs as `made` takes them, 16 hexadecimal digits."""
    whole = hashlib.sha256()
    for part in _described(inputs):
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]


def _described(inputs: Iterable[Path | str]) -> Iterator[bytes]:
    for item in inputs:
        if isinstance(item, str) or item.is_relative_to(BUILD):
            yield str(item).encode()
        elif item.is_dir():
            for path in sorted(item.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path.relative_to(item).as_posix().encode()
                    yield path.read_bytes()
        else:
            yield item.name.encode()
            yield item.read_bytes()


def _forget_old(directory: Path) -> None:
    """Delete all but the newest results of a step; a running build may still use the one before."""
    used: dict[Path, float] = {}
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another build deletes it, too
            if not path.name.startswith(".making-"):
                used[path] = path.stat().st_mtime
    for old in sorted(used, key=used.__getitem__, reverse=True)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
