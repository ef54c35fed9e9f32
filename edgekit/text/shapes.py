"""Rows as people write them, read as a conversation and the answer it should get.

ours       prompt, expected                         expected may be JSON
TRL        prompt, completion                       both texts, or both lists of messages
chat       messages                                 a last turn of the assistant is what is expected
ShareGPT   conversations: from, value               human, gpt, system
Alpaca     instruction, input, output, system       input below the instruction, as LLaMA-Factory joins them
calls      messages, tools                          `edgekit.text.call_turns`
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from edgekit.calling.tools import Calling
from edgekit.records import documents
from edgekit.text.call_turns import holds_calls, plain_turns
from edgekit.text.messages import Message, text_of

FIELDS: Final = ("prompt", "messages", "expected")

_ANSWERS: Final = ("completion", "response", "output", "answer", "target", "label")
"""What others call `expected`."""
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_ROLES: Final = {
    "human": "user",
    "gpt": "assistant",
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}


@dataclass(frozen=True)
class Shaped:
    """A record that was read. columns: what was used of it."""

    messages: tuple[Message, ...]
    expected: str | None
    columns: frozenset[str]


def shape(
    record: Mapping[str, Any], names: Mapping[str, str], calling: Calling | None = None
) -> Shaped | str:
    """Read a record, or say what is wrong with it.

    names: our name → the data's, for fields that the user named. calling: how the bundle calls.
    """
    if not holds_calls(record):
        return _shape(record, names)
    plain = {name: plain_turns(value, calling) for name, value in record.items()}
    for name, value in plain.items():
        if isinstance(value, str) and value is not record[name]:
            return f'"{name}" {value}'
    found = _shape(plain, names)
    return found if isinstance(found, str) else replace(found, columns=found.columns | {"tools"})


def _shape(record: Mapping[str, Any], names: Mapping[str, str]) -> Shaped | str:
    prompt_name, messages_name = (names.get(name, name) for name in ("prompt", "messages"))
    asked: Any = record.get(prompt_name)
    used: tuple[str, ...]
    if asked is not None:
        used = (prompt_name,)
        if isinstance(asked, str) and not asked.strip():
            return f'"{prompt_name}" is not a text'
        turns = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
        if not isinstance(asked, str | list):
            return f'"{prompt_name}" is not a text'
    elif record.get(messages_name) is not None:
        used, turns = (messages_name,), record[messages_name]
        if isinstance(turns, str):  # a CSV cell
            try:
                turns = documents.loads(turns)
            except ValueError:
                return f'"{messages_name}" is not JSON'
    elif isinstance(record.get("conversations"), list):
        used, turns = ("conversations",), [_share_gpt(turn) for turn in record["conversations"]]
    elif isinstance(record.get("instruction"), str):
        used, turns = _alpaca(record)
    else:
        return _nothing_asked(record, prompt_name, messages_name)
    if isinstance(turns, list) and asked is not None and len(turns) == 1 and isinstance(asked, str):
        if bad := _unusable(asked):
            return bad
    elif wrong := _wrong_messages(turns):
        return f'"{used[0]}" {wrong}'
    # Beside messages, `label` and the like are about the conversation, not its answer.
    answer_name = _answer_name(
        record, names, _ANSWERS if asked is not None or "instruction" in used else _ANSWERS[:1]
    )
    if answer_name is not None and answer_name.startswith("?"):
        return answer_name[1:]
    expected = None if answer_name is None else _expected(record[answer_name])
    if isinstance(expected, _Wrong):
        return f'"{answer_name}" {expected.why}'
    columns = frozenset((*used, *(() if answer_name is None else (answer_name,))))
    messages = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
    if messages[-1]["role"] in ("assistant", "model"):
        last = messages.pop()
        expected = expected if expected is not None else text_of(last)
    if not messages or messages[-1]["role"] != "user":
        return f'"{used[0]}" does not ask anything: the last turn must be the user\'s'
    return Shaped(tuple(messages), expected, columns)


@dataclass(frozen=True)
class _Wrong:
    why: str


def _nothing_asked(record: Mapping[str, Any], prompt: str, messages: str) -> str:
    known = ", ".join(list(record)[:8]) or "none"
    return f'neither "{prompt}" nor "{messages}" is there; its columns are: {known}'


def _answer_name(record: Mapping[str, Any], names: Mapping[str, str], others: Sequence[str]) -> str | None:
    """The column with what is expected; "?" and a sentence where it could be several."""
    if "expected" in names and names["expected"] != "expected":
        return names["expected"] if record.get(names["expected"]) is not None else None
    if record.get("expected") is not None:
        return "expected"
    found = [name for name in others if record.get(name) is not None and name not in names.values()]
    if len(found) > 1 and "completion" not in found:
        return f"?what is expected may be {' or '.join(found)}: name one with --field expected={found[0]}"
    return found[0] if found else None


def _expected(value: Any) -> str | _Wrong:
    """What is expected, as text: other JSON is written out, and of messages it is what the last one says."""
    if isinstance(value, list) and value and all(isinstance(m, dict) and "role" in m for m in value):
        if wrong := _wrong_messages(value):
            return _Wrong(wrong)
        return text_of(value[-1])
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # Parquet and `datasets` hold dates, bytes and pictures as well
        return _Wrong(f"holds a {type(value).__name__}, which is neither text nor JSON")
    bad = _unusable(text)
    return text if bad is None else _Wrong(f"holds {bad}")


def _share_gpt(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    said = turn.get("from", turn.get("role"))
    return {"role": _ROLES.get(str(said), said), "content": turn.get("value", turn.get("content"))}


def _alpaca(record: Mapping[str, Any]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    parts = [record["instruction"], record.get("input") or ""]
    used = [name for name in ("instruction", "input", "system") if name in record]
    turns = [{"role": "user", "content": "\n".join(str(part) for part in parts if part)}]
    if record.get("system"):
        turns.insert(0, {"role": "system", "content": str(record["system"])})
    return tuple(used), turns


def _wrong_messages(messages: object) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "is not a list of messages"
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return "holds a message without a role"
        content = message.get("content")
        parts: Any = [content] if isinstance(content, str) else content
        if not isinstance(parts, list):
            return "holds a message whose content is no text"
        for part in parts:
            text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
            if not isinstance(text, str):
                return "holds a part that is no text"
            if bad := _unusable(text):
                return f"holds a text: {bad}"
    return None


def _unusable(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character, at which the engine's C interface ends a text"
    if _HALF_PAIR.search(text):
        return "half of a surrogate pair, which no UTF-8 text can hold"
    return None
