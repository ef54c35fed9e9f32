"""The part of JSON schema in which tools describe their parameters.

What restricts a value and is not among these keywords is refused: a call must be held to all that its tool says.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edgekit.errors import EdgekitError
from edgekit.records.documents import Json

TYPES: Final = ("string", "integer", "number", "boolean", "array", "object")
EMPTY: Final[Mapping[str, Json]] = {"type": "object", "properties": {}, "required": []}

_PARAMETER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_HELD: Final = {"type", "enum", "const", "items", "properties", "required", "nullable", "anyOf"}
_SAID: Final = {"description", "title", "default", "examples", "format", "$schema", "$comment", "deprecated"}
_DEEPEST: Final = 5
_TYPE_REMEDY: Final = f"write one of {', '.join(TYPES)}"


def read_parameters(value: Any, key: str, where: str | Path, error: type[EdgekitError]) -> dict[str, Json]:
    """Read the schema of all of a tool's parameters; raises the given error, naming file and key.

    It comes back with its keys in a fixed order, and types in lower case.
    """
    schema = _schema(value, key, where, error, 0)
    if schema["type"] != "object":
        raise wrong(where, f"{key}.type", schema["type"], '"object"', "parameters have names", error)
    if schema.get("nullable") or "enum" in schema:
        raise error(
            f"{key} must be a plain object", where=where, remedy="leave nullable and enum to parameters"
        )
    return schema


def wrong(
    where: str | Path, key: str, value: object, wanted: str, remedy: str, error: type[EdgekitError]
) -> EdgekitError:
    """Make the error of a value that is not what it should be."""
    return error(f"{key} is {reprlib.repr(value)}, not {wanted}", where=where, remedy=remedy)


def _schema(
    value: Any, key: str, where: str | Path, error: type[EdgekitError], depth: int
) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise wrong(where, key, value, "a JSON schema", 'write {"type": "string", "description": "…"}', error)
    if depth > _DEEPEST:
        raise error(f"{key} is nested too deeply", where=where, remedy=f"at most {_DEEPEST} levels")
    value = _one_of_any(value, key, where, error)
    for name in value:
        if name == "additionalProperties" and value[name] is False:
            continue
        if name not in _HELD and name not in _SAID:
            raise error(
                f"{key}.{name}: calls cannot be held to this keyword",
                where=where,
                remedy=f"leave it away, or say it in the description; kept are {', '.join(sorted(_HELD))}",
            )
    kind, nullable = _type(value, key, where, error)
    schema: dict[str, Json] = {"type": kind}
    if "description" in value:
        description = value["description"]
        if not isinstance(description, str) or "<escape>" in description:
            raise wrong(where, f"{key}.description", description, "a text", "say what the value means", error)
        schema["description"] = description
    if "format" in value and isinstance(value["format"], str):
        schema["format"] = value["format"]
    if "const" in value:
        value = {**value, "enum": [value["const"]]}
    if "enum" in value:
        schema["enum"] = _enum(value["enum"], kind, key, where, error)
    if nullable:
        schema["nullable"] = True
    if kind == "array":
        if "items" not in value:
            raise error(
                f'{key} is an array without "items"',
                where=where,
                remedy='add "items": {"type": "string"}',
            )
        schema["items"] = _schema(value["items"], f"{key}.items", where, error, depth + 1)
    if kind == "object":
        schema |= _object(value, key, where, error, depth)
    return schema


def _object(
    value: Any, key: str, where: str | Path, error: type[EdgekitError], depth: int
) -> dict[str, Json]:
    properties = value.get("properties", {})
    if not isinstance(properties, dict):
        raise wrong(
            where, f"{key}.properties", properties, "an object", 'write {"NAME": {"type": "string"}}', error
        )
    found: dict[str, Json] = {}
    for name, one in properties.items():
        if not _PARAMETER.fullmatch(name):
            raise error(
                f"{key}.properties: {reprlib.repr(name)} is no name of a parameter",
                where=where,
                remedy="use letters, digits and underscores, no digit first",
            )
        found[name] = _schema(one, f"{key}.properties.{name}", where, error, depth + 1)
    required = value.get("required", [])
    if required is None:
        required = []
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise wrong(where, f"{key}.required", required, "a list of names", 'write ["NAME"]', error)
    for name in required:
        if name not in found:
            raise error(
                f"{key}.required names {name}, which is no parameter",
                where=where,
                remedy=f"parameters are {', '.join(found) or 'none'}",
            )
    return {"properties": found, "required": list(dict.fromkeys(required))}


def _type(value: Any, key: str, where: str | Path, error: type[EdgekitError]) -> tuple[str, bool]:
    """Return the type in lower case, and whether null is allowed as well."""
    nullable = value.get("nullable", False)
    if not isinstance(nullable, bool):
        raise wrong(where, f"{key}.nullable", nullable, "true or false", "leave it away", error)
    kind = value.get("type")
    if kind is None and "properties" in value:
        kind = "object"
    if kind is None:
        raise error(f'{key} has no key "type"', where=where, remedy=_TYPE_REMEDY)
    if isinstance(kind, list):
        others = [one for one in kind if one != "null"]
        if len(others) != 1:
            raise wrong(where, f"{key}.type", kind, "one type", _TYPE_REMEDY, error)
        nullable, kind = nullable or len(kind) > 1, others[0]
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise wrong(where, f"{key}.type", kind, "a type", _TYPE_REMEDY, error)
    return kind.lower(), nullable


def _enum(values: Any, kind: str, key: str, where: str | Path, error: type[EdgekitError]) -> list[Json]:
    if not isinstance(values, list) or not values:
        raise wrong(where, f"{key}.enum", values, "a list of values", 'write ["a", "b"]', error)
    for one in values:
        if kind not in ("string", "integer", "number") or not fits_type(one, kind):
            raise wrong(
                where,
                f"{key}.enum",
                one,
                f"of type {kind}",
                "list texts or numbers of the parameter's type",
                error,
            )
    return list(dict.fromkeys(values))


def fits_type(value: object, kind: str) -> bool:
    """Whether a value is of a type of JSON schema. An integer is a number, too; 3.0 is no integer."""
    if isinstance(value, bool):
        return kind == "boolean"
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "array": (list, tuple),
        "object": Mapping,
    }
    return kind in kinds and isinstance(value, kinds[kind])


def _one_of_any(value: Any, key: str, where: str | Path, error: type[EdgekitError]) -> Any:
    """Read `anyOf` a schema and null, as Pydantic writes what is optional."""
    if "anyOf" not in value:
        return value
    either = value["anyOf"]
    others = [one for one in either if one != {"type": "null"}] if isinstance(either, list) else []
    if len(others) != 1 or not isinstance(others[0], dict):
        raise error(
            f"{key}.anyOf: calls cannot be held to it",
            where=where,
            remedy="write one schema, or one and null",
        )
    rest = {name: one for name, one in value.items() if name != "anyOf"}
    return {**rest, **others[0], "nullable": len(others) < len(either)}
