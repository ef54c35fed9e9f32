"""How much a JSON or TOML text would become, told from its brackets and commas before anything is built."""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 200
"""Arrays and objects in one another. Python's own bound is no bound where a library has raised it."""

_STRUCTURE: Final = b'[]{},"'
_REST: Final = bytes(set(range(256)) - set(_STRUCTURE))
_ESCAPED: Final = re.compile(rb'\\[\\"]')
_MOST_TOML_BRACKETS: Final = 20_000
_MOST_TOML_POINTS: Final = 400


def json_excess(content: bytes, values: int, depth: int = MAX_DEPTH) -> str | None:
    """What is too much about a JSON text: more values than this, or depth; None when it may be parsed.

    What follows a mistake in the text may be counted wrongly; the parser stops there.
    """
    commas_and_brackets = sum(map(content.count, (b",", b"[", b"{")))
    if commas_and_brackets <= depth:
        return None
    # Strings that hold none of the characters that count leave two quotes side by side.
    kept = without_escapes(content).translate(None, _REST).replace(b'""', b"")
    if commas_and_brackets > values:
        too_many = f"of more than {values:,} values"
        if kept.count(b'"') > 4 * values:
            return too_many
        kept = b"".join(kept.split(b'"')[::2])
        if sum(map(kept.count, (b",", b"[", b"{"))) > values:
            return too_many
    else:
        kept = b"".join(kept.split(b'"')[::2])
    open_ones = 0
    for bracket in kept.translate(None, b","):
        open_ones += 1 if bracket in b"[{" else -1
        if open_ones > depth:
            return f"nested deeper than {depth} levels"
    return None


def without_escapes(content: bytes) -> bytes:
    """A JSON text whose every quote begins or ends a string."""
    return _ESCAPED.sub(b"", content)


def toml_excess(content: bytes) -> str | None:
    """What is too much about a TOML text, which Python's parser reads by calling itself; None when it may be parsed."""
    if content.count(b"[") + content.count(b"{") > _MOST_TOML_BRACKETS:
        return f"holds more than {_MOST_TOML_BRACKETS:,} brackets"
    for number, line in enumerate(content.split(b"\n"), 1):
        if (
            line.count(b".") > _MOST_TOML_POINTS
        ):  # a key of so many parts is gone through with each one after it
            return f"holds more than {_MOST_TOML_POINTS} points in line {number}"
    return None


def protobuf_excess(content: bytes, fields: int, large: int) -> str | None:
    """What is too much about a protobuf message: more fields than this, or one of more bytes than `large`.

    Looks at the outermost fields, as far as they are well formed; each costs a hundred bytes or two in memory.
    """
    position, size = 0, len(content)
    for _ in range(fields):
        if position >= size:
            return None
        tag, position = _varint(content, position)
        kind = tag & 7
        if kind == 2:
            length, position = _varint(content, position)
            if length > size - position:
                return None
            if length > large:
                return f"holds a field of {length:,} bytes"
            position += length
        elif kind == 0:
            _, position = _varint(content, position)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            return None  # groups are of another age, the rest is damage: the parser stops here
    return None if position >= size else f"holds more than {fields:,} fields"


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(content) and shift < 70:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            break
    return value, position
