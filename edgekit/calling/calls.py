"""Calls as models write them, read and written, in each dialect.

FunctionGemma's: https://ai.google.dev/gemma/docs/functiongemma/formatting-and-best-practices; keys are sorted as its
chat template sorts them. JSON: an object {"name", "arguments"}, or a list of such, alone or fenced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgekit.calling.tools import Dialect
from edgekit.records import documents
from edgekit.records.documents import Json

CALL_BEGIN: Final = "<start_function_call>"
CALL_END: Final = "<end_function_call>"
RESPONSE_BEGIN: Final = "<start_function_response>"
RESPONSE_END: Final = "<end_function_response>"
DECLARATION_BEGIN: Final = "<start_function_declaration>"
DECLARATION_END: Final = "<end_function_declaration>"
ESCAPE: Final = "<escape>"

_DEEPEST: Final = 32
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,39})(\.\d+)?([eE][+-]?\d{1,3})?")
_FENCED = re.compile(r"```(?:json|tool_call)?\s*(.*?)\s*```", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A function that the model asks for, and with what."""

    name: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True)
class Answer:
    """What a model said.

    text: what is in words. problem: why what looks like a call cannot be read, without a final full stop; None when all
    of it can. Calls before the unreadable one are kept.
    """

    calls: tuple[Call, ...]
    text: str
    problem: str | None = None


def parse(text: str, dialect: Dialect) -> Answer:
    """Read what a model said."""
    return _parse_function_gemma(text) if dialect == "function_gemma" else _parse_json(text)


def render(calls: Sequence[Call], dialect: Dialect) -> str:
    """Write calls as the model does; what ends its turn is not among it."""
    if dialect == "json":
        values = [{"name": call.name, "arguments": dict(call.arguments)} for call in calls]
        return _dump(values[0] if len(values) == 1 else values)
    return "".join(
        f"{CALL_BEGIN}call:{call.name}{_written(dict(call.arguments))}{CALL_END}" for call in calls
    )


def render_result(name: str, result: Json, dialect: Dialect) -> str:
    """Write what a call gave, as the prompt holds it. A result that is no object becomes {"value": …}."""
    if dialect == "json":
        return _dump({"name": name, "result": result})
    values = result if isinstance(result, Mapping) else {"value": result}
    return f"{RESPONSE_BEGIN}response:{name}{_written(values)}{RESPONSE_END}"


def result_message(results: Sequence[tuple[str, Json]], dialect: Dialect) -> dict[str, Json]:
    """Return the message that tells a model what its calls gave, by name, in their order."""
    written = [render_result(name, result, dialect) for name, result in results]
    if dialect == "json":
        return {"role": "user", "content": "\n".join(written)}
    return {"role": "tool", "content": "".join(written)}


def _dump(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _written(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"{ESCAPE}{value}{ESCAPE}"
    if isinstance(value, Mapping):
        # Jinja's dictsort, which the chat template uses, does not heed the case.
        pairs = sorted(value.items(), key=lambda pair: pair[0].lower())
        return "{" + ",".join(f"{key}:{_written(one)}" for key, one in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)


# ---------------------------------------- FunctionGemma


class _UnreadableError(Exception):
    """What is wrong, to be said behind the name of the call."""


def _parse_function_gemma(said: str) -> Answer:
    words: list[str] = []
    calls: list[Call] = []
    problem = None
    rest = said
    while rest:
        before, begin, rest = rest.partition(CALL_BEGIN)
        words.append(before)
        if not begin:
            break
        body, end, rest = rest.partition(CALL_END)
        if not end:
            problem = f"a call has no {CALL_END}"
            break
        try:
            calls.append(_Reader(body).call())
        except _UnreadableError as error:
            problem = problem or str(error)
    text = "".join(words).replace(RESPONSE_BEGIN, "").replace("<end_of_turn>", "").strip()
    if problem is None and (CALL_END in text or re.match(r"call:\w+\{", text)):
        problem = f"a call has no {CALL_BEGIN}"
    return Answer(tuple(calls), text, problem)


class _Reader:
    """Reads the body of one call."""

    def __init__(self, body: str) -> None:
        self._body = body
        self._at = 0

    def call(self) -> Call:
        self._expect("call:")
        name = self._name()
        arguments = self._object(0)
        if self._at != len(self._body):
            raise self._error("something behind the arguments")
        return Call(name, arguments)

    def _value(self, depth: int) -> Json:
        if depth > _DEEPEST:
            raise self._error("values nested too deeply")
        if self._takes(ESCAPE):
            end = self._body.find(ESCAPE, self._at)
            if end < 0:
                raise self._error("a text without its second <escape>")
            text, self._at = self._body[self._at : end], end + len(ESCAPE)
            return text
        if self._body.startswith("{", self._at):
            return self._object(depth)
        if self._takes("["):
            return self._list(depth)
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self._takes(word):
                return value
        if found := _NUMBER.match(self._body, self._at):
            self._at = found.end()
            return float(found[0]) if found[1] or found[2] else int(found[0])
        raise self._error("no value where one should be (a text without <escape>?)")

    def _object(self, depth: int) -> dict[str, Json]:
        self._expect("{")
        values: dict[str, Json] = {}
        if self._takes("}"):
            return values
        while True:
            key = self._name()
            if key in values:
                raise self._error(f"{key} twice")
            self._expect(":")
            values[key] = self._value(depth + 1)
            if self._takes("}"):
                return values
            self._expect(",")

    def _list(self, depth: int) -> list[Json]:
        values: list[Json] = []
        if self._takes("]"):
            return values
        while True:
            values.append(self._value(depth + 1))
            if self._takes("]"):
                return values
            self._expect(",")

    def _name(self) -> str:
        found = _NAME.match(self._body, self._at)
        if not found:
            raise self._error("no name where one should be")
        self._at = found.end()
        return found[0]

    def _takes(self, text: str) -> bool:
        here = self._body.startswith(text, self._at)
        self._at += len(text) if here else 0
        return here

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise self._error(f"no {text!r} where one should be")

    def _error(self, what: str) -> _UnreadableError:
        return _UnreadableError(f"{self._body[:40]!r} has {what}, at character {self._at + 1}")


# ---------------------------------------- JSON


def _parse_json(said: str) -> Answer:
    text = said.strip()
    fenced = _FENCED.fullmatch(text)
    inner = fenced[1] if fenced else text
    if not inner.startswith(("{", "[")):
        return Answer((), text)
    meant = '"name"' in inner and '"arguments"' in inner
    try:
        value: Any = documents.loads(inner)
    except ValueError as error:
        return Answer((), text, f"the call is no JSON ({error})" if meant else None)
    values = value if isinstance(value, list) else [value]
    calls = []
    for one in values:
        if not isinstance(one, dict) or not {"name", "arguments"} <= set(one):
            return Answer((), text, "an entry is no call with name and arguments" if meant else None)
        if not isinstance(one["name"], str) or not isinstance(one["arguments"], dict):
            return Answer((), text, "name is no text, or arguments is no object")
        calls.append(Call(one["name"], one["arguments"]))
    return Answer(tuple(calls), "" if calls else text)
