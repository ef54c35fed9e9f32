"""The map from a trimmed vocabulary's ids to those of the whole one, as the manifest holds it.

New id n was the n-th of the kept old ids. They are written as stretches, `0-270,512,600-31000`: next to always a few
hundred of them, because the ids of Gemma's pieces follow the order of their merges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MAX_IDS: Final = 1 << 20
"""Four times Gemma's vocabulary."""

_STRETCH = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def write_kept(ids: Sequence[int]) -> str:
    """Write old ids, in the order of the new ones."""
    stretches: list[list[int]] = []
    for number in ids:
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in stretches)


def read_kept(text: str, *, rows: int, most: int = MAX_IDS) -> tuple[int, ...]:
    """Read what `write_kept` wrote; rows: of the whole vocabulary. most: how many ids there may be.

    Raises ValueError, with the stretch at fault, for anything that is no such list: not written so, too many ids, an
    id that is not below `rows`, or one that comes twice.
    """
    ids: list[int] = []
    for stretch in text.split(","):
        found = _STRETCH.fullmatch(stretch)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last < rows:
            raise ValueError(f"{stretch[:40]!r} is no stretch of ids below {rows:,}")
        if (
            len(ids) + last - first >= most
        ):  # before they are written out: a few characters can stand for gigabytes
            raise ValueError(f"{stretch!r} makes more than {most:,} ids")
        ids.extend(range(first, last + 1))
    if len(set(ids)) != len(ids):
        raise ValueError("an id comes twice")
    return tuple(ids)
