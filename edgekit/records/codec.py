"""Frozen dataclasses as JSON values and back, by msgspec.

Written with the keys in the order of the fields. Read strictly: a missing key or a value of another type is an error
that names the file and the key. Unknown keys are ignored in JSON, so that a field with a default can be added without
a new schema version; in TOML, which people write, they are errors.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from edgekit.errors import EdgekitError, InputError
from edgekit.records.documents import Json, read_json_object, read_toml_table
from edgekit.records.explain import explanation, unknown_key

T = TypeVar("T")

MAX_RECORD_BYTES: Final = 64 << 20
MAX_RECORD_VALUES: Final = 2_000_000
"""The largest file that is read as a record: a report on some ten thousand answers."""

_INFINITE: Final = ("inf", "-inf", "nan")


def plain(value: Any, *, infinite: bool = False) -> Json:
    """Return a dataclass, or what its fields may hold, as JSON values.

    infinite: numbers that JSON cannot write become the strings "inf", "-inf" and "nan"; otherwise they stay, and
    writing them fails. (`msgspec.to_builtins` would leave tuples in it, and takes no read-only mappings.)
    """
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name), infinite=infinite) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, infinite=infinite) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item, infinite=infinite) for item in value]
    if infinite and isinstance(value, float) and not math.isfinite(value):
        return str(value)
    assert value is None or isinstance(value, bool | int | float | str), value
    return value


def decode(
    kind: type[T],
    values: Json,
    *,
    where: str | Path,
    remedy: str | None = None,
    error: type[EdgekitError] = InputError,
    infinite: bool = False,
) -> T:
    """Build a dataclass from JSON values.

    where: the file to name in errors. infinite: numbers may be "inf", "-inf" and "nan", as `plain` writes them.
    Raises the given error, with the key, when a value is missing or of the wrong type.
    """
    while True:
        try:
            return msgspec.convert(values, kind, str_keys=True)
        except msgspec.ValidationError as cause:
            wrong = explanation(cause, kind, values)
            if infinite and wrong.wants_number and wrong.value in _INFINITE:
                values = wrong.replaced(float(wrong.value))
                continue
            raise error(wrong.sentence, where=where, remedy=remedy) from cause
        except RecursionError as cause:
            raise error("is nested too deeply", where=where, remedy=remedy) from cause


def read(
    kind: type[T], path: Path, *, remedy: str | None = None, error: type[EdgekitError] = InputError
) -> T:
    """Read a JSON file as a dataclass. Raises the given error, with the file and the key, when it is none."""
    return decode(kind, read_values(path, remedy=remedy, error=error), where=path, remedy=remedy, error=error)


def read_values(
    path: Path,
    *,
    remedy: str | None = None,
    error: type[EdgekitError] = InputError,
    max_bytes: int = MAX_RECORD_BYTES,
) -> dict[str, Any]:
    """Read the JSON values of a record, to be brought up to date before they are decoded."""
    values = min(MAX_RECORD_VALUES, max_bytes // 16)
    return read_json_object(
        path, remedy=remedy, error=error, max_bytes=max_bytes, max_values=values, strict=True
    )


def read_toml(
    kind: type[T], path: Path, *, remedy: str | None = None, error: type[EdgekitError] = InputError
) -> T:
    """Read a TOML file as a dataclass. Raises the given error, with the file and the key, also for an unknown key."""
    return decode_toml(kind, read_toml_table(path, remedy=remedy, error=error), where=path, error=error)


def decode_toml(
    kind: type[T], values: Mapping[str, Any], *, where: str | Path, error: type[EdgekitError] = InputError
) -> T:
    """Build a dataclass from a TOML table; raises as `read_toml` does."""
    if found := unknown_key(kind, values):
        key, known = found
        close = difflib.get_close_matches(key.rpartition(".")[2], known, 1)
        remedy = f"did you mean {close[0]}?" if close else f"keys are {', '.join(known)}"
        raise error(f"the key {key} is not known", where=where, remedy=remedy)
    return decode(kind, values, where=where, error=error)


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in hexadecimal."""
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def json_schema(kinds: Mapping[str, type[Any]], root: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what `plain` writes of a dataclass.

    kinds: further keys beside the root's own, each null or a record of that type.
    """
    types = [root, *kinds.values()]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/$defs/{name}", schema_hook=lambda _: {"type": "string"}
    )
    reference = schemas[0]["$ref"].removeprefix("#/$defs/")
    described: dict[str, Any] = components[reference]
    for key, schema in zip(kinds, schemas[1:], strict=True):
        described["properties"][key] = {"anyOf": [schema, {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "$defs": components}
