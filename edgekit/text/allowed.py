"""Answers that a format surely lets through as they are, told without the engine.

Held to a format, a greedy answer takes the most probable token of those that can still lead to an allowed answer. One
that was allowed at every token while nothing held it, and that nothing can follow, is the same when it is held. Only
what is plain is judged here: labels that a regular expression spells out, and JSON as LLGuidance writes it without free
white space. False means "not known".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgekit.records import documents
from edgekit.text.answers import AnswerFormat

_MOST_LABELS: Final = 4096
_SPECIAL: Final = frozenset(r".^$*+?{}[]\|()")
_SILENT: Final = frozenset({"$schema", "title", "description", "default", "examples", "x-guidance"})
"""Keywords of a schema that forbid nothing."""
_JUDGED: Final = frozenset(
    {"type", "enum", "const", "properties", "required", "additionalProperties", "items"}
)
_CLOSED: Final = ("}", "]", '"')
"""JSON that ends with one of these cannot go on."""


def surely_allows(answers: AnswerFormat, text: str) -> bool:
    """Whether a format lets this text through, token by token, and nothing behind it; False where that is not known."""
    if answers.kind == "regex":
        spelled = labels(answers.source)
        return text in spelled and not any(label != text and label.startswith(text) for label in spelled)
    return _allows_json(json.loads(answers.source), text)


def labels(pattern: str) -> tuple[str, ...]:
    """Return all texts that a regular expression allows, as (on|off); none where it is more than words and choices."""
    found, end = _choice(pattern, 0)
    return tuple(found or ()) if end == len(pattern) else ()


def _choice(pattern: str, at: int) -> tuple[list[str] | None, int]:
    """Read alternatives up to the end or a closing parenthesis; None where something else stands."""
    found: list[str] = []
    parts = [""]
    while at < len(pattern) and pattern[at] != ")":
        char = pattern[at]
        at += 1
        if char == "|":
            found, parts = found + parts, [""]
            continue
        if char == "(":
            at += 2 if pattern.startswith("?:", at) else 0
            inner, at = _choice(pattern, at)
            if inner is None or at >= len(pattern):
                return None, at
            at += 1
        elif char == "\\" and pattern[at : at + 1] in _SPECIAL:
            inner, at = [pattern[at]], at + 1
        elif char in _SPECIAL:
            return None, at
        else:
            inner = [char]
        if pattern[at : at + 1] == "?":
            inner, at = [*inner, ""], at + 1
        if len(parts) * len(inner) > _MOST_LABELS:
            return None, at
        parts = [begun + more for begun in parts for more in inner]
    return found + parts, at


def _allows_json(schema: Mapping[str, Any], text: str) -> bool:
    guidance = schema.get("x-guidance", {})
    if guidance.get("whitespace_flexible") is not False or guidance.keys() - {
        "whitespace_flexible",
        "item_separator",
        "key_separator",
    }:
        return False
    separators = (guidance.get("item_separator", ","), guidance.get("key_separator", ":"))
    if not text.endswith(_CLOSED) or "\\" in text or "\x7f" in text:
        return False
    try:
        value = documents.loads(text)
    except ValueError:
        return False
    return json.dumps(value, ensure_ascii=False, separators=separators) == text and _conforms(schema, value)


def _conforms(schema: Any, value: Any) -> bool:
    """Whether a value is as a schema of these keywords wants it; properties stand in the schema's order."""
    if not isinstance(schema, dict) or schema.keys() - _SILENT - _JUDGED:
        return False
    for allowed in ([schema["const"]] if "const" in schema else None, schema.get("enum")):
        if allowed is not None and json.dumps(value) not in map(json.dumps, allowed):
            return False
    kinds = schema.get("type")
    if kinds is None:
        return "const" in schema or "enum" in schema
    if _kind(value) not in ([kinds] if isinstance(kinds, str) else kinds):
        return False
    if isinstance(value, dict):
        return _object_conforms(schema, value)
    if isinstance(value, list):
        return "items" in schema and all(_conforms(schema["items"], entry) for entry in value)
    return True


def _object_conforms(schema: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    properties: Mapping[str, Any] = schema.get("properties", {})
    required: Sequence[str] = schema.get("required", [])
    there = [name for name in properties if name in value]
    return (
        list(value) == there
        and set(required) <= set(there)
        and all(_conforms(properties[name], value[name]) for name in there)
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds = {str: "string", int: "integer", dict: "object", list: "array", type(None): "null"}
    return kinds.get(type(value), "")  # a number with a fraction may be written in several ways
