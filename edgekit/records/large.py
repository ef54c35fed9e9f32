"""A JSON object of tens of megabytes, nearly all of them in a few values whose type is known.

A tokenizer.json of 262,144 pieces has 33 MB. Python's parser takes two seconds and 600 MB for it; msgspec, told that
there is a mapping to ids and a list of pairs, a fifth of the time.
"""

from __future__ import annotations

import gc
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from edgekit.errors import CheckpointError, EdgekitError
from edgekit.records.documents import MAX_JSON_VALUES, parse_json_object
from edgekit.records.extent import json_excess, without_escapes

_MOST: Final = 1 << 63
_USUAL_RECURSION: Final = 3000
_COLON: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_SMALL: Final = 1 << 20
"""Bytes below which there is nothing to gain."""


def parse_large_object(
    content: bytes,
    *,
    parent: str,
    large: Mapping[str, Sequence[Any]],
    where: str | Path,
    remedy: str | None = None,
    error: type[EdgekitError] = CheckpointError,
    max_values: int = MAX_JSON_VALUES,
) -> dict[str, Any]:
    """Parse UTF-8 JSON that holds one object, as `parse_json_object` does when strict, with the same errors.

    large: the types that values of the object under `parent` may have, by key: mappings to whole numbers, or lists
    without mappings. Where a file has other types there, it is parsed in the ordinary way, and lists stay lists.
    """
    parts = None
    if len(content) >= _SMALL and _bounded(content, max_values):
        parts = _parts(content, parent, large)
    rest, values = parts or (content, {})
    document = parse_json_object(
        rest, where=where, remedy=remedy, error=error, max_values=max_values, strict=True
    )
    if values:
        document[parent] |= values
    return document


def _bounded(content: bytes, max_values: int) -> bool:
    """Whether msgspec may look at it: it counts no values, and takes Python's recursion limit for its own."""
    if (
        sys.getrecursionlimit() <= _USUAL_RECURSION
        and content.count(b",") + content.count(b"[") <= max_values
    ):
        return True
    return not json_excess(content, max_values)


def _parts(
    content: bytes, parent: str, large: Mapping[str, Sequence[Any]]
) -> tuple[bytes, dict[str, Any]] | None:
    """(the text with nothing in the large values, those values); None for what the ordinary parser must look at."""
    fields: list[Any] = [(key, msgspec.Raw) for key in large]
    inner = msgspec.defstruct("Inner", fields)
    outer = msgspec.defstruct("Outer", [("inner", inner)], rename={"inner": parent})
    values: dict[str, Any] = {}
    spans: list[tuple[int, int, bytes]] = []
    try:
        found = msgspec.json.decode(content, type=outer).inner  # type: ignore[attr-defined]
        for key, kinds in large.items():
            raw = bytes(getattr(found, key))
            values[key] = _decoded(raw, kinds)
            mapping = isinstance(values[key], dict)
            start = _only_place(content, key, raw)
            if start < 0 or (mapping and not _sound(values[key], raw)):
                return None
            spans.append((start, start + len(raw), b"{}" if mapping else b"[]"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    rest, position = b"", 0
    for start, stop, nothing in sorted(spans):
        rest += content[position:start] + nothing
        position = stop
    return rest + content[position:], values


def _decoded(raw: bytes, kinds: Sequence[Any]) -> Any:
    """Decode a value of one of some types. Not of their union: msgspec takes a quarter longer for one."""
    with uncollected():
        for kind in kinds[:-1]:
            with suppress(msgspec.ValidationError):
                return msgspec.json.decode(raw, type=kind)
        return msgspec.json.decode(raw, type=kinds[-1])


def _only_place(content: bytes, key: str, raw: bytes) -> int:
    """Where the value of a key begins; -1 unless it stands in one place. The key's text may be another value too."""
    places = []
    quoted = json.dumps(key).encode()
    at = content.find(quoted)
    while at >= 0:
        match = _COLON.match(content, at + len(quoted))
        if match and content.startswith(raw, match.end()):
            places.append(match.end())
        at = content.find(quoted, at + 1)
    return places[0] if len(places) == 1 else -1


def _sound(mapping: dict[str, int], raw: bytes) -> bool:
    """Whether no key is written twice, and no number has hundreds of digits."""
    keys = without_escapes(raw).count(b'"') // 2
    return keys == len(mapping) and (not keys or max(map(abs, mapping.values())) <= _MOST)


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold the garbage collector, which would look at half a million new objects again and again."""
    held = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if held:
            gc.enable()
