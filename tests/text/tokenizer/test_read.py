"""A checkpoint's tokenizer is read whole, into the same bytes each time, or refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.errors import CheckpointError, TokenizerError
from edgekit.text.tokenizer.read import read_tokenizer
from tests.fixtures.tokenizers import (
    change,
    demo_tokenizer,
    only_json,
    only_model,
)


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    assert read_tokenizer(directory, rows=2050).data == read_tokenizer(directory, rows=2050).data


def break_json(directory: Path) -> None:
    (directory / "tokenizer.json").write_text('{"model": ')


def other_algorithm(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d.update(model={"type": "Unigram", "vocab": []}))


def unusable_vocabulary(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["model"].update(vocab={"a": "b"}))


def unusable_added_tokens(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d.update(added_tokens=[{"id": 1}]))


def negative_id(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["model"]["vocab"].update({"▁": -5_000_000}))


def true_for_an_id(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["model"]["vocab"].update({"▁": True}))


def negative_added_token(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["added_tokens"][0].update(id=-(10**30)))


def true_for_an_added_token(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["added_tokens"][0].update(id=True))


def unusable_unknown(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["model"].update(unk_token={"a": 1}))


def empty_merges(directory: Path) -> None:
    pairs = [["▁", "▁"], ["", ""]] * 2
    change(directory, "tokenizer.json", lambda d: d["model"].update(merges=pairs + d["model"]["merges"]))


def unusable_merges(directory: Path) -> None:
    change(directory, "tokenizer.json", lambda d: d["model"].update(merges=[["zzz", "yyy"]]))


def break_model(directory: Path) -> None:
    only_model(directory)
    (directory / "tokenizer.model").write_bytes(b"\x0a\xff\xff")


def empty_model(directory: Path) -> None:
    only_model(directory)
    (directory / "tokenizer.model").write_bytes(b"")


def neither(directory: Path) -> None:
    only_model(directory)
    only_json(directory)


def bad_added_token(directory: Path) -> None:
    (directory / "added_tokens.json").write_text('{"<x>": "many"}')


def gap_in_the_ids(directory: Path) -> None:
    only_model(directory)
    (directory / "added_tokens.json").write_text('{"<x>": 2060}')


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_json, r"tokenizer\.json: is not JSON"),
        (other_algorithm, r"tokenizer\.json: .*'Unigram', not Gemma's BPE"),
        (unusable_vocabulary, r'tokenizer\.json: key "model\.vocab"'),
        (unusable_added_tokens, r'tokenizer\.json: key "added_tokens"'),
        (negative_id, r'tokenizer\.json: key "model\.vocab" is not .*from 0'),
        (true_for_an_id, r'tokenizer\.json: key "model\.vocab" is not .*from 0'),
        (negative_added_token, r'tokenizer\.json: key "added_tokens" is not .*from 0'),
        (true_for_an_added_token, r'tokenizer\.json: key "added_tokens" is not .*from 0'),
        (unusable_unknown, r"tokenizer\.json: the tokenizers library cannot read it"),
        (empty_merges, r"tokenizer\.json: the tokenizers library cannot read it"),
        (unusable_merges, r"tokenizer\.json: the tokenizers library cannot read it"),
        (break_model, r"tokenizer\.model: is not a SentencePiece model"),
        (empty_model, r"tokenizer\.model: is not a SentencePiece model"),
        (neither, r"has neither tokenizer\.json nor tokenizer\.model"),
        (bad_added_token, r"added_tokens\.json: gives '<x>' the id 'many'"),
        (gap_in_the_ids, r"tokenizer\.model: has 2,048 pieces, .*'<x>' is to have the id 2,060"),
    ],
)
def test_unusable_files_are_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    directory = demo_tokenizer(tmp_path)
    damage(directory)
    with pytest.raises((TokenizerError, CheckpointError), match=message):
        read_tokenizer(directory, rows=2100)
