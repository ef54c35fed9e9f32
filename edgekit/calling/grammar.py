"""The format that lets only allowed calls out: a regular expression, made of the tools.

The engine's LLGuidance decodes under it. It sees the control tokens as their text, so one expression serves tokens and
words. Arguments come in the order in which the model learnt them: sorted as the chat template sorts them in
FunctionGemma's dialect, as the tools file has them in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgekit.calling.calls import CALL_BEGIN, CALL_END, ESCAPE, RESPONSE_BEGIN
from edgekit.calling.tools import Choice, Dialect, Tool

_INTEGER: Final = "-?(?:0|[1-9][0-9]{0,14})"
_NUMBER: Final = rf"{_INTEGER}(?:\.[0-9]{{1,15}})?"
_BOOLEAN: Final = "(?:true|false)"

LONGEST: Final = 1000
"""Characters of a text among the arguments: a weak model would never end it."""
_MOST_CALLS: Final = 8

_WORD: Final = "(?:[^<]|<+[^<es])"
"""A character of a text, less the control tokens that would end it: `<e` begins <escape> and all ends, `<s` starts."""
_JSON_CHARACTER: Final = r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})'


def regex(tools: Sequence[Tool], dialect: Dialect, choice: Choice, *, longest: int = LONGEST) -> str:
    """Return the expression of all answers that are allowed, in the syntax of Rust's regex crate.

    longest: characters of each text among the arguments.
    """
    if dialect == "function_gemma":
        words = rf"[^<\s]{_WORD}*"
        text = f"{_literal(ESCAPE)}{_WORD}{{0,{longest}}}<?{_literal(ESCAPE)}"
        named = _any([_literal(tool.name) + _function_gemma_object(tool.parameters, text) for tool in tools])
        one = f"{_literal(CALL_BEGIN)}call:{named}{_literal(CALL_END)}"
        # Were the end not left open, "<start_function_" would be forced behind a call: written as plain text, it can
        # become no control token any more, and a second call never comes.
        calls = f"(?:{one}){{1,{_MOST_CALLS}}}(?:{_literal(RESPONSE_BEGIN)})?"
    else:
        words = rf"[^{{\[`\s]{_WORD}*"
        text = f'"{_JSON_CHARACTER}{{0,{longest}}}"'
        one = _any([_json_call(tool, text) for tool in tools])
        calls = rf"(?:{one}|\[{one}(?:, ?{one}){{0,{_MOST_CALLS - 1}}}\])"
    if choice == "none":
        return words
    return calls if choice == "required" else f"(?:{calls}|{words})"


def enumerated(tools: Sequence[Tool]) -> tuple[str, ...]:
    """Return the texts of all enums, which the engine must be able to spell."""

    def of(schema: Mapping[str, Any]) -> list[str]:
        inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return [
            *(v for v in schema.get("enum", ()) if isinstance(v, str)),
            *(t for one in inner for t in of(one)),
        ]

    return tuple(dict.fromkeys(text for tool in tools for text in of(tool.parameters)))


def _function_gemma_object(schema: Mapping[str, Any], text: str) -> str:
    names = sorted(schema["properties"], key=str.lower)
    pairs = [
        (
            f"{_literal(name)}:{_function_gemma_value(schema['properties'][name], text)}",
            name in schema["required"],
        )
        for name in names
    ]
    return rf"\{{{_members(pairs, ',')}\}}"


def _function_gemma_value(schema: Mapping[str, Any], text: str) -> str:
    kind = schema["type"]
    if "enum" in schema:
        spelled = [f"{ESCAPE}{v}{ESCAPE}" if kind == "string" else json.dumps(v) for v in schema["enum"]]
        found = _any([_literal(one) for one in spelled])
    elif kind == "array":
        inner = _function_gemma_value(schema["items"], text)
        found = rf"\[(?:{inner}(?:,{inner})*)?\]"
    elif kind == "object":
        found = _function_gemma_object(schema, text)
    else:
        found = _plain(kind, text)
    return f"(?:{found}|null)" if schema.get("nullable") else found


def _json_call(tool: Tool, text: str) -> str:
    name = _literal(json.dumps(tool.name))
    return rf'\{{"name": ?{name}, ?"arguments": ?{_json_object(tool.parameters, text)}\}}'


def _json_object(schema: Mapping[str, Any], text: str) -> str:
    pairs = [
        (f"{_literal(json.dumps(name))}: ?{_json_value(one, text)}", name in schema["required"])
        for name, one in schema["properties"].items()
    ]
    return rf"\{{{_members(pairs, ', ?')}\}}"


def _json_value(schema: Mapping[str, Any], text: str) -> str:
    kind = schema["type"]
    if "enum" in schema:
        found = _any([_literal(json.dumps(value, ensure_ascii=False)) for value in schema["enum"]])
    elif kind == "array":
        inner = _json_value(schema["items"], text)
        found = rf"\[(?:{inner}(?:, ?{inner})*)?\]"
    elif kind == "object":
        found = _json_object(schema, text)
    else:
        found = _plain(kind, text)
    return f"(?:{found}|null)" if schema.get("nullable") else found


def _plain(kind: str, text: str) -> str:
    return {"string": text, "integer": _INTEGER, "number": _NUMBER, "boolean": _BOOLEAN}[kind]


def _members(pairs: Sequence[tuple[str, bool]], comma: str) -> str:
    """Members in this order, those that are not required left out or not, commas between."""
    rest = ""  # what may follow a member
    whole = ""  # what may stand where none was before
    for text, required in reversed(pairs):
        whole = f"{text}{rest}" if required else _any([f"{text}{rest}", whole])
        rest = f"{comma}{text}{rest}" if required else f"(?:{comma}{text})?{rest}"
    return whole


def _any(alternatives: Sequence[str]) -> str:
    return f"(?:{'|'.join(alternatives)})" if len(alternatives) > 1 else alternatives[0]


def _literal(text: str) -> str:
    # re.escape also escapes what needs none, such as a space, which Rust's regex refuses.
    return re.sub(r"([\\.+*?()|\[\]{}^$#&\-~])", r"\\\1", text)
