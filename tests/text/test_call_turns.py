"""Rows of models that call, in the layouts of Mobile Actions and TRL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.calling.tools import Calling, Tool
from edgekit.errors import InputError
from edgekit.text.data import Data, read_data

EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
CALLING = Calling("function_gemma", "auto", (Tool("lamp", "", EMPTY), Tool("mail", "", EMPTY)))
ASKED = {"role": "user", "content": "light, please"}
LAMP = {"function": {"name": "lamp", "arguments": {"on": True}}}
WRITTEN = "<start_function_call>call:lamp{on:true}<end_function_call>"


def read(tmp_path: Path, *rows: dict[str, Any], calling: Calling | None = CALLING, **options: Any) -> Data:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return read_data(path, calling=calling, **options)


def called(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(calls)}


def test_mobile_actions(tmp_path: Path) -> None:
    declared = [{"function": {"name": "lamp", "description": "", "parameters": {"type": "OBJECT"}}}]
    told = {"role": "developer", "content": "Now it is noon."}
    rows = [
        {"metadata": split, "tools": declared, "messages": [told, ASKED, called(LAMP)]}
        for split in ("train", "eval", "train")
    ]
    data = read(tmp_path, *rows)
    (row,) = data.rows
    assert (row.line, row.expected, row.prompt) == (2, WRITTEN, "light, please")
    assert [message["role"] for message in row.messages] == ["developer", "user"]
    assert data.identity.rows == 1
    assert "tools" in data.identity.columns


def test_trl_with_arguments_as_text_and_as_prompt_with_completion(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "lamp", "arguments": '{"on": true}'}}
    data = read(
        tmp_path,
        {"messages": [ASKED, called(call)], "tools": []},
        {"prompt": [ASKED], "completion": [called(call)], "tools": []},
    )
    assert [row.expected for row in data.rows] == [WRITTEN, WRITTEN]


def test_calls_are_written_in_the_bundles_dialect(tmp_path: Path) -> None:
    (row,) = read(tmp_path, {"messages": [ASKED, called(LAMP)]}, calling=None).rows
    assert row.expected == '{"name": "lamp", "arguments": {"on": true}}'


def test_parallel_calls_and_an_answer_in_words(tmp_path: Path) -> None:
    mail = {"function": {"name": "mail"}}
    said = {"role": "assistant", "content": "I cannot."}
    data = read(
        tmp_path, {"messages": [ASKED, called(LAMP, mail)]}, {"messages": [ASKED, said], "tools": [1]}
    )
    assert [row.expected for row in data.rows] == [
        f"{WRITTEN}<start_function_call>call:mail{{}}<end_function_call>",
        "I cannot.",
    ]


def test_what_follows_the_first_answer_is_not_asked(tmp_path: Path) -> None:
    result = {"role": "tool", "name": "lamp", "content": {"status": "done"}}
    after = {"role": "assistant", "content": "It is on."}
    (row,) = read(tmp_path, {"messages": [ASKED, called(LAMP), result, after]}).rows
    assert (len(row.messages), row.expected) == (1, WRITTEN)


def test_an_earlier_call_stands_in_the_conversation(tmp_path: Path) -> None:
    (row,) = read(tmp_path, {"messages": [ASKED, called(LAMP), ASKED, called(LAMP)]}).rows
    assert row.messages[1] == {"role": "assistant", "content": WRITTEN}


def test_nulls_that_arrow_fills_in_are_no_arguments(tmp_path: Path) -> None:
    call = {"function": {"name": "lamp", "arguments": {"on": True, "to": None}}}
    assert read(tmp_path, {"messages": [ASKED, called(call)]}).rows[0].expected == WRITTEN


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([ASKED, called({"name": 3})], "a call is not"),
        ([ASKED, called({"function": {"name": "lamp", "arguments": "{"}})], "a call is not"),
        ([ASKED, called({"function": {"name": "lamp", "arguments": [1]}})], "a call is not"),
        ([ASKED, called({"function": {"name": "sing"}})], "calls sing, which is none of the bundle's tools"),
        ([ASKED, called(LAMP), {"role": "tool", "content": {}}, ASKED, called(LAMP)], "behind results"),
        ([ASKED, called(LAMP), ASKED, {"role": "assistant"}], "neither says nor calls"),
    ],
)
def test_rows_that_cannot_be_used_say_why(tmp_path: Path, turns: list[Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        read(tmp_path, {"messages": turns})


def test_rows_that_are_all_for_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for training"):
        read(tmp_path, {"metadata": "train", "tools": [], "messages": [ASKED, called(LAMP)]})
