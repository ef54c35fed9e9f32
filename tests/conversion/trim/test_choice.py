"""What is kept: all that the task needs, then the tokenizer's own order; and what is refused."""

from __future__ import annotations

import json
import string

import pytest

from edgekit.conversion.trim.alphabets import alphabet_of
from edgekit.conversion.trim.choice import Need, choose, least, needs_of
from edgekit.errors import InputError
from edgekit.text.answers import AnswerFormat, parse_regex
from edgekit.text.settle import Text
from edgekit.text.vocabulary import Vocabulary

SCHEMA = AnswerFormat(
    "json_schema",
    json.dumps({"properties": {"screen": {"enum": ["display", "音量"]}}, "required": ["screen"]}),
)


@pytest.fixture
def needs(vocabulary: Vocabulary, text: Text) -> tuple[Need, ...]:
    return needs_of(vocabulary, text, None, {vocabulary.ids["▁brightness"]: 3})


def test_without_any_text_the_engine_and_the_template_still_work(vocabulary: Vocabulary, text: Text) -> None:
    kept = least(vocabulary, needs_of(vocabulary, text, None, {}))
    assert set(text.stop_ids) <= kept
    assert vocabulary.control | vocabulary.byte <= kept
    prompt = "<bos><start_of_turn>user\n<end_of_turn>\n<start_of_turn>model\n"
    assert set(text.tokenizer.encode(prompt)) <= kept
    assert {
        vocabulary.ids[c] for c in string.ascii_letters + string.digits + '{}[]":,' if c in vocabulary.ids
    } <= kept


def test_an_answer_format_keeps_its_texts_and_their_characters(vocabulary: Vocabulary, text: Text) -> None:
    kept = least(vocabulary, needs_of(vocabulary, text, SCHEMA, {}))
    for written in ('{"screen"', '"display"', ': "display"', '"音量"'):
        assert set(text.tokenizer.encode(written)) <= kept
    assert {vocabulary.ids["音"], vocabulary.ids["量"]} <= kept
    labels = least(vocabulary, needs_of(vocabulary, text, parse_regex("(明るい|暗い)"), {}))
    assert {vocabulary.ids[c] for c in "明るい暗"} <= labels


def test_exactly_as_many_are_kept_as_were_asked_for(vocabulary: Vocabulary, needs: tuple[Need, ...]) -> None:
    for keep in (900, 1000, 1500, 2047):
        kept = choose(vocabulary, needs, keep)
        assert len(kept) == len(set(kept)) == keep
        assert vocabulary.closure(kept) == set(kept), "closed: every ancestor is there"


def test_the_rest_comes_in_the_order_of_merges(vocabulary: Vocabulary, needs: tuple[Need, ...]) -> None:
    kept = set(choose(vocabulary, needs, 1200))
    merged = sorted(
        (n for n in vocabulary.rank if n not in vocabulary.whole), key=lambda n: vocabulary.rank[n]
    )
    left_out = [place for place, number in enumerate(merged) if number not in kept]
    assert left_out[0] > 600, "what was merged first is all there"
    assert sum(number in kept for number in merged[left_out[0] :]) < 60, (
        "later ones only as parts, or to fill up"
    )


def test_languages_go_first(vocabulary: Vocabulary, needs: tuple[Need, ...]) -> None:
    def japanese(kept: tuple[int, ...]) -> int:
        return sum(any("぀" <= c <= "鿿" for c in vocabulary.texts[n] or "") for n in kept)

    plain = choose(vocabulary, needs, 1200)
    english = choose(vocabulary, needs, 1200, alphabet=alphabet_of(["en"]))
    preferred = choose(vocabulary, needs, 1200, alphabet=alphabet_of(["ja"]))
    assert japanese(english) < japanese(plain) < japanese(preferred)
    assert len(english) == len(preferred) == 1200


def test_control_tokens_get_the_first_ids(vocabulary: Vocabulary, needs: tuple[Need, ...]) -> None:
    kept = choose(vocabulary, needs, 1000)
    count = len(vocabulary.control)
    assert set(kept[:count]) == vocabulary.control
    assert list(kept[count:]) == sorted(kept[count:])


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (0, "the stop tokens ('<eos>, <end_of_turn>') would not survive"),
        (1, "the control and byte tokens would not survive"),
        (2, "the chat template's text ('<bos><start_of_turn>user"),
        (3, "the characters of ASCII and runs of white space would not survive"),
        (4, "the answer format ('\"screen\"') would not survive"),
        (5, "the texts that were counted would not survive"),
    ],
)
def test_what_would_not_survive_is_named(vocabulary: Vocabulary, text: Text, place: int, said: str) -> None:
    needs = needs_of(vocabulary, text, SCHEMA, dict.fromkeys(list(vocabulary.rank)[-300:], 1))
    needed = len(least(vocabulary, needs))
    with pytest.raises(InputError) as error:
        choose(vocabulary, needs, len(least(vocabulary, needs[: place + 1])) - 1)
    assert said in str(error.value)
    assert f"keep at least {needed:,}" in str(error.value)
    assert len(choose(vocabulary, needs, needed)) == needed


def test_keeping_everything_is_no_trimming(vocabulary: Vocabulary, needs: tuple[Need, ...]) -> None:
    with pytest.raises(InputError, match="leaves nothing out"):
        choose(vocabulary, needs, 2048)
