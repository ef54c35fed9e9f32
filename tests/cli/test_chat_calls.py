"""Calls at the terminal, without an engine: what is sent, shown and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.calling.calls import Call, render
from edgekit.calling.tools import Calling, Tool
from edgekit.cli import calls
from edgekit.errors import InputError

TIMER = Tool(
    "set_timer", "", {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": []}
)
CALLING = Calling("function_gemma", "auto", (TIMER,))
FIVE = Call("set_timer", {"minutes": 5})


class Said:
    """A chat that answers what it was given, and keeps what it was told."""

    calling = CALLING

    def __init__(self, *texts: str) -> None:
        self._texts = iter(texts)
        self.told: list[Any] = []

    def say(self, message: Any) -> Any:
        self.told.append(message)
        return SimpleNamespace(text=next(self._texts), ending="end_of_turn")

    tell = say


def rounds(*texts: str, results: calls.Results | None = None) -> tuple[Said, list[calls.Round]]:
    chat = Said(*texts)
    return chat, calls.converse(chat, "five minutes", results, lambda _: None)  # type: ignore[arg-type]


def test_without_results_the_first_reply_is_the_last() -> None:
    _, (only,) = rounds(render([FIVE], "function_gemma"))
    assert only.calls == (FIVE,)


def test_results_go_back_in_the_models_turn() -> None:
    chat, (first, last) = rounds(
        render([FIVE, FIVE], "function_gemma"), "It is running.", results=lambda call: {"status": "done"}
    )
    result = "<start_function_response>response:set_timer{status:<escape>done<escape>}<end_function_response>"
    assert chat.told[1] == {"role": "tool", "content": result * 2}
    assert first.to_json()["calls"][0] == {
        "name": "set_timer",
        "arguments": {"minutes": 5},
        "result": {"status": "done"},
    }
    assert (last.reply.text, last.calls) == ("It is running.", ())


def test_a_model_that_only_calls_is_left_alone_in_the_end() -> None:
    _, found = rounds(*[render([FIVE], "function_gemma")] * 20, results=lambda call: {})
    assert len(found) == calls.MOST_ROUNDS + 1


def test_a_call_that_cannot_be_read_gets_no_result() -> None:
    _, (only,) = rounds("<start_function_call>call:set_timer{", results=lambda call: {})
    assert only.problem


def test_a_file_of_results(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"set_timer": {"status": "done"}}), "utf-8")
    result = calls.read_results(path)
    assert result(FIVE) == {"status": "done"}
    with pytest.raises(InputError, match="has no result for lamp"):
        result(Call("lamp", {}))
    path.write_text('{"*": 3}', "utf-8")
    assert calls.read_results(path)(Call("lamp", {})) == 3


@pytest.mark.parametrize("content", ["[]", "{", None])
def test_a_file_that_holds_no_results(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(InputError) as refused:
        calls.read_results(path)
    assert str(path) in str(refused.value) and refused.value.remedy


def test_what_is_typed_is_json_or_words(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: Iterator[str] = iter(["", '{"a": 1}', "3", "no app"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    assert [calls.ask_for_result(FIVE) for _ in range(4)] == [
        {"status": "done"},
        {"a": 1},
        {"result": 3},
        {"result": "no app"},
    ]
