"""JSON and TOML files as values: bounded, UTF-8, no key twice.

Most of what is read here belongs to others (a checkpoint's tokenizer, a config). What edgekit itself writes goes on to
`edgekit.records.codec.decode`.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from edgekit.errors import CheckpointError, EdgekitError, InputError
from edgekit.files.within import read_regular
from edgekit.records.extent import json_excess, toml_excess

Json: TypeAlias = Any
"""Whatever JSON can hold, passed on as it is."""

MAX_JSON_BYTES: Final = 8 << 20
"""Of a checkpoint's small files the largest is Gemma's tokenizer_config.json, with 1.2 MB. In memory, JSON can take
twenty times its size."""

MAX_JSON_VALUES: Final = 400_000
"""The same file holds 60,000. A value takes a hundred bytes."""

MAX_TOML_BYTES: Final = 256 << 10

_MOST_DIGITS: Final = 40
"""Transformers' "no limit" has 31; float() fails on 310."""
_HALF_PAIR: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json_object(
    path: Path,
    *,
    remedy: str | None = None,
    error: type[EdgekitError] = CheckpointError,
    max_bytes: int = MAX_JSON_BYTES,
    max_values: int = MAX_JSON_VALUES,
    strict: bool = False,
) -> dict[str, Any]:
    """Read a UTF-8 JSON file that holds one object.

    strict: see `parse_json`. Raises the given error, naming the file, when it is absent, unreadable, larger than
    max_bytes, of more than max_values values, not UTF-8, not JSON, or not an object.
    """
    content = _bounded(path, max_bytes, remedy, error)
    return parse_json_object(
        content, where=path, remedy=remedy, error=error, max_values=max_values, strict=strict
    )


def parse_json_object(
    content: bytes,
    *,
    where: str | Path,
    remedy: str | None = None,
    error: type[EdgekitError] = CheckpointError,
    max_values: int = MAX_JSON_VALUES,
    strict: bool = False,
) -> dict[str, Any]:
    """Parse UTF-8 JSON that holds one object; raises the given error, naming `where`."""
    value = parse_json(content, where=where, remedy=remedy, error=error, max_values=max_values, strict=strict)
    if not isinstance(value, dict):
        raise error(f"holds a JSON {type(value).__name__}, not an object", where=where, remedy=remedy)
    return value


def parse_json(
    content: bytes,
    *,
    where: str | Path,
    remedy: str | None = None,
    error: type[EdgekitError] = InputError,
    max_values: int = MAX_JSON_VALUES,
    strict: bool = False,
) -> Json:
    """Parse UTF-8 JSON with no key twice in an object.

    strict: refuse as well what edgekit never writes: NaN, infinite numbers, halves of surrogate pairs. Others write
    them where they do no harm. Raises the given error, naming `where`.
    """

    def refuse(what: str, cause: Exception) -> NoReturn:
        raise error(what, where=where, remedy=remedy) from cause

    if excess := json_excess(content, max_values):
        raise error(f"is JSON {excess}", where=where, remedy=remedy)
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_no_constant if strict else None,
            parse_float=_finite if strict else None,
            parse_int=_integer,
        )
        if strict and _HALF_PAIR.search(content):
            _refuse_half_pairs(value)
    except UnicodeDecodeError as cause:
        refuse(f"is not UTF-8 text (byte {cause.start})", cause)
    except json.JSONDecodeError as cause:
        refuse(f"is not JSON (line {cause.lineno}, column {cause.colno}: {cause.msg})", cause)
    except ValueError as cause:  # raised below, or an integer of thousands of digits
        refuse(f"is not usable JSON ({cause})", cause)
    return value


def loads(text: str | bytes, *, max_values: int = MAX_JSON_VALUES) -> Json:
    """Parse a JSON text that somebody or some model wrote, as json.loads does, but bounded in values and depth.

    Raises ValueError for what is no JSON, and for what is too much: under the recursion limit that torch sets, the
    parser itself would end the process.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if excess := json_excess(content, max_values):
        raise ValueError(f"it is {excess}")
    return json.loads(text, parse_int=_integer)


def read_toml_table(
    path: Path, *, remedy: str | None = None, error: type[EdgekitError] = InputError
) -> dict[str, Any]:
    """Read a UTF-8 TOML file without infinite numbers; raises the given error, naming the file, for anything else."""
    content = _bounded(path, MAX_TOML_BYTES, remedy, error)
    if excess := toml_excess(content):
        raise error(excess, where=path, remedy=remedy)
    try:
        return tomllib.loads(content.decode("utf-8"), parse_float=_finite)
    except UnicodeDecodeError as cause:
        raise error(f"is not UTF-8 text (byte {cause.start})", where=path, remedy=remedy) from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"is not TOML ({cause})", where=path, remedy=remedy) from cause


def _bounded(path: Path, max_bytes: int, remedy: str | None, error: type[EdgekitError]) -> bytes:
    try:
        content = read_regular(path, max_bytes)
    except FileNotFoundError:
        raise error("no such file", where=path, remedy=remedy) from None
    except OSError as cause:
        raise error(f"cannot be read ({cause.strerror})", where=path, remedy=remedy) from cause
    if content is None:
        most = f"{max_bytes >> 20} MiB" if max_bytes >= 1 << 20 else f"{max_bytes >> 10} KiB"
        raise error(f"is larger than {most}", where=path, remedy=remedy)
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]}… has {len(text):,} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number that can be used")
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} appears twice")
            seen.add(key)
    return result


def _refuse_half_pairs(value: Json) -> None:
    """Half of a surrogate pair is legal JSON, but could never be printed or written."""
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{value[:20]!r} holds half of a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_half_pairs(key)
            _refuse_half_pairs(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_half_pairs(item)
