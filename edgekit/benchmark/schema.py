"""Frozen dataclasses as JSON values and back, strictly: an error names the key."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, Literal, TypeVar

from edgekit.errors import InputError

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Return a dataclass as JSON values, keys in the order of its fields."""
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[T], values: Any, where: str) -> T:
    """Build a dataclass from JSON values. Unknown keys are ignored, so that fields can be added.

    where: the file to name in errors.
    Raises InputError when a key is missing or of the wrong type.
    """
    built = _build(kind, values, where, "")
    assert isinstance(built, kind)
    return built


def _build(kind: Any, value: Any, where: str, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where, key)
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):  # only ever "something or None" here
        wanted = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _build(wanted, value, where, key)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_build(arguments[0], item, where, f"{key}[{i}]") for i, item in enumerate(value))
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value):
            return float(value)
    elif isinstance(kind, type) and type(value) is kind:
        return value
    wanted = (
        " or ".join(map(repr, arguments)) if origin is Literal else _WORDS.get(origin or kind, "different")
    )
    raise InputError(f"{key} must be {wanted}, not {str(value)[:60]!r}", where=where)


def _build_dataclass(kind: Any, value: Any, where: str, key: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{key or 'the file'} must be an object", where=where)
    hints = typing.get_type_hints(kind)
    found = {}
    for part in dataclasses.fields(kind):
        inner = f"{key}.{part.name}" if key else part.name
        if part.name in value:
            found[part.name] = _build(hints[part.name], value[part.name], where, inner)
        elif part.default is dataclasses.MISSING:
            raise InputError(f"the key {inner} is missing", where=where)
    return kind(**found)


_WORDS = {
    float: "a finite number",
    int: "a whole number",
    str: "a string",
    bool: "true or false",
    tuple: "a list",
}
