"""Answer formats are read, checked and kept; the engine's verdict is in tests/runtime/test_engine.py."""

import json
from pathlib import Path

import pytest

from edgekit.errors import BundleError, InputError
from edgekit.text import answers, bounded
from edgekit.text.answers import AnswerFormat, allowed, parse_regex, read_schema

SCHEMA = {
    "type": "object",
    "properties": {"screen": {"enum": ["display", "lyd på"]}, "n": {"const": 3}},
    "required": ["screen"],
}


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_schema_forbids_free_white_space_unless_it_says_otherwise(tmp_path: Path) -> None:
    plain = read_schema(write(tmp_path / "a.json", SCHEMA))
    assert json.loads(plain.source)["x-guidance"] == {"whitespace_flexible": False}
    own = SCHEMA | {"x-guidance": {"whitespace_flexible": True, "item_separator": ", "}}
    kept = read_schema(write(tmp_path / "b.json", own))
    assert json.loads(kept.source)["x-guidance"] == own["x-guidance"]


def test_properties_keep_their_order(tmp_path: Path) -> None:
    source = read_schema(write(tmp_path / "a.json", SCHEMA)).source
    assert list(json.loads(source)["properties"]) == ["screen", "n"]


def test_what_is_spelled_out_is_known() -> None:
    assert AnswerFormat("json_schema", json.dumps(SCHEMA)).literals() == (
        '"screen"',
        '"n"',
        '"display"',
        '"lyd på"',
        "3",
    )
    assert parse_regex("(on|off)").literals() == ("(on|off)",)


CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
CLOSED = CITY | {"additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "places"),
    [
        (CITY, "its outermost object"),
        (CLOSED, None),
        (CITY | {"additionalProperties": True}, None),
        ({"type": "object"}, None),
        (CLOSED | {"properties": {"from": CITY, "stops": {"items": CITY}}}, "from, stops[]"),
        ({"anyOf": [CLOSED, CITY]}, "its outermost object"),
        ({"prefixItems": [CLOSED, CITY]}, "[]"),
        ({"$ref": "#/$defs/place", "$defs": {"place": CITY}}, "$defs.place"),
        (CLOSED | {"properties": dict.fromkeys("abcd", CITY)}, "a, b, c, …"),
        ({"enum": ["properties"], "properties": "odd", "items": [3], "anyOf": {}}, None),
    ],
)
def test_objects_that_may_have_more_than_the_schema_names_are_told(
    schema: dict[str, object], places: str | None
) -> None:
    notes = AnswerFormat("json_schema", json.dumps(schema)).notes()
    assert [note.rpartition('"additionalProperties": false in ')[2] for note in notes] == (
        [] if places is None else [places]
    )


def test_a_regular_expression_is_not_told_of() -> None:
    assert parse_regex("(on|off)").notes() == ()


@pytest.mark.parametrize(
    "answers", [AnswerFormat("json_schema", '{"enum":["å"]}'), AnswerFormat("regex", "(å|b)")]
)
def test_the_manifest_gives_back_what_it_was_given(answers: AnswerFormat) -> None:
    entry = json.loads(json.dumps(answers.to_manifest()))
    assert AnswerFormat.from_manifest(entry) == answers


@pytest.mark.parametrize("entry", [{}, {"kind": "regex"}, {"kind": "json_schema", "schema": "x"}])
def test_a_manifest_without_a_format_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="answers"):
        AnswerFormat.from_manifest(entry)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"type": ', r"schema\.json: is not JSON"),
        ("[1]", r"schema\.json: holds a JSON list"),
        ('{"type": "string", "type": "number"}', r"schema\.json: .*'type' appears twice"),
        ('{"x-guidance": 1}', r'schema\.json: key "x-guidance"'),
    ],
)
def test_a_file_that_is_no_schema_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_schema(write(tmp_path / "schema.json", content))


def test_an_absent_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: cannot be read"):
        read_schema(tmp_path / "nowhere.json")


@pytest.mark.parametrize("pattern", ["(on|off", "[a", "a{3,1}"])
def test_what_is_no_regular_expression_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="is not a regular expression"):
        parse_regex(pattern)


@pytest.mark.parametrize("pattern", ["", "a*", "(on|)"])
def test_an_empty_answer_is_no_answer(pattern: str) -> None:
    with pytest.raises(InputError, match="allows an empty answer"):
        parse_regex(pattern)


def test_rusts_classes_pass_on_to_the_engine() -> None:
    assert parse_regex(r"\p{L}+").source == r"\p{L}+"


OBJECT = AnswerFormat("json_schema", '{"type": "object", "required": ["a"]}')


@pytest.mark.parametrize(
    ("text", "form", "is_allowed"),
    [
        ('{"a": 1}', OBJECT, True),
        ('{"b": 1}', OBJECT, False),
        ('{"a": 1', OBJECT, False),
        ("[" * 100_000, OBJECT, False),
        (" yes\n", AnswerFormat("regex", "yes|no"), True),
        ("yes, I think", AnswerFormat("regex", "yes|no"), False),
    ],
)
def test_an_answer_is_allowed_when_the_format_says_so(
    text: str, form: AnswerFormat, is_allowed: bool
) -> None:
    pytest.importorskip("jsonschema")
    assert allowed([text], form) == [is_allowed]


@pytest.mark.parametrize(
    "form",
    [
        AnswerFormat("regex", "(a|a)*b"),
        AnswerFormat("json_schema", '{"pattern": "^(a|a)*b$"}'),
        AnswerFormat("json_schema", '{"$ref": "#"}'),
        AnswerFormat("json_schema", '{"$ref": "file:///etc/passwd"}'),
        AnswerFormat("json_schema", '{"type": "no type"}'),
    ],
    ids=["expression without end", "pattern without end", "circle", "file", "no schema"],
)
def test_a_bundles_format_cannot_hold_up_who_asks(
    monkeypatch: pytest.MonkeyPatch, form: AnswerFormat
) -> None:
    monkeypatch.setattr(answers.bounded, "templates", bounded.Bounded(memory=1 << 30, seconds=0.5))
    answer = "a" * 60 if form.kind == "regex" else '"' + "a" * 60 + '"'
    assert allowed([answer] * 9, form) == [False] * 9
