"""Rows that were held out: what a smaller vocabulary does to them, and which tasks are of open words."""

from __future__ import annotations

from itertools import product

import pytest

from edgekit.conversion.trim.choice import fill, least, needs_of
from edgekit.conversion.trim.held import Cut, HeldOut, open_words, spell
from edgekit.text.corpus import Sample
from edgekit.text.settle import Text
from edgekit.text.vocabulary import Vocabulary

NAMES = ("Ivy", "Kwame", "Luigi", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sofia", "Tariq", "Uma", "Yuki")
PLACES = ("library", "harbour", "cinema", "station")


def row(asked: str, answer: str) -> Sample:
    prompt = f"<start_of_turn>user\n{asked}<end_of_turn>\n<start_of_turn>model\n"
    message = {"role": "user", "content": asked}
    return Sample(f"{prompt}{answer}<end_of_turn>", (prompt, answer), "line", (message,))


EVENTS = [
    row(f"Meet {name} at the {place}", f'{{"name": "{name}", "place": "the {place}"}}')
    for name, place in product(NAMES, PLACES)
]
LABELS = [row(f"{verb} the {what}", what) for verb in ("mute", "show", "find") for what in PLACES] * 6


@pytest.fixture(scope="module")
def small(vocabulary: Vocabulary, text: Text) -> set[int]:
    """What the engine and the template need, and 300 pieces more."""
    kept = least(vocabulary, needs_of(vocabulary, text, None, {}))
    fill(vocabulary, kept, len(kept) + 300, vocabulary.by_rank())
    return kept


def test_names_that_answers_repeat_are_open_words() -> None:
    assert set(open_words(EVENTS)) == set(NAMES)


def test_labels_are_not_open_even_where_prompts_name_them() -> None:
    assert open_words(LABELS) == ()


def test_plain_texts_and_few_rows_tell_nothing() -> None:
    assert open_words([Sample("Kwame met Rosa", (), "line")] * 40) == ()
    assert open_words(EVENTS[:4]) == ()
    assert open_words([]) == ()


def test_with_the_whole_vocabulary_nothing_is_cut_otherwise(vocabulary: Vocabulary, text: Text) -> None:
    held, whole = HeldOut("rows", EVENTS, text.tokenizer), set(vocabulary.ids.values())
    assert held.cut(whole) == Cut(len(EVENTS), 0, 0)
    assert held.coverage(whole) == 1
    assert held.respelled(vocabulary, whole) == ()


def test_a_missing_piece_is_missed_where_it_stands(vocabulary: Vocabulary, text: Text) -> None:
    piece = vocabulary.ids["▁brightness"]
    held = HeldOut("rows", [row("set brightness", "ok"), row("hi", "the brightness")], text.tokenizer)
    left = set(vocabulary.ids.values()) - {piece}
    assert held.cut(left) == Cut(2, 1, 1)
    assert 0 < held.coverage(left) < 1
    (respelled,) = held.respelled(vocabulary, left)
    assert (respelled.word, respelled.before) == ("brightness", ("▁brightness",))
    assert "".join(respelled.after) == "▁brightness" and len(respelled.after) > 1


def test_words_are_spelled_as_the_trimmed_tokenizer_spells_them(
    vocabulary: Vocabulary, text: Text, small: set[int]
) -> None:
    """A closed set of pieces cuts a text that needs no other as before."""
    for word in (" the", " on", "light", " brightness", " Kwame"):
        ids = text.tokenizer.encode(word)
        found = spell(vocabulary, small, word)
        assert "".join(found) == word.replace(" ", "▁")
        if set(ids) <= small:
            assert [vocabulary.ids[piece] for piece in found] == ids


def test_letters_without_a_piece_are_shown_as_bytes(vocabulary: Vocabulary, small: set[int]) -> None:
    left = small - {vocabulary.ids["é"]} if "é" in vocabulary.ids else small
    assert spell(vocabulary, left, "é") == ("<0xC3>", "<0xA9>")


def test_one_answer_of_a_hundred_may_be_cut_otherwise() -> None:
    assert [Cut(rows, 0, 0).most_answers for rows in (20, 99, 100, 250)] == [0, 0, 1, 2]
