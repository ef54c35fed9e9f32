"""What a format surely lets through: never more than the engine does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit.text.allowed import labels, surely_allows
from edgekit.text.answers import AnswerFormat, read_schema
from tests.conftest import EXAMPLE


def schema(properties: dict[str, Any], **others: Any) -> AnswerFormat:
    document = {"type": "object", "properties": properties, "x-guidance": {"whitespace_flexible": False}}
    return AnswerFormat("json_schema", json.dumps(document | others))


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [
        ("(on|off)", ("on", "off")),
        ("yes|no", ("yes", "no")),
        (r"a(?:b|c(d)?)e\.", ("abe.", "acde.", "ace.")),
        ("(blå|grønn)", ("blå", "grønn")),
        ("a+", ()),
        ("[ab]", ()),
        (r"\d", ()),
        ("(a", ()),
        ("a)", ()),
        ("(0|1|2|3|4|5|6|7|8|9)" * 5, ()),
    ],
)
def test_labels_are_read_from_words_and_choices_alone(pattern: str, spelled: tuple[str, ...]) -> None:
    assert labels(pattern) == spelled


def test_a_label_is_allowed_unless_a_longer_one_begins_with_it() -> None:
    answers = AnswerFormat("regex", "(sound|sound settings|wifi)")
    assert surely_allows(answers, "wifi")
    assert surely_allows(answers, "sound settings")
    assert not surely_allows(answers, "sound")
    assert not surely_allows(answers, "wifi ")


def test_what_the_example_expects_is_allowed_by_its_schema() -> None:
    answers = read_schema(EXAMPLE / "answer-schema.json")
    rows = [json.loads(line) for line in (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(surely_allows(answers, row["expected"]) for row in rows[:50])


NAMED = {"name": {"type": ["string", "null"]}, "count": {"type": "integer"}}


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ('{"name":"Åse","count":2}', True),
        ('{"name":null,"count":-1}', True),
        ('{"name":null}', True),
        ('{"count":2,"name":"Åse"}', False),  # another order
        ('{"name": "Åse","count":2}', False),  # free white space
        ('{"name":"\\u00c5se","count":2}', False),  # spelled in another way
        ('{"name":"Åse","count":2.0}', False),
        ('{"name":"Åse","count":true}', False),
        ('{"name":"Åse","other":1}', False),
        ('{"name":"Åse"', False),
        ("null", False),
        ("", False),
    ],
)
def test_json_is_allowed_as_it_is_written_without_white_space(text: str, allowed: bool) -> None:
    assert surely_allows(schema(NAMED), text) == allowed


def test_what_must_be_there_must_be_there() -> None:
    assert not surely_allows(schema(NAMED, required=["count"]), '{"name":null}')


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"a": {"type": "string", "pattern": "x"}}, '{"a":"x"}'),
        ({"a": {"anyOf": [{"type": "string"}]}}, '{"a":"x"}'),
        ({"a": True}, '{"a":"x"}'),
        ({"a": {}}, '{"a":"x"}'),
    ],
)
def test_of_other_keywords_nothing_is_known(properties: dict[str, Any], text: str) -> None:
    assert not surely_allows(schema(properties), text)


def test_constants_choices_and_lists_are_known() -> None:
    answers = schema(
        {"a": {"enum": ["x", 1]}, "b": {"const": True}, "c": {"type": "array", "items": {"enum": [1]}}}
    )
    assert surely_allows(answers, '{"a":1,"b":true,"c":[1,1]}')
    assert not surely_allows(answers, '{"a":true}')
    assert not surely_allows(answers, '{"c":[2]}')


def test_free_white_space_leaves_open_what_the_engine_does() -> None:
    flexible = schema(NAMED, **{"x-guidance": {"whitespace_flexible": True}})
    assert not surely_allows(flexible, '{"name":null}')
    assert not surely_allows(AnswerFormat("json_schema", '{"type":"object"}'), "{}")
