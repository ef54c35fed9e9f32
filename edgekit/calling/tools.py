"""Tools: what a model may call, and the files that list them.

Two layouts are read: OpenAI's (`[{"type": "function", "function": {…}}]`, or the functions bare), and that of
google/mobile-actions, whose types are in capitals. A tools file may be a list, an object with the key "tools", or one
function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from edgekit.calling.schema import EMPTY, read_parameters, wrong
from edgekit.errors import EdgekitError, InputError
from edgekit.files.within import read_regular
from edgekit.records.documents import Json, parse_json

Dialect = Literal["function_gemma", "json"]
"""How calls are written: in FunctionGemma's tokens, or as JSON."""

Choice = Literal["auto", "required", "none"]
"""Whether the model may call, must call, or must not."""

MOST_TOOLS: Final = 128
_MAX_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_REMEDY: Final = (
    'write [{"name": "…", "description": "…", "parameters": {"type": "object", "properties": {…}}}]'
)
_SWALLOWED: Final = ("description", "type", "properties", "required", "nullable")


@dataclass(frozen=True)
class Tool:
    """A function that the model may call.

    parameters: a JSON schema of type object; its types are in lower case, and it has the keys "type", "properties" and
    "required".
    """

    name: str
    description: str
    parameters: Mapping[str, Json]

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schema of each parameter, by name."""
        found: Mapping[str, Any] = self.parameters["properties"]
        return found

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that each call must have."""
        return tuple(self.parameters["required"])


@dataclass(frozen=True)
class Calling:
    """How a bundle calls.

    choice: whether it may, must or must not. role: of the message that tells the tools, the first of a conversation.
    system: what that says before the declarations, where the application has nothing of its own to say.
    declarations: the tools as the prompt holds them; empty when the model knows them from training. format: the regular
    expression that answers are held to; None leaves them free.
    """

    dialect: Dialect
    choice: Choice
    tools: tuple[Tool, ...]
    role: Literal["developer", "system"] = "system"
    system: str = ""
    declarations: str = ""
    format: str | None = None

    def first(self, text: str | None = None) -> dict[str, Json] | None:
        """Return the first message of a conversation, None when there is nothing to say.

        text: the application's own words instead of `system`.
        """
        content = (self.system if text is None else text) + self.declarations
        return {"role": self.role, "content": content} if content else None


def read_tools(path: str | Path) -> tuple[Tool, ...]:
    """Read a file of tools; raises InputError that names the file, the key and what to write there."""
    path = Path(path)
    try:
        content = read_regular(path, _MAX_BYTES)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, remedy=_REMEDY) from error
    if content is None:
        raise InputError(
            f"is larger than {_MAX_BYTES >> 20} MiB",
            where=path,
            remedy="name fewer tools: a prompt holds them all",
        )
    return parse_tools(parse_json(content, where=path, remedy=_REMEDY, strict=True), where=path)


def parse_tools(
    values: Json, *, where: str | Path, error: type[EdgekitError] = InputError
) -> tuple[Tool, ...]:
    """Read tools from JSON values; raises the given error, naming `where` and the key."""
    if isinstance(values, dict):
        values = values.get("tools", [values])
    if not isinstance(values, list):
        raise wrong(where, "tools", values, "a list of tools", _REMEDY, error)
    if not values:
        raise error("lists no tools", where=where, remedy=_REMEDY)
    if len(values) > MOST_TOOLS:
        raise error(
            f"lists {len(values)} tools, more than {MOST_TOOLS}",
            where=where,
            remedy="name fewer: a prompt holds them all",
        )
    tools = [_tool(value, f"tools[{i}]", where, error) for i, value in enumerate(values)]
    names = [tool.name for tool in tools]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise error(
                f"tools[{i}].name: {name} is there twice", where=where, remedy="rename one of the two"
            )
    return tuple(tools)


def check_dialect(tools: Sequence[Tool], dialect: Dialect, *, where: str | Path) -> None:
    """Refuse what a dialect cannot say; raises InputError.

    FunctionGemma's chat template leaves out parameters that are called like a keyword of the schema, so that the model
    never learns of them.
    """
    if dialect != "function_gemma":
        return
    for i, tool in enumerate(tools):
        for key, name in _names(tool.parameters, f"tools[{i}].parameters"):
            if name in _SWALLOWED:
                raise InputError(
                    f"{key}: FunctionGemma's chat template leaves out parameters of this name",
                    where=where,
                    remedy=f"call it otherwise, such as {tool.name.split('_')[-1]}_{name}",
                )


def openai(tools: Sequence[Tool]) -> list[dict[str, Json]]:
    """Return tools as chat templates and the engine take them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in tools
    ]


def _tool(value: Any, key: str, where: str | Path, error: type[EdgekitError]) -> Tool:
    if not isinstance(value, dict):
        raise wrong(where, key, value, "an object", _REMEDY, error)
    kind = value.get("type", "function")
    if "function" in value:
        if kind != "function":
            raise wrong(where, f"{key}.type", kind, '"function"', "only functions can be called", error)
        key, value = f"{key}.function", value["function"]
        if not isinstance(value, dict):
            raise wrong(where, key, value, "an object", _REMEDY, error)
    elif "name" not in value and kind != "function":
        raise wrong(where, f"{key}.type", kind, '"function"', "only functions can be called", error)
    if "name" not in value:
        raise error(f'{key} has no key "name"', where=where, remedy=_REMEDY)
    name = value["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong(
            where,
            f"{key}.name",
            name,
            "a name",
            "use at most 64 letters, digits and underscores, no digit first",
            error,
        )
    description = value.get("description", "")
    if not isinstance(description, str):
        raise wrong(where, f"{key}.description", description, "a text", "say what the tool does", error)
    if "<escape>" in description:
        raise error(f"{key}.description holds <escape>", where=where, remedy="say it without this token")
    parameters = value.get("parameters")
    if parameters is None:
        parameters = EMPTY
    return Tool(name, description, read_parameters(parameters, f"{key}.parameters", where, error))


def _names(schema: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, one in schema.get("properties", {}).items():
        found.append((f"{key}.properties.{name}", name))
        found += _names(one, f"{key}.properties.{name}")
    if isinstance(schema.get("items"), dict):
        found += _names(schema["items"], f"{key}.items")
    return found
