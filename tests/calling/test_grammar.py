"""The format of calls: what the tools allow matches, and nothing else does."""

import re

import pytest

from edgekit.calling.calls import Call, parse, render
from edgekit.calling.fit import misfits
from edgekit.calling.grammar import regex
from edgekit.calling.tools import parse_tools

TEXT = {"type": "string"}
TOOLS = parse_tools(
    [
        {"name": "lamp_on"},
        {
            "name": "send",
            "parameters": {
                "type": "object",
                "properties": {
                    "to": {"type": "array", "items": TEXT},
                    "body": TEXT,
                    "copies": {"type": "integer"},
                    "share": {"type": "number", "nullable": True},
                    "urgent": {"type": "boolean"},
                    "kind": {"type": "string", "enum": ["e-mail", "SMS (text)"]},
                    "at": {
                        "type": "object",
                        "properties": {"day": TEXT, "hour": {"type": "integer"}},
                        "required": ["day"],
                    },
                },
                "required": ["to", "body"],
            },
        },
        {
            "name": "all_optional",
            "parameters": {"type": "object", "properties": {"a": TEXT, "b": TEXT, "c": TEXT}},
        },
    ],
    where="tools.json",
)
FULL = {
    "to": ["Zoë", "æ日🙂"],
    "body": 'He said: "1 < 2",\n{x}',
    "copies": -3,
    "share": 0.25,
    "urgent": True,
    "kind": "SMS (text)",
    "at": {"day": "friday", "hour": 7},
}
ALLOWED = [
    [Call("lamp_on", {})],
    [Call("send", {"to": [], "body": ""})],
    [Call("send", FULL)],
    [Call("send", FULL | {"share": None}), Call("lamp_on", {}), Call("lamp_on", {})],
    *(
        [Call("all_optional", dict.fromkeys(keys, "x"))]
        for keys in ("", "a", "b", "c", "ab", "ac", "bc", "abc")
    ),
]
REFUSED = [
    [Call("lamp_off", {})],
    [Call("lamp_on", {"a": "b"})],
    [Call("send", {"to": ["a"]})],
    [Call("send", {"to": "a", "body": "b"})],
    [Call("send", FULL | {"copies": 1.5})],
    [Call("send", FULL | {"urgent": None})],
    [Call("send", FULL | {"kind": "fax"})],
    [Call("send", FULL | {"at": {"hour": 7}})],
    [Call("lamp_on", {})] * 9,
]
ENDS = {"function_gemma": "<start_function_response>", "json": ""}


ORDER = [name for tool in TOOLS for name in tool.properties]


def written(calls, dialect):
    """Calls as the model writes them: in JSON, arguments in the order of the tools file."""
    ordered = [
        Call(c.name, dict(sorted(c.arguments.items(), key=lambda pair: ORDER.index(pair[0])))) for c in calls
    ]
    return render(ordered, dialect) + ENDS[dialect]


@pytest.mark.parametrize("dialect", ["function_gemma", "json"])
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_what_the_tools_allow_and_nothing_else(dialect, choice):
    pattern = regex(TOOLS, dialect, choice)
    for calls in ALLOWED:
        said = written(calls, dialect)
        assert re.fullmatch(pattern, said), said
        found = parse(said, dialect)
        assert found.problem is None
        assert not any(misfits(call, TOOLS) for call in found.calls)
    for calls in REFUSED:
        assert not re.fullmatch(pattern, written(calls, dialect)), calls


@pytest.mark.parametrize("dialect", ["function_gemma", "json"])
def test_words_are_for_auto_and_none(dialect):
    for choice, allowed in (("auto", True), ("none", True), ("required", False)):
        pattern = regex(TOOLS, dialect, choice)
        assert bool(re.fullmatch(pattern, "I cannot do that: 1 < 2.")) == allowed
        assert not re.fullmatch(pattern, "")
    assert not re.fullmatch(regex(TOOLS, dialect, "none"), written([Call("lamp_on", {})], dialect))


@pytest.mark.parametrize(
    "body", ["a<escape>b", "a<end_function_call>", "<<escape>", "a<start_function_call>", "<<<end_of_turn>"]
)
def test_no_control_token_gets_into_a_text(body):
    said = f"<start_function_call>call:send{{body:<escape>{body}<escape>,to:[]}}<end_function_call>"
    assert not re.fullmatch(regex(TOOLS, "function_gemma", "required"), said + ENDS["function_gemma"])


def test_texts_end():
    pattern = regex(TOOLS, "json", "required", longest=3)
    assert re.fullmatch(pattern, '{"name": "all_optional", "arguments": {"a": "123"}}')
    assert not re.fullmatch(pattern, '{"name": "all_optional", "arguments": {"a": "1234"}}')


def test_another_call_may_follow_where_nothing_is_forced():
    """A forced beginning of a control token is written as plain text, and a second call could never begin."""
    call = render([Call("lamp_on", {})], "function_gemma")
    allowed = re.compile(regex(TOOLS, "function_gemma", "required"))
    for said in (call, call * 2, call + "<start_function_response>"):
        assert allowed.fullmatch(said)
