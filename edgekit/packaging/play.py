"""Google Play's limits on what is downloaded, held against compressed sizes.

Play counts what a device downloads, which is compressed. Here that is estimated with deflate, level 6; large files are
sampled, which is told.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edgekit.figures import size
from edgekit.progress import SILENT, Advance, Progress

BASE_LIMIT: Final = 200_000_000
"""Bytes of the base module, install-time code and assets, in a compressed download."""

PACK_LIMIT: Final = 1_500_000_000
"""Bytes of one asset pack or AI pack in a compressed download."""

BASE_APP: Final = Path(__file__).with_name("base") / "app.apk"
"""The prebuilt sample app, which an app consists of beside engine and bundle."""

_SAMPLED_ABOVE: Final = 24 << 20
_PIECE: Final = 256 << 10
_PIECES: Final = 64
LEVEL: Final = 6
"""Of deflate."""

Fit = Literal["base", "pack", "none"]


@dataclass(frozen=True)
class Compressed:
    """A file's size, as it is and as it travels, in bytes. sampled: whether the second is an estimate from samples."""

    size: int
    compressed: int
    sampled: bool = False


@dataclass(frozen=True)
class PlaySize:
    """What Google Play would have a phone download.

    app: code, resources and engine libraries of the largest ABI, compressed. model: the bundle with its adapters,
    compressed. fit: "base" (everything in the base module), "pack" (the bundle only as an asset pack or AI pack) or
    "none".
    """

    app: int
    model: int
    sampled: bool
    fit: Fit

    @property
    def download(self) -> int:
        """Bytes of app and model together."""
        return self.app + self.model

    @property
    def advice(self) -> tuple[str, ...]:
        """What else to do for Google Play when everything does not fit into the base module."""
        return () if self.fit == "base" else ("for Google Play take --to ai-pack or --to asset-pack",)

    @property
    def sentence(self) -> str:
        """The verdict, for people."""
        about = "about " if self.sampled else ""
        whole, model = size(self.download), size(self.model)
        if self.fit == "base":
            limit = size(BASE_LIMIT)
            return f"fits into the base module: {about}{whole} to download, {limit} are allowed"
        if self.fit == "pack":
            return (
                f"fits as an asset pack or AI pack only: {about}{model} to download ({size(PACK_LIMIT)} are "
                f"allowed), with the app {whole}, and a base module may have {size(BASE_LIMIT)}"
            )
        return f"does not fit: {about}{model} to download, a pack may have {size(PACK_LIMIT)}"


def together(parts: Sequence[Compressed]) -> Compressed:
    """The sizes of several files as one."""
    return Compressed(
        sum(part.size for part in parts),
        sum(part.compressed for part in parts),
        any(part.sampled for part in parts),
    )


def measure(path: Path, *, threads: int = 2, progress: Progress = SILENT) -> Compressed:
    """Measure how small a file gets, on several threads; above 24 MiB from 64 pieces of 256 KiB, evenly spread."""
    size = path.stat().st_size
    starts = range(0, size, _PIECE)
    sampled = size > _SAMPLED_ABOVE
    if sampled:
        step = (size - _PIECE) / (_PIECES - 1)
        chosen = [round(number * step) for number in range(_PIECES)]
    else:
        chosen = list(starts)
    with (
        ThreadPoolExecutor(threads) as pool,
        progress.step("size for Google Play", max(1, min(size, len(chosen) * _PIECE)), "bytes") as advance,
    ):
        parts = list(pool.map(lambda start: _deflated(path, start, advance), chosen))
    read, packed = sum(part.size for part in parts), sum(part.compressed for part in parts)
    return Compressed(size, round(packed * size / read) if read else 0, sampled)


def app_size(engines: Sequence[Compressed]) -> Compressed:
    """Return what an app takes in a download beside its bundle: the base app's code and resources, and one engine.

    engines: for each ABI; a phone downloads one, of which the largest counts. Nothing without any, for what is no app.
    """
    if not engines:
        return Compressed(0, 0)
    with zipfile.ZipFile(BASE_APP) as base:
        entries = base.infolist()
    code = Compressed(
        sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    )
    return together([code, max(engines, key=lambda size: size.compressed)])


def judge(model: Compressed, app: Compressed) -> PlaySize:
    """Hold sizes against the limits. model: with its adapters. app: what travels beside them (`app_size`)."""
    fit: Fit = "none"
    if app.compressed + model.compressed <= BASE_LIMIT:
        fit = "base"
    elif model.compressed <= PACK_LIMIT and app.compressed <= BASE_LIMIT:
        fit = "pack"
    return PlaySize(app.compressed, model.compressed, model.sampled or app.sampled, fit)


def _deflated(path: Path, start: int, advance: Advance) -> Compressed:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        piece = file.read(_PIECE)
    advance(len(piece))
    return Compressed(len(piece), len(zlib.compress(piece, LEVEL)))
