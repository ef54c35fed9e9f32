"""Calls: what is written is read again, and what cannot be read says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.calling.calls import Answer, Call, parse, render, render_result
from edgekit.calling.fit import misfits
from edgekit.calling.tools import parse_tools

BEGIN, END = "<start_function_call>", "<end_function_call>"
names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: "<" not in text)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
calls = st.lists(st.builds(Call, names, st.dictionaries(names, values, max_size=3)), min_size=1, max_size=3)


@pytest.mark.parametrize("dialect", ["function_gemma", "json"])
@given(calls)
def test_what_is_written_is_read_again(dialect, written):
    assert parse(render(written, dialect), dialect) == Answer(tuple(written), "")


def test_arguments_are_sorted_as_the_template_sorts_them():
    call = Call("f", {"b": 1, "A": "x", "c": [True, None, 1.5], "d": {"z": 1, "Y": 2}})
    assert render([call], "function_gemma") == (
        f"{BEGIN}call:f{{A:<escape>x<escape>,b:1,c:[true,null,1.5],d:{{Y:2,z:1}}}}{END}"
    )


def test_parallel_calls_abut_and_the_stop_token_is_no_text():
    said = f"{BEGIN}call:a{{}}{END}{BEGIN}call:b{{n:2}}{END}<start_function_response>"
    assert parse(said, "function_gemma") == Answer((Call("a", {}), Call("b", {"n": 2})), "")


def test_words_are_no_call():
    assert parse("I cannot do that.", "function_gemma") == Answer((), "I cannot do that.")
    assert parse("[1] is a footnote", "json") == Answer((), "[1] is a footnote")
    assert parse('{"title": "no call"}', "json") == Answer((), '{"title": "no call"}')


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (f"{BEGIN}call:a{{}}", "has no <end_function_call>"),
        (f"call:a{{}}{END}", "has no <start_function_call>"),
        (f"{BEGIN}a{{}}{END}", "no 'call:'"),
        (f"{BEGIN}call:a{{x:y}}{END}", "a text without <escape>"),
        (f"{BEGIN}call:a{{x:<escape>y}}{END}", "without its second <escape>"),
        (f"{BEGIN}call:a{{x:1,}}{END}", "no name"),
        (f"{BEGIN}call:a{{x:1,x:2}}{END}", "x twice"),
        (f'{BEGIN}call:a{{x:"y"}}{END}', "a text without <escape>"),
        (f"{BEGIN}call:a{END}", "no '{'"),
        (f"{BEGIN}call:a{{}} and{END}", "something behind the arguments"),
        (f"{BEGIN}call:a{{x:{'[' * 99}}}{END}", "nested too deeply"),
    ],
)
def test_a_malformed_call_says_why(said, why):
    answer = parse(said, "function_gemma")
    assert answer.calls == ()
    assert why in answer.problem


@pytest.mark.parametrize(
    "said",
    ['{"name": "a", "arguments": {', '{"name": "a", "arguments": 3}', '[{"name": "a", "arguments": {}}, 1]'],
)
def test_malformed_json(said):
    assert parse(said, "json").problem


def test_json_may_be_fenced():
    assert parse('```json\n{"name": "a", "arguments": {"n": 1}}\n```', "json").calls == (Call("a", {"n": 1}),)


def test_calls_before_a_malformed_one_are_kept():
    answer = parse(f"{BEGIN}call:a{{}}{END}{BEGIN}call:b{{", "function_gemma")
    assert answer.calls == (Call("a", {}),)
    assert answer.problem


def test_results():
    assert render_result("a", {"ok": True}, "function_gemma") == (
        "<start_function_response>response:a{ok:true}<end_function_response>"
    )
    assert "{value:<escape>done<escape>}" in render_result("a", "done", "function_gemma")
    assert render_result("a", "done", "json") == '{"name": "a", "result": "done"}'


def test_whether_the_tools_allow_a_call():
    tools = parse_tools(
        {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer"},
                    "kind": {"type": "string", "enum": ["a", "b"], "nullable": True},
                    "to": {"type": "array", "items": {"type": "number"}},
                    "at": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]},
                },
                "required": ["n"],
            },
        },
        where="tools.json",
    )
    assert misfits(Call("f", {"n": 1, "kind": None, "to": [1, 2.5], "at": {"x": True}}), tools) == ()
    assert misfits(Call("g", {}), tools) == ("no tool is called g",)
    assert misfits(Call("f", {"n": True, "kind": "c", "to": ["1"], "at": {}, "m": 1}), tools) == (
        "n is no integer",
        "kind is none of its values",
        "to[0] is no number",
        "at.x is missing",
        "m is no parameter",
    )
    assert misfits(Call("f", {}), tools) == ("n is missing",)
