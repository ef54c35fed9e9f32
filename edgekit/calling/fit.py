"""Whether a call is one that the tools allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekit.calling.calls import Call
from edgekit.calling.schema import fits_type
from edgekit.calling.tools import Tool


def misfits(call: Call, tools: Sequence[Tool]) -> tuple[str, ...]:
    """Say what is wrong with a call, argument by argument; nothing when the tools allow it."""
    for tool in tools:
        if tool.name == call.name:
            return tuple(_object(call.arguments, tool.parameters, ""))
    return (f"no tool is called {call.name}",)


def _object(values: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in schema["required"]:
        if name not in values:
            yield f"{path}{name} is missing"
    for name, value in values.items():
        if name not in schema["properties"]:
            yield f"{path}{name} is no parameter"
        else:
            yield from _value(value, schema["properties"][name], f"{path}{name}")


def _value(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if value is None and schema.get("nullable"):
        return
    if not fits_type(value, schema["type"]):
        yield f"{path} is no {schema['type']}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{path} is none of its values"
    elif schema["type"] == "array":
        for i, one in enumerate(value):
            yield from _value(one, schema["items"], f"{path}[{i}]")
    elif schema["type"] == "object":
        yield from _object(value, schema, f"{path}.")
