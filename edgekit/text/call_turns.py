"""Conversations with calls, as Mobile Actions and TRL write them, read as what a model is told and should say.

Mobile Actions   metadata (train, eval), tools, messages   arguments are objects; types in capitals
TRL              messages or prompt, tools                 OpenAI's, where arguments are JSON text
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgekit.calling.calls import Call, render
from edgekit.calling.tools import Calling, Dialect
from edgekit.records import documents

_CALL: Final = 'a call is not {"function": {"name": …, "arguments": {…}}}'


def holds_calls(record: Mapping[str, Any]) -> bool:
    """Whether a row is of a model that calls: it lists tools, or somebody calls one."""
    return bool(record.get("tools")) or any(
        isinstance(turn, dict) and turn.get("tool_calls")
        for turns in record.values()
        if isinstance(turns, list)
        for turn in turns
    )


def is_for_training(record: Mapping[str, Any]) -> bool:
    """Whether a row of Mobile Actions says that it is not to be measured on."""
    return record.get("metadata") == "train" and "tools" in record


def plain_turns(turns: Any, calling: Calling | None) -> Any:
    """The turns with calls written out as the model says them, up to the first that is to be measured.

    calling: of the bundle; without it, calls are JSON. What comes behind the first answer to the user's last message,
    results and more, is left out. Returns the turns as they are where they are none, and a text that says what is wrong
    with them.
    """
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return turns
    dialect: Dialect = "json" if calling is None else calling.dialect
    said: list[dict[str, Any]] = []
    asked = max((n for n, turn in enumerate(turns) if turn.get("role") == "user"), default=-1)
    for number, turn in enumerate(turns):
        if turn.get("role") == "tool":
            if number < asked:
                return (
                    "goes on behind results, which is not measured: give a row for each of the user's turns"
                )
            continue
        written = turn
        if turn.get("tool_calls"):
            calls = (
                [_call(value) for value in turn["tool_calls"]]
                if isinstance(turn["tool_calls"], list)
                else [None]
            )
            read = [call for call in calls if call is not None]
            if len(read) < len(calls):
                return f"holds a message in which {_CALL}"
            if unknown := _unknown(read, calling):
                return f"calls {unknown}, which is none of the bundle's tools"
            before = turn.get("content") if isinstance(turn.get("content"), str) else ""
            written = {"role": turn.get("role"), "content": before + render(read, dialect)}
        elif turn.get("content") is None and turn.get("role") == "assistant":
            return "holds a message that neither says nor calls anything"
        said.append(written)
        if number > asked and turn.get("role") in ("assistant", "model"):
            break
    return said


def _call(value: Any) -> Call | None:
    function = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = documents.loads(arguments or "{}")
        except ValueError:
            return None
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return None
    # Arrow gives every row the keys of all rows, with null where a row has none.
    return Call(function["name"], {key: one for key, one in arguments.items() if one is not None})


def _unknown(calls: Sequence[Call], calling: Calling | None) -> str | None:
    known = None if calling is None else {tool.name for tool in calling.tools}
    return next((call.name for call in calls if known is not None and call.name not in known), None)
