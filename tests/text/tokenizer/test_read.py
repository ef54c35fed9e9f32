"""A checkpoint's tokenizer becomes a section that finds the ids which Transformers finds.

Transformers itself is the judge here; the engine is asked in tests/runtime/test_engine.py.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import CheckpointError, TokenizerError
from edgekit.text.tokenizer.read import read_tokenizer
from tests.fixtures.tokenizers import (
    awkward_strings,
    demo_tokenizer,
    only_json,
    only_model,
    with_added_tokens,
    with_other_merges,
)


def transformers_tokenizer(directory: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory)


def change(directory: Path, name: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads((directory / name).read_text())
    edit(document)
    (directory / name).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("variants", "rows", "kind"),
    [
        ((), 2048, "sentencepiece"),
        ((only_json,), 2048, "sentencepiece"),
        ((only_model,), 2048, "sentencepiece"),
        ((with_added_tokens,), 2056, "sentencepiece"),
        ((with_other_merges,), 2048, "huggingface"),
        ((with_other_merges, with_added_tokens), 2054, "huggingface"),
    ],
    ids=["both", "JSON", "model", "tokens added", "no SentencePiece equivalent", "neither, tokens added"],
)
@pytest.mark.slow
def test_finds_the_ids_that_transformers_finds(
    tmp_path: Path, variants: tuple[Callable[[Path], None], ...], rows: int, kind: str
) -> None:
    directory = demo_tokenizer(tmp_path)
    for variant in variants:
        variant(directory)
    wanted = transformers_tokenizer(directory)
    tokenizer = read_tokenizer(directory, rows=rows)
    assert (tokenizer.kind, tokenizer.size) == (kind, rows)
    added = [token for token in wanted.get_added_vocab() if token != wanted.unk_token and "▁" not in token]
    for text in awkward_strings(500, added):
        assert tokenizer.encode(text) == wanted(text, add_special_tokens=False).input_ids, text
    assert tokenizer.adds_bos is (wanted("x").input_ids[0] == wanted.bos_token_id)
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id, tokenizer.unk_id) == (
        wanted.bos_token_id,
        wanted.eos_token_id,
        wanted.pad_token_id,
        wanted.unk_token_id,
    )


@pytest.mark.slow
def test_tokens_added_in_fine_tuning_keep_their_ids(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    with_added_tokens(directory)
    wanted = transformers_tokenizer(directory)
    tokenizer = read_tokenizer(directory, rows=2056)
    for token in ("<screen>", "luminosity", "<|tool|>"):
        assert tokenizer.id_of(token) == wanted.convert_tokens_to_ids(token) >= 2048
        assert tokenizer.encode(f"a{token}b")[1] == tokenizer.id_of(token)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("added_tokens.json", {"<extra>": 2048}),
        (
            "tokenizer_config.json",
            {"tokenizer_class": "GemmaTokenizer", "added_tokens_decoder": {"2048": {"content": "<extra>"}}},
        ),
        (
            "tokenizer_config.json",
            {"tokenizer_class": "GemmaTokenizer", "extra_special_tokens": {"extra_token": "<extra>"}},
        ),
    ],
    ids=["added_tokens.json", "added_tokens_decoder", "extra_special_tokens"],
)
@pytest.mark.parametrize("variant", [only_json, only_model], ids=["JSON", "model"])
@pytest.mark.slow
def test_tokens_that_stand_only_in_the_small_files_count(
    tmp_path: Path, variant: Callable[[Path], None], name: str, content: dict[str, Any]
) -> None:
    directory = demo_tokenizer(tmp_path)
    variant(directory)
    (directory / name).write_text(json.dumps(content))
    wanted = transformers_tokenizer(directory)("a <extra> b", add_special_tokens=False).input_ids
    tokenizer = read_tokenizer(directory, rows=2049)
    assert 2048 in wanted
    assert tokenizer.encode("a <extra> b") == wanted


@pytest.mark.parametrize("written", [True, False, None])
@pytest.mark.parametrize("variant", [only_json, only_model], ids=["JSON", "model"])
@pytest.mark.slow
def test_says_whether_a_bos_is_put_before_a_text(
    tmp_path: Path, variant: Callable[[Path], None], written: bool | None
) -> None:
    directory = demo_tokenizer(tmp_path)
    variant(directory)
    change(
        directory,
        "tokenizer_config.json",
        lambda c: c.pop("add_bos_token", None) if written is None else c.update(add_bos_token=written),
    )
    wanted = transformers_tokenizer(directory)
    assert read_tokenizer(directory, rows=2048).adds_bos is (wanted("x").input_ids[0] == wanted.bos_token_id)


@pytest.mark.slow
def test_a_json_without_its_bos_rule_adds_none_whatever_the_config_says(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    change(directory, "tokenizer.json", lambda d: d.update(post_processor=None))
    change(directory, "tokenizer_config.json", lambda c: c.update(add_bos_token=True))
    assert read_tokenizer(directory, rows=2048).adds_bos is False
    assert transformers_tokenizer(directory)("x").input_ids[0] != 2


def test_truncation_that_a_trainer_left_behind_does_not_travel(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    with_other_merges(directory)
    limit = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    change(directory, "tokenizer.json", lambda d: d.update(truncation=limit))
    assert len(read_tokenizer(directory, rows=2048).encode("many words " * 10)) > 4


def test_every_row_of_the_embedding_gets_an_id(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(demo_tokenizer(tmp_path), rows=2304)
    assert tokenizer.size == 2304
    assert "2,048 tokens, the embedding 2,304 rows" in tokenizer.notes[0]
    assert tokenizer.decode([2303]) == ""
    assert 2303 not in tokenizer.encode("<row 2303>\n<row 2303>\n")


@pytest.mark.parametrize("variant", [only_json, only_model], ids=["JSON", "model"])
def test_ids_without_a_row_are_refused_with_the_numbers(
    tmp_path: Path, variant: Callable[[Path], None]
) -> None:
    directory = demo_tokenizer(tmp_path)
    variant(directory)
    with pytest.raises(
        TokenizerError, match="ids up to 2,047, but the embedding has only 2,000 rows: 48 tokens"
    ):
        read_tokenizer(directory, rows=2000)


def test_the_image_token_of_text_only_checkpoints_is_left_out(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    (directory / "added_tokens.json").write_text(json.dumps({"<image_soft_token>": 2048}))
    tokenizer = read_tokenizer(directory, rows=2048)
    assert tokenizer.id_of("<image_soft_token>") is None
    assert "left out <image_soft_token> (id 2048)" in tokenizer.notes[0]


def test_a_tokenizer_that_only_the_json_can_express_says_where_they_differ(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    with_other_merges(directory)
    (note,) = read_tokenizer(directory, rows=2048).notes
    assert "embedded tokenizer.json itself" in note
    assert "its merges make" in note


@pytest.mark.slow
def test_merges_in_another_order_are_noticed_by_what_they_do(tmp_path: Path) -> None:
    """Each piece has its merges together here, so only the comparison can tell."""
    directory = demo_tokenizer(tmp_path)

    def edit(document: dict[str, Any]) -> None:
        merges = document["model"]["merges"]
        groups: dict[str, list[Any]] = {}
        for pair in merges:
            groups.setdefault("".join(pair), []).append(pair[:1] + pair[1:])
        kept = [g[:1] for g in groups.values()]  # SentencePiece would also use the pairs left out
        random.Random(3).shuffle(kept)
        document["model"]["merges"] = [pair for group in kept for pair in group]

    change(directory, "tokenizer.json", edit)
    wanted = transformers_tokenizer(directory)
    tokenizer = read_tokenizer(directory, rows=2048)
    for text in awkward_strings(200, []):
        assert tokenizer.encode(text) == wanted(text, add_special_tokens=False).input_ids


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
