"""Two texts side by side: where they begin to differ is marked."""

from __future__ import annotations

import pytest

from edgekit.html.passages import first_word, side_by_side
from edgekit.html.text import shorten


@pytest.mark.parametrize(
    ("reference", "bundle", "difference", "marks"),
    [
        ("one two three", "one too three", 4, ["two", "too"]),
        ("one two", "one", 3, [" two", "[ends here]"]),
        ("a b", "a\n\nb", 1, [" b", "\n\nb"]),
        ("x", "y", None, ["x", "y"]),
        ("abcd", "abxd", 0, ["abcd", "abxd"]),
        ("same", "same", None, []),
        ("a", "b", 99, ["a", "b"]),
        ("夜間モード" * 20, "昼" * 50, 0, ["夜間モード" * 4 + "夜間モー", "昼" * 24]),
    ],
)
def test_marks(reference: str, bundle: str, difference: int | None, marks: list[str]) -> None:
    passages = side_by_side(reference, bundle, difference)
    assert [run.text for passage in passages for run in passage.runs if run.mark] == marks
    for passage, whole in zip(passages, (reference, bundle), strict=True):
        assert "".join(run.text for run in passage.runs).replace("[ends here]", "") == whole


def test_only_the_end_of_a_long_common_beginning_is_shown() -> None:
    reference, _ = side_by_side("a" * 5000 + "x" + "b" * 5000, "a" * 5000 + "y", 5000)
    assert reference.runs[0].text.startswith("[4,700 equal characters] …aaa")
    assert len("".join(run.text for run in reference.runs)) < 1200


def test_a_bundle_alone_is_one_passage() -> None:
    (only,) = side_by_side(None, "answer", None)
    assert only.label == "Bundle"


def test_first_words_and_short_texts() -> None:
    assert [first_word(text) for text in ("", "  ", " a b", '":{x', "word.")] == [
        "",
        "  ",
        " a",
        '":{',
        "word",
    ]
    assert shorten("x" * 130, 100) == "x" * 130
    assert shorten("x" * 200, 100) == "x" * 66 + "… [100 characters left out] …" + "x" * 34
