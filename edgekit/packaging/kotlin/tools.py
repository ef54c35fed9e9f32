"""Kotlin for the tools of a bundle: an interface with a function each, and what calls them by what the model said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from edgekit.calling.tools import Calling, Tool
from edgekit.packaging.kotlin.reader import READER
from edgekit.packaging.kotlin.template import indented
from edgekit.quoting import kotlin_comment, kotlin_string

_TYPES: Final = {"string": "String", "integer": "Long", "number": "Double", "boolean": "Boolean"}
_KEYWORDS: Final = frozenset(
    "as break class continue do else false for fun if in interface is null object package return super this throw true "
    "try typealias typeof val var when while".split()
)


def tools_file(calling: Calling, model: str) -> str:
    """The file. model: name of the generated class, before which the interface is named."""
    name = f"{model}Tools"
    functions = "\n\n".join(
        _function(tool, _names([t.name for t in calling.tools])) for tool in calling.tools
    )
    branches = "\n".join(_branch(tool, _names([t.name for t in calling.tools])) for tool in calling.tools)
    return f"""\
// Written by edgekit package: the functions that the model may call.
package com.example.model // yours

/** What the model may ask for. Each returns what the model is told of it; ask the user before what leaves the phone. */
interface {name} {{
{indented(functions, 4)}
}}

/** Calls a function by its name. Throws IllegalArgumentException for what the model may not call. */
@Suppress("UNCHECKED_CAST")
suspend fun {name}.call(name: String, arguments: Map<String, Any?>): Map<String, Any?> =
    when (name) {{
{indented(branches, 8)}
        else -> throw IllegalArgumentException("no tool is called $name")
    }}

/** Calls what the model asked for, in its order; nothing when it answered in words. */
suspend fun {name}.carryOut(said: String): List<Map<String, Any?>> =
    ModelCall.allIn(said).map {{ call(it.name, it.arguments) }}

{READER}"""


def _function(tool: Tool, names: Mapping[str, str]) -> str:
    parameters = _names(list(tool.properties))
    # What must be there comes first, so that it can be named without the rest.
    ordered = sorted(tool.properties, key=lambda name: _optional(tool, name))
    declared = ", ".join(
        f"{parameters[name]}: {_type(tool.properties[name])}{'? = null' if _optional(tool, name) else ''}"
        for name in ordered
    )
    said = [tool.description, *(_told(parameters[name], tool.properties[name]) for name in ordered)]
    comment = "\n".join(f" * {kotlin_comment(line)}" for line in said if line)
    head = f"/**\n{comment}\n */\n" if comment else ""
    return f"{head}suspend fun {names[tool.name]}({declared}): Map<String, Any?>"


def _told(name: str, schema: Mapping[str, Any]) -> str:
    allowed = f" One of {', '.join(map(str, schema['enum']))}." if "enum" in schema else ""
    return f"@param {name.strip('`')} {schema.get('description', '')}{allowed}".rstrip()


def _branch(tool: Tool, names: Mapping[str, str]) -> str:
    parameters = _names(list(tool.properties))
    given = ", ".join(
        f"{parameters[name]} = {_cast(f'arguments[{kotlin_string(name)}]', schema, _optional(tool, name))}"
        for name, schema in tool.properties.items()
    )
    return f"{kotlin_string(tool.name)} -> {names[tool.name]}({given})"


def _optional(tool: Tool, name: str) -> bool:
    return name not in tool.required or bool(tool.properties[name].get("nullable"))


def _type(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        return f"List<{_type(schema['items'])}>"
    return _TYPES.get(schema["type"], "Map<String, Any?>")


def _cast(value: str, schema: Mapping[str, Any], optional: bool) -> str:
    mark = "?" if optional else ""
    match schema["type"]:
        case "integer":
            return f"({value} as Number{mark}){mark}.toLong()"
        case "number":
            return f"({value} as Number{mark}){mark}.toDouble()"
        case "array":
            return f"({value} as List<*>{mark}){mark}.map {{ {_cast('it', schema['items'], False)} }}"
        case _:
            return f"{value} as {_type(schema)}{mark}"


def _names(names: Sequence[str]) -> dict[str, str]:
    """Names as Kotlin has them: show_map → showMap; as they are where two would become one."""
    changed = {name: re.sub(r"_+([A-Za-z0-9])", lambda m: m[1].upper(), name.strip("_")) for name in names}
    plain = len(set(changed.values())) == len(names) and all(
        re.match("[A-Za-z]", one) for one in changed.values()
    )
    return dict(_quoted((changed if plain else {name: name for name in names}).items()))


def _quoted(pairs: Any) -> Iterator[tuple[str, str]]:
    for name, one in pairs:
        one = one[:1].lower() + one[1:]
        yield name, f"`{one}`" if one in _KEYWORDS or not one.strip("_") else one
