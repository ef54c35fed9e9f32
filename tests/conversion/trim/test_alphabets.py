"""Languages by their letters: what a text can be of, and what it cannot."""

from __future__ import annotations

import pytest

from edgekit.conversion.trim.alphabets import LANGUAGES, alphabet_of
from edgekit.errors import InputError


@pytest.mark.parametrize(
    ("languages", "own", "foreign"),
    [
        (["en"], ["brightness", "▁The", "12%", "naïve"[:2], "\n"], ["mørk", "画面", "ё"]),
        (["nb"], ["mørk", "▁på", "ÆRLIG", "idé"], ["schön", "画面"]),
        (["en", "ja"], ["screen", "画面が暗い", "カタカナー", "。"], ["mørk", "экран", "화면"]),
        (["ru"], ["экран", "Ёлка"], ["画面", "ß"]),
        (["hi"], ["स्क्रीन"], ["экран"]),
        (["ko"], ["화면"], ["画面"]),
    ],
)
def test_a_language_spells_its_own_texts(languages: list[str], own: list[str], foreign: list[str]) -> None:
    alphabet = alphabet_of(languages)
    assert [text for text in own if not alphabet.spells(text)] == []
    assert [text for text in foreign if alphabet.spells(text)] == []


def test_digits_and_punctuation_belong_to_every_language() -> None:
    for language in LANGUAGES:
        assert alphabet_of([language]).spells('{"1": 2.5} ▁—🙂\t')


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'english'") as error:
        alphabet_of(["en", "english"])
    assert " nb " in str(error.value)
