"""What the hand-written pages say: their commands, and how a command is meant to be read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
    ROOT / "android-sample" / "README.md",
    ROOT / "android-build" / "README.md",
]
_BLOCK = re.compile(
    r"(?:<!-- (?P<marker>[^>]*?) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
_INLINE = re.compile(r"(?<!`)`(edgekit [^`]+)`")


@dataclass(frozen=True)
class Command:
    """One command of a page: its words, and the exit codes that the page expects; none when it is not run."""

    words: tuple[str, ...]
    line: int
    exits: tuple[int, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)


def commands(page: Path) -> Iterator[Command]:
    """Commands in the page's `sh` blocks, in order.

    A block is run unless the comment before it says `not run: WHY`; `exit 1` and `exit 0 or 1: WHY` name the exit
    codes to expect.
    """
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        if block["language"] != "sh":
            continue
        first = text.count("\n", 0, block.start("text")) + 1
        for offset, words in _lines(block["text"]):
            yield Command(words, first + offset, _exits(block["marker"] or "exit 0"))


def files(page: Path) -> dict[str, str]:
    """Files that the page has its reader write: blocks behind a comment `file: NAME`."""
    blocks = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return {
        block["marker"].removeprefix("file: "): block["text"]
        for block in blocks
        if (block["marker"] or "").startswith("file: ")
    }


def mentioned(page: Path) -> Iterator[tuple[str, ...]]:
    """Commands of edgekit that stand inside a sentence, without the blocks."""
    for found in _INLINE.finditer(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        yield tuple(shlex.split(" ".join(found[1].split())))


def _lines(block: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    number, pending = 0, ""
    for index, line in enumerate(block.splitlines()):
        number = number if pending else index
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        for part in pending.split(" && "):
            if words := shlex.split(part, comments=True):
                yield number, tuple(words)
        pending = ""


def _exits(marker: str) -> tuple[int, ...]:
    if marker.startswith("not run: "):
        return ()
    codes = re.match(r"exit ([\d or]+)", marker)
    return tuple(int(code) for code in codes[1].split(" or ")) if codes else (0,)
