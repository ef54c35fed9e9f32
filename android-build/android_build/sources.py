"""What a prebuilt base or library is made from, as one digest: it tells cheaply if it is older than its sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from android_build.layout import CATALOG, COORDINATES, IN_APP, ROOT, TOOLS, Module

_GENERATED: Final = ("assets", "jniLibs")
_LISTS: Final = ("app", "kotlin", "aapt2", "android", "manifest-merger", "r8")


def source_digest(modules: Sequence[Module] = IN_APP) -> str:
    """Return the SHA-256 of modules' sources, the versions of their libraries and of the tools that build them."""
    whole = hashlib.sha256()
    for path in sorted(_files(modules)):
        whole.update(
            f"{path.relative_to(ROOT).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return whole.hexdigest()


def _files(modules: Sequence[Module]) -> Iterator[Path]:
    for module in modules:
        for path in module.main.rglob("*"):
            if path.is_file() and path.relative_to(module.main).parts[0] not in _GENERATED:
                yield path
        yield from module.directory.glob("*-rules.pro")
    yield CATALOG
    yield from (TOOLS / "native" / "include").glob("*.h")
    yield from (COORDINATES / f"{name}.txt" for name in _LISTS)
