"""What the real engine makes of a new file, and of the format that its answers are to have."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import BundleError, InputError
from edgekit.runtime.ask.session import Session, ask
from edgekit.runtime.ask.smoke import smoke, verify_answers
from edgekit.text.answers import AnswerFormat, parse_regex
from tests.fixtures.tokenizers import tokenizer_bundle, with_other_merges
from tests.runtime.ask.formats import DEMO_SCHEMA, schema

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (schema({"type": "array", "uniqueItems": True}), "uniqueItems"),
        (schema({"not": {"type": "string"}}), '"not"'),
        (schema({"oneOf": [{"const": 1}, {"const": 2}]}), "oneOf"),
        (schema({"type": "string", "format": "no-such-format"}), "no-such-format"),
        (schema({"$ref": "https://example.org/other.json"}), "ref"),
        (AnswerFormat("regex", "(?=a)b"), "look-around"),
        (AnswerFormat("regex", r"(a)\1"), "backreferences"),
        (AnswerFormat("regex", "(yes|🦤)"), "only its bytes"),
        (schema({"enum": ["yes", "🦤"]}), "only its bytes"),
    ],
    ids=["uniqueItems", "not", "oneOf", "format", "$ref", "look-around", "back-reference", "regex", "enum"],
)
def test_what_the_engine_cannot_take_is_refused_with_its_reason(
    session: Session, answers: AnswerFormat, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        verify_answers(session, answers)


@pytest.mark.parametrize("answers", [schema(DEMO_SCHEMA), parse_regex("(on|off)")], ids=["schema", "regex"])
def test_what_the_engine_can_take_passes(session: Session, answers: AnswerFormat) -> None:
    verify_answers(session, answers)


def test_labels_with_spaces_are_refused_where_the_tokenizer_cannot_spell_them(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path, with_other_merges)  # embeds tokenizer.json, whose pieces have ▁
    with ask(path) as session:
        with pytest.raises(InputError, match="spaces"):
            verify_answers(session, parse_regex("(turn on|turn off)"))
        verify_answers(session, parse_regex("(turn_on|turn_off)"))


def test_smoke_opens_and_generates_in_a_process_of_its_own(float_bundle: Path) -> None:
    result = smoke(float_bundle, tokens=5)
    assert result.tokens == 5
    assert result.text.startswith("{")
    assert not list(float_bundle.parent.glob("*cache*"))


def test_smoke_answers_in_the_format_that_it_is_given(float_bundle: Path) -> None:
    assert smoke(float_bundle, answer=parse_regex("(on|off)")).text in ("on", "off")


def test_the_file_of_a_refused_format_is_named(float_bundle: Path) -> None:
    with pytest.raises(InputError, match="uniqueItems") as refusal:
        smoke(
            float_bundle,
            answer=schema({"type": "array", "uniqueItems": True}),
            answer_schema="answers.json",
        )
    assert refusal.value.where == "answers.json"
    assert refusal.value.remedy


def test_smoke_passes_on_why_a_format_is_refused(float_bundle: Path) -> None:
    with pytest.raises(InputError, match="look-around"):
        smoke(float_bundle, answer=AnswerFormat("regex", "(?=a)b"))


@pytest.mark.parametrize("damage", ["truncated", "no container", "absent", "weights cut off"])
def test_smoke_names_the_file_that_the_engine_refuses(
    tmp_path: Path, float_bundle: Path, damage: str
) -> None:
    path = tmp_path / "broken.litertlm"
    content = float_bundle.read_bytes()
    if damage != "absent":
        path.write_bytes(
            {
                "truncated": content[:70_000],
                "no container": b"nothing of the kind" * 100,
                "weights cut off": content[: len(content) // 2],
            }[damage]
        )
    with pytest.raises(BundleError, match=r"broken\.litertlm: .{10}"):
        smoke(path)
