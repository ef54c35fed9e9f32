"""What is to be made: shared by all targets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.packaging.contents import AppContents
from edgekit.packaging.source import Source
from edgekit.packaging.targets.apk.identity import Identity
from edgekit.progress import SILENT, Progress

_PIECE = 4 << 20


@dataclass(frozen=True)
class Job:
    """A bundle and the app it goes into. icon: a square PNG, None for the sample app's own."""

    source: Source
    identity: Identity
    icon: Path | None
    abis: tuple[str, ...]
    progress: Progress = SILENT


Write = Callable[[Path], tuple[str, ...]]
"""Writes a target into an empty directory; gives the next commands to type, in which {output} is the directory."""


def place_assets(contents: AppContents, directory: Path, progress: Progress = SILENT) -> None:
    """Put the files of `assets/edgekit` into a directory; it is made, with the folders in it."""
    with progress.step("copy the bundle", contents.size, "bytes") as advance:
        for name, asset in contents.assets.items():
            place = directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(asset, bytes):
                place.write_bytes(asset)
                advance(len(asset))
            else:
                copy_file(asset, place, advance)


def copy_file(source: Path, place: Path, advance: Callable[[int], None]) -> None:
    """Copy a file and its permissions; tells how far it is."""
    with source.open("rb") as reading, place.open("wb") as writing:
        while piece := reading.read(_PIECE):
            writing.write(piece)
            advance(len(piece))
    shutil.copymode(source, place)


def write_text(path: Path, text: str) -> None:
    """Write a text file, with its directories; it ends with one newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
