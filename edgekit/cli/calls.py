"""Calls at the terminal: shown, answered by a file or by hand, and told to the model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.console import error_console, say
from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.calling.calls import Call
    from edgekit.calling.tools import Calling
    from edgekit.records.documents import Json
    from edgekit.runtime.ask.protocol import Reply
    from edgekit.runtime.chat import Chat

ANY = "*"
"""What stands for every other tool in a file of results."""
MOST_ROUNDS = 8
"""Calls with results in a row, before the model is left alone."""

Results = Callable[["Call"], "Json"]


@dataclass(frozen=True)
class Round:
    """A reply, its calls, and what they gave; results: empty where nobody asked for them."""

    reply: Reply
    calls: tuple[Call, ...]
    results: tuple[Json, ...]
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        calls: list[dict[str, Any]] = [
            {"name": call.name, "arguments": dict(call.arguments)} for call in self.calls
        ]
        for call, result in zip(calls, self.results, strict=False):
            call["result"] = result
        return {"text": self.reply.text, "calls": calls, "problem": self.problem}


def read_results(path: Path) -> Results:
    """Read `--results`: an object with a result by a tool's name, "*" for all others; raises InputError."""
    from edgekit.files.within import read_regular
    from edgekit.records.documents import parse_json

    remedy = 'write {"set_timer": {"status": "done"}, "*": {"status": "done"}}'
    try:
        content = read_regular(path, 1 << 20)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, remedy=remedy) from error
    if content is None:
        raise InputError("is larger than 1 MiB", where=path, remedy=remedy)
    found = parse_json(content, where=path, remedy=remedy)
    if not isinstance(found, Mapping):
        raise InputError("is no object of results by tool", where=path, remedy=remedy)

    def result(call: Call) -> Json:
        if call.name in found:
            return found[call.name]
        if ANY in found:
            return found[ANY]
        raise InputError(
            f"has no result for {call.name}", where=path, remedy=f'add the key "{call.name}", or "{ANY}"'
        )

    return result


def ask_for_result(call: Call) -> Json:
    """Let somebody type what a call gave: JSON, words, or nothing for done. Raises EOFError at the end of input."""
    from edgekit.records import documents

    prompt = f'result of {call.name} (Enter: {{"status": "done"}})> ' if sys.stdin.isatty() else ""
    typed = input(prompt).strip()
    if not typed:
        return {"status": "done"}
    try:
        value: Json = documents.loads(typed)
    except ValueError:
        value = typed
    return value if isinstance(value, Mapping) else {"result": value}


def converse(
    talk: Chat, message: str, results: Results | None, shown: Callable[[Round], None]
) -> list[Round]:
    """Send a message, and tell the model what its calls gave until it calls no more.

    results: gives them; None leaves it at the first reply.
    """
    from edgekit.calling.calls import parse, result_message

    assert talk.calling is not None
    rounds: list[Round] = []
    reply = talk.say(message)
    while True:
        answer = parse(reply.text, talk.calling.dialect)
        shown(Round(reply, answer.calls, (), answer.problem))
        goes_on = results is not None and answer.calls and answer.problem is None
        if not goes_on or len(rounds) == MOST_ROUNDS or reply.ending != "end_of_turn":
            rounds.append(Round(reply, answer.calls, (), answer.problem))
            return rounds
        assert results is not None
        found = tuple(results(call) for call in answer.calls)
        rounds.append(Round(reply, answer.calls, found, None))
        told = [(call.name, result) for call, result in zip(answer.calls, found, strict=True)]
        reply = talk.tell(result_message(told, talk.calling.dialect))


def written(text: str, calling: Calling | None) -> str:
    """An answer as people read it: a line for each call, or the text as it is."""
    from edgekit.calling.calls import parse

    answer = None if calling is None else parse(text, calling.dialect)
    if answer is None or answer.problem is not None or not answer.calls:
        return text
    return "\n".join(map(_written, answer.calls))


def _written(call: Call) -> str:
    values = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in call.arguments.items())
    return f"{call.name}({', '.join(values)})"


def show(one: Round) -> None:
    """Print calls as people read them, and what is said in words."""
    for call in one.calls:
        say(_written(call))
    if one.problem is not None:
        error_console().print(
            f"a call that cannot be read: {one.problem}", style="yellow", markup=False, highlight=False
        )
        say(one.reply.text)
    elif not one.calls:
        say(one.reply.text)
