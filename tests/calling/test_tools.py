"""Tools files: two layouts are read alike, and each kind of malformed file gives one clear error."""

import json

import pytest

from edgekit.calling.tools import check_dialect, openai, parse_tools, read_tools
from edgekit.errors import InputError

PLACE = {"type": "string", "description": "Where"}
MAP = {
    "name": "show_map",
    "description": "Shows a map",
    "parameters": {"type": "object", "properties": {"query": PLACE}, "required": ["query"]},
}
SHOUTED = {
    "name": "show_map",
    "description": "Shows a map",
    "parameters": {
        "type": "OBJECT",
        "properties": {"query": {"type": "STRING", "description": "Where"}},
        "required": ["query"],
    },
}


def with_parameter(**schema):
    return [{**MAP, "parameters": {"type": "object", "properties": {"query": schema}}}]


@pytest.mark.parametrize(
    "layout",
    [
        [MAP],
        MAP,
        {"tools": [MAP]},
        [{"type": "function", "function": MAP}],
        [{"function": SHOUTED}],
    ],
)
def test_all_layouts_read_alike(tmp_path, layout):
    (tmp_path / "tools.json").write_text(json.dumps(layout))
    (tool,) = read_tools(tmp_path / "tools.json")
    assert (tool.name, tool.description, tool.required) == ("show_map", "Shows a map", ("query",))
    assert tool.properties == {"query": PLACE}


def test_what_was_read_is_read_again():
    tools = parse_tools([SHOUTED, {"name": "wifi"}], where="tools.json")
    assert parse_tools(openai(tools), where="manifest") == tools
    assert tools[1].parameters == {"type": "object", "properties": {}, "required": []}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "null"]},
        {"type": "string", "nullable": True},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ],
)
def test_three_ways_to_say_that_a_value_may_be_null(schema):
    (tool,) = parse_tools(with_parameter(**schema), where="tools.json")
    assert tool.properties["query"] == {"type": "string", "nullable": True}


MALFORMED = {
    "not JSON": ("[{", "is not JSON"),
    "a key twice": ('[{"name": "a", "name": "b"}]', "appears twice"),
    "a number": (3, "tools is 3, not a list"),
    "no tools": ([], "lists no tools"),
    "too many": ([{"name": f"a{i}"} for i in range(200)], "lists 200 tools"),
    "a tool that is a text": (["show_map"], "tools[0] is 'show_map', not an object"),
    "another kind": ([{"type": "retrieval"}], "tools[0].type"),
    "a function that is a text": ([{"type": "function", "function": "f"}], "tools[0].function is 'f'"),
    "no name": ([{"description": "x"}], 'tools[0] has no key "name"'),
    "a name with a space": ([{"name": "show map"}], "tools[0].name is 'show map'"),
    "a name twice": ([MAP, MAP], "tools[1].name: show_map is there twice"),
    "a description that is a list": ([{**MAP, "description": []}], "tools[0].description is []"),
    "a token in a description": ([{**MAP, "description": "<escape>"}], "holds <escape>"),
    "parameters that are a list": ([{**MAP, "parameters": []}], "tools[0].parameters is []"),
    "parameters of another type": (
        [{**MAP, "parameters": {"type": "string"}}],
        "parameters.type is 'string'",
    ),
    "properties that are a list": (
        [{**MAP, "parameters": {"type": "object", "properties": ["a"]}}],
        "parameters.properties is ['a']",
    ),
    "a schema that is a text": (
        [{**MAP, "parameters": {"type": "object", "properties": {"a": "string"}}}],
        "properties.a is 'string'",
    ),
    "no type": (with_parameter(description="x"), 'properties.query has no key "type"'),
    "an unknown type": (with_parameter(type="text"), "properties.query.type is 'text'"),
    "two types": (with_parameter(type=["string", "integer"]), "properties.query.type"),
    "required that is a text": (
        [{**MAP, "parameters": {**MAP["parameters"], "required": "query"}}],
        "parameters.required is 'query'",
    ),
    "required that is no parameter": (
        [{**MAP, "parameters": {**MAP["parameters"], "required": ["place"]}}],
        "required names place, which is no parameter",
    ),
    "an empty enum": (with_parameter(type="string", enum=[]), "properties.query.enum is []"),
    "an enum of another type": (with_parameter(type="string", enum=[1]), "enum is 1, not of type string"),
    "an array of anything": (with_parameter(type="array"), 'is an array without "items"'),
    "a bound": (with_parameter(type="integer", minimum=1), "query.minimum: calls cannot be held"),
    "one of several schemas": (
        with_parameter(anyOf=[{"type": "string"}, {"type": "integer"}]),
        "query.anyOf: calls cannot be held",
    ),
    "a parameter with a hyphen": (
        [{**MAP, "parameters": {"type": "object", "properties": {"a-b": PLACE}}}],
        "'a-b' is no name of a parameter",
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_gives_one_clear_error(tmp_path, kind):
    content, says = MALFORMED[kind]
    path = tmp_path / "tools.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as raised:
        read_tools(path)
    assert says in raised.value.message
    assert raised.value.where == str(path)
    assert raised.value.remedy


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_tools(tmp_path / "tools.json")


def test_a_parameter_that_the_template_would_leave_out():
    tools = parse_tools(
        [{"name": "create_event", "parameters": {"type": "object", "properties": {"type": PLACE}}}], where="x"
    )
    check_dialect(tools, "json", where="tools.json")
    with pytest.raises(InputError, match=r"tools\[0\]\.parameters\.properties\.type") as raised:
        check_dialect(tools, "function_gemma", where="tools.json")
    assert raised.value.remedy == "call it otherwise, such as event_type"
