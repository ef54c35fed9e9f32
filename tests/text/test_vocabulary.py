"""The merge graph: what a piece is made of, and that a closed set of pieces cuts its texts as the whole does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import TokenizerError
from edgekit.text.vocabulary import Vocabulary, read_vocabulary
from tests.fixtures.checkpoints import edit_json
from tests.fixtures.tokenizers import demo_tokenizer, only_json, only_model

ROWS = 2048


@pytest.fixture(scope="module")
def vocabulary(demo_path: Path) -> Vocabulary:
    return read_vocabulary(demo_path, rows=ROWS)


def test_a_piece_is_made_of_every_pair_that_merges_into_it(vocabulary: Vocabulary) -> None:
    ids = vocabulary.ids
    assert {vocabulary.texts[n] for n in vocabulary.parts(ids["ing"])} >= {"i", "ng"}
    assert vocabulary.parts(ids["a"]) == set()
    assert vocabulary.parts(ids["<start_of_turn>"]) == set(), "control tokens are found whole"
    assert vocabulary.parts(ids["<0x41>"]) == set()


def test_a_closed_set_holds_both_sides_of_every_merge_in_it(vocabulary: Vocabulary, demo_path: Path) -> None:
    merges = json.loads((demo_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"]
    closed = vocabulary.closure([vocabulary.ids["tion"], vocabulary.ids["▁brightness"]])
    assert len(closed) > 4
    for left, right in merges:
        if vocabulary.ids[left + right] in closed:
            assert {vocabulary.ids[left], vocabulary.ids[right]} <= closed
    assert vocabulary.closure(closed) == closed
    assert not vocabulary.closure(closed, closed)


def test_json_and_model_hold_the_same_pieces(tmp_path: Path, vocabulary: Vocabulary) -> None:
    for only in (only_json, only_model):
        directory = demo_tokenizer(tmp_path / only.__name__)
        only(directory)
        found = read_vocabulary(directory, rows=ROWS)
        assert found.texts == vocabulary.texts
        assert found.byte == vocabulary.byte
        assert found.control | found.added == vocabulary.control | vocabulary.added
        assert {vocabulary.ids[t] for t in ("<bos>", "<eos>", "<pad>", "<unk>")} <= found.control
        assert (
            sorted(found.rank, key=lambda n: found.rank[n])[:200]
            == sorted(vocabulary.rank, key=lambda n: vocabulary.rank[n])[:200]
        )


def test_the_own_order_begins_with_added_tokens_then_merges(vocabulary: Vocabulary) -> None:
    ranked = vocabulary.by_rank()
    assert sorted(ranked) == list(range(ROWS))
    merged = [n for n in ranked if n in vocabulary.rank and n not in vocabulary.whole]
    assert [vocabulary.texts[n] for n in merged[:3]] == ["en", "er", '▁"']
    single = [n for n in ranked if len(vocabulary.texts[n] or "") == 1 and n not in vocabulary.whole]
    assert ranked.index(single[0]) > ranked.index(merged[-1])


def test_reserved_tokens_are_the_last_to_be_kept(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    document = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    added = [*document["added_tokens"]]
    added += [added[0] | {"id": ROWS + n, "content": f"<unused{n}>", "special": n == 0} for n in range(2)]
    edit_json(directory / "tokenizer.json", added_tokens=added)
    found = read_vocabulary(directory, rows=ROWS + 2)
    assert not {ROWS, ROWS + 1} & found.control
    assert found.by_rank()[-2:] == [ROWS, ROWS + 1]


def test_a_row_without_a_piece_has_no_text(demo_path: Path) -> None:
    assert read_vocabulary(demo_path, rows=ROWS + 3).texts[-3:] == (None, None, None)


def test_without_byte_tokens_nothing_may_be_removed(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    model = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    model["vocab"]["<no byte>"] = model["vocab"].pop("<0xF4>")
    edit_json(directory / "tokenizer.json", model=model)
    with pytest.raises(TokenizerError, match="255 of the 256 bytes"):
        read_vocabulary(directory, rows=ROWS)
