"""JSON files that are dataclasses: written with the keys in the order of the fields, read strictly.

A missing key or a wrong type is an error that names the file and the key. Unknown keys are ignored, so that a field
with a default can be added without a new schema version.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from edgekit.errors import BundleError

Json = Any
"""Whatever JSON can hold, passed on as it is."""

_MAX_BYTES: Final = 64 * 1024 * 1024


def plain(value: Any) -> Json:
    """Return a dataclass, or what its fields may hold, as JSON values."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    assert value is None or isinstance(value, bool | int | float | str), value
    return value


def read_object(path: Path, *, remedy: str) -> dict[str, Any]:
    """Read a JSON object. Raises BundleError, with the remedy, when the file is missing or no such thing."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BundleError("far too large for a manifest", where=path, remedy=remedy)
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror}", where=path, remedy=remedy) from error

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON number")

    try:
        values = json.loads(data.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"not valid JSON: {error}", where=path, remedy=remedy) from error
    if not isinstance(values, dict):
        raise BundleError("not a JSON object", where=path, remedy=remedy)
    return values


def build(kind: Any, value: Any, path: Path, key: str = "", *, remedy: str) -> Any:
    """Turn JSON values into a dataclass, or a type that its fields use.

    path, key: where the values come from, for the error. Raises BundleError where they do not fit.
    """
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if kind is Json:
        return value
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise _wrong(path, key, "an object", value, remedy)
        hints = typing.get_type_hints(kind)
        found = {}
        for part in dataclasses.fields(kind):
            inner = f"{key}.{part.name}" if key else part.name
            if part.name in value:
                found[part.name] = build(hints[part.name], value[part.name], path, inner, remedy=remedy)
            elif part.default is dataclasses.MISSING:
                raise BundleError(f"the key {inner} is missing", where=path, remedy=remedy)
        assert isinstance(kind, type)
        return kind(**found)
    if origin in (typing.Union, types.UnionType):  # only ever "something or None" here
        wanted = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else build(wanted, value, path, key, remedy=remedy)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(path, key, " or ".join(map(repr, arguments)), value, remedy)
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(path, key, "a list", value, remedy)
        return tuple(
            build(arguments[0], item, path, f"{key}[{index}]", remedy=remedy)
            for index, item in enumerate(value)
        )
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _wrong(path, key, "an object", value, remedy)
        return {
            name: build(arguments[1], item, path, f"{key}.{name}", remedy=remedy)
            for name, item in value.items()
        }
    if kind is bool and isinstance(value, bool):
        return value
    if kind is float and _is_number(value):
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value):
        return value  # half of a surrogate pair is legal JSON, but could never be printed
    raise _wrong(path, key, _WORDS[kind], value, remedy)


_WORDS = {bool: "true or false", float: "a number", int: "a whole number", str: "a string"}


def _is_number(value: Any) -> bool:
    """Tell whether a JSON value is a number that a float can hold (the reader makes infinity of 1e999)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _wrong(path: Path, key: str, wanted: str, value: Any, remedy: str) -> BundleError:
    shown = json.dumps(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    return BundleError(f"{key} must be {wanted}, not {shown}", where=path, remedy=remedy)


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in hexadecimal."""
    return len(text) == 64 and not set(text) - set("0123456789abcdef")
