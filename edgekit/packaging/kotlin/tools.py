"""Kotlin for the tools of a bundle: an interface with a typed function each, and one that calls them by name."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from typing import Any, Final

from edgekit.calling.tools import Calling, Tool
from edgekit.packaging.kotlin.names import member_names
from edgekit.quoting import kotlin_comment, kotlin_string

_TYPES: Final = {"string": "String", "integer": "Long", "number": "Double", "boolean": "Boolean"}
_DISPATCHER: Final = "call"


def tools_interface(calling: Calling) -> str:
    """The interface, whose functions an app writes; one of its own calls them by name."""
    names = member_names([tool.name for tool in calling.tools], {_DISPATCHER})
    functions = "\n\n".join(_function(tool, names[tool.name]) for tool in calling.tools)
    branches = "\n".join(_branch(tool, names[tool.name]) for tool in calling.tools)
    return f"""\
/**
 * What the model may ask for. Each returns what the model is told of it, such as `mapOf("status" to "done")`; ask the
 * user before what leaves the phone.
 */
public interface Tools {{
{indent(functions, " " * 4)}

    /** Calls a function by its name. Throws IllegalArgumentException for what the model may not call. */
    @Suppress("UNCHECKED_CAST")
    public suspend fun {_DISPATCHER}(name: String, arguments: Map<String, Any?>): Map<String, Any?> =
        when (name) {{
{indent(branches, " " * 12)}
            else -> throw IllegalArgumentException("no tool is called $name")
        }}
}}"""


def _function(tool: Tool, name: str) -> str:
    parameters = member_names(tool.properties)
    # What must be there comes first, so that it can be named without the rest.
    ordered = sorted(tool.properties, key=lambda key: _optional(tool, key))
    declared = ", ".join(
        f"{parameters[key]}: {_type(tool.properties[key])}{'? = null' if _optional(tool, key) else ''}"
        for key in ordered
    )
    said = [tool.description, *(_told(parameters[key], tool.properties[key]) for key in ordered)]
    comment = "\n".join(f" * {kotlin_comment(line)}" for line in said if line)
    head = f"/**\n{comment}\n */\n" if comment else ""
    return f"{head}public suspend fun {name}({declared}): Map<String, Any?>"


def _told(name: str, schema: Mapping[str, Any]) -> str:
    allowed = f" One of {', '.join(map(str, schema['enum']))}." if "enum" in schema else ""
    return f"@param {name.strip('`')} {schema.get('description', '')}{allowed}".rstrip()


def _branch(tool: Tool, name: str) -> str:
    parameters = member_names(tool.properties)
    given = ", ".join(
        f"{parameters[key]} = {_cast(f'arguments[{kotlin_string(key)}]', schema, _optional(tool, key))}"
        for key, schema in tool.properties.items()
    )
    return f"{kotlin_string(tool.name)} -> {name}({given})"


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
