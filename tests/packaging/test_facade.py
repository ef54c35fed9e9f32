"""The class that answers in types of a bundle's own. That it compiles, and answers, android-build's tests show."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.packaging.kotlin.facade import facade_of, labels_of
from edgekit.packaging.kotlin.names import class_name, constant_names, member_names
from edgekit.packaging.kotlin.types import Types
from edgekit.packaging.source import Choice, open_source
from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles

PACKAGE = "com.example.model"


def types_of(
    properties: dict[str, object], required: tuple[str, ...] = (), **others: object
) -> dict[str, str]:
    schema = {"type": "object", "properties": properties, "required": [*required], **others}
    return {member.key: member.type.written for member in Types(schema).members(schema)}


def test_a_schema_becomes_types() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "number"}}}
    found = types_of(
        {
            "name": {"type": "string"},
            "count": {"type": "integer"},
            "on": {"type": "boolean"},
            "mood": {"enum": ["good", "bad"]},
            "place": inner,
            "many": {"type": "array", "items": inner},
            "later": {"type": "string"},
            "nothing": {"type": ["integer", "null"]},
            "either": {"anyOf": [{"$ref": "#/$defs/inner"}, {"type": "null"}]},
            "open": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "digits": {"enum": [1, 2]},
            "free": {"type": "object"},
        },
        ("name", "count", "on", "mood", "place", "many", "nothing"),
        **{"$defs": {"inner": inner}},
    )
    assert found == {
        "name": "String",
        "count": "Long",
        "on": "Boolean",
        "mood": "Mood",
        "place": "Place",
        "many": "List<Many>",
        "nothing": "Long?",
        "later": "String?",
        "either": "Either?",
        "open": "Any?",
        "digits": "Any?",
        "free": "Any?",
    }


def test_a_schema_that_goes_in_circles_ends() -> None:
    node = {
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}},
    }
    types = Types({"$defs": {"node": node}})
    assert types.of({"$ref": "#/$defs/node"}, "tree").name == "Tree"
    assert len(types.written) == 1 and "left: Any?" in types.written[0]
    assert Types({}).of({"$ref": "#/$defs/none"}, "x").name == "Any?"
    assert Types({}).of(True, "x").name == "Any?"


def test_names_are_kotlins_and_each_is_there_once() -> None:
    assert class_name("settings-navigator") == "SettingsNavigator" and class_name("3d") == "Model3d"
    assert list(member_names(["a_b", "aB", "in", "9", "…", "Result"]).values()) == [
        "aB",
        "aB2",
        "`in`",
        "value9",
        "value",
        "result",
    ]
    assert list(constant_names(["do not", "doNot", "9", "", "…"]).values()) == [
        "DO_NOT",
        "DO_NOT2",
        "_9",
        "OTHER",
        "OTHER2",
    ]


@pytest.mark.parametrize(
    ("regex", "labels"),
    [
        ("(positive|negative)", ("positive", "negative")),
        ("(?:a b|c)", ("a b", "c")),
        ("yes|no", ("yes", "no")),
        ("[a-z]+", None),
        ("(a|b)+", None),
        ("(a)|(b)", None),
        (r"a\.b|c", None),
    ],
)
def test_labels_are_read_of_an_expression_that_only_lists_them(
    regex: str, labels: tuple[str, ...] | None
) -> None:
    assert labels_of(regex) == labels


def facade(bundle: Path) -> str:
    return facade_of(open_source(bundle, Choice()), PACKAGE, assets="edgekit").text


@pytest.mark.slow
def test_labels_become_an_enum(bundles: Bundles) -> None:
    text = facade(bundles(name="tools", text=edgekit.TextOptions(answer_regex="(good|so so)")))
    assert "class ToolsModel private constructor" in text  # Tools is a name of ours
    assert "ask(question: String): Result<Label>" in text
    assert 'SO_SO("so so")' in text


@pytest.mark.slow
def test_without_a_format_it_answers_in_text(bundles: Bundles) -> None:
    text = facade(bundles(name="Free"))
    assert "ask(question: String): Result<String>" in text
    assert "partialJson" not in text


@pytest.mark.slow
def test_tools_become_an_interface_and_the_readme_says_so(bundles: Bundles, tmp_path: Path) -> None:
    tools = EXAMPLE.parent / "phone-actions/tools.json"
    bundle = bundles(name="phone", text=edgekit.TextOptions(tools=tools))
    made = facade_of(open_source(bundle, Choice()), PACKAGE, assets="edgekit")
    assert "ask(question: String, tools: Tools): Result<String>" in made.text
    assert "model.carryOut(null, question)" in made.text
    assert "`Phone.Tools` has a function for each tool" in made.readme
    assert ", tools)" in made.readme


@pytest.mark.slow
def test_a_title_neither_ends_a_comment_nor_a_string(bundles: Bundles, tmp_path: Path) -> None:
    bundle = bundles(name="odd")
    presets = tmp_path / "edgekit.toml"
    presets.write_text('title = "Ends */ here $5"\nexamples = ["say \\"$hi\\""]\n')
    made = facade_of(open_source(bundle, Choice(presets=presets)), PACKAGE, assets="edgekit")
    assert " * Ends * / here $5." in made.text
    assert 'model.ask("say \\"\\$hi\\"")' in made.readme
