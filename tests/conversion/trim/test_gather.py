"""A trimmed checkpoint: gathered rows, and a tokenizer that is the old one as far as its pieces go."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion.trim.choice import ordered
from edgekit.conversion.trim.gather import GatheredRows, gather_rows, renumber_settings, trim_checkpoint
from edgekit.text.settle import Text, read_text
from edgekit.text.vocabulary import read_vocabulary
from tests.fixtures.checkpoints import copy_demo_checkpoint, edit_json, tiny_adapter, tiny_checkpoint
from tests.fixtures.tokenizers import only_json, only_model, with_added_tokens

EMBEDDING = "model.embed_tokens.weight"


def text_of(checkpoint: Checkpoint) -> Text:
    return read_text(
        checkpoint.text_path,
        generation_directory=checkpoint.generation_path,
        rows=checkpoint.architecture.vocab_size,
    )


def kept_for(checkpoint: Checkpoint, texts: Iterable[str]) -> tuple[int, ...]:
    """The smallest vocabulary that cuts these texts as before."""
    vocabulary = read_vocabulary(checkpoint.text_path, rows=checkpoint.architecture.vocab_size)
    met = {n for ids in text_of(checkpoint).tokenizer.encode_all(list(texts)) for n in ids}
    control = vocabulary.control | set(text_of(checkpoint).stop_ids)
    needed = met | control | vocabulary.byte | vocabulary.runs
    return ordered(vocabulary, vocabulary.closure(needed), control)


def random_texts(count: int, seed: int = 0) -> list[str]:
    """Strings of any characters that UTF-8 has, none of them NUL."""
    draw = random.Random(seed)
    planes = [
        (1, 0x7F),
        (0x80, 0x24F),
        (0x370, 0x1FFF),
        (0x3040, 0xD7FF),
        (0xE000, 0xFFFD),
        (0x10000, 0x10FFFF),
    ]

    def character() -> str:
        low, high = draw.choice(planes)
        return chr(draw.randint(low, high))

    texts = ["".join(character() for _ in range(draw.randint(1, 40))) for _ in range(count)]
    return [text.replace("▁", "_") for text in texts]  # which no Gemma tokenizer tells from a space


# --- rows ----------------------------------------------------------------------------------------------------


def test_rows_are_gathered_in_the_order_of_the_new_ids(demo: Checkpoint) -> None:
    whole = demo.tensors[EMBEDDING].read()
    ids = (5, 6, 7, 100, 3, 2047, 0)
    rows = GatheredRows(demo.tensors[EMBEDDING], ids)
    assert rows.shape == (7, whole.shape[1])
    np.testing.assert_array_equal(rows.read(), whole[list(ids)])
    np.testing.assert_array_equal(rows.read(slice(2, 5)), whole[[7, 100, 3]])
    np.testing.assert_array_equal(rows.raw().astype(np.float32), whole[list(ids)])
    assert rows.read(slice(3, 3)).shape == (0, whole.shape[1])


def test_a_head_of_its_own_is_gathered_too(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(tiny_checkpoint(tmp_path, tie=False, head="different"))
    trimmed = gather_rows(checkpoint, [9, 3])
    assert trimmed.architecture.vocab_size == 2
    for name in (EMBEDDING, "lm_head.weight"):
        np.testing.assert_array_equal(trimmed.tensors[name].read(), checkpoint.tensors[name].read()[[9, 3]])
    layers = "model.layers.0.mlp.up_proj.weight"
    assert trimmed.tensors[layers] is checkpoint.tensors[layers]


def test_rows_of_a_merged_embedding_are_merged(tmp_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    draw = np.random.default_rng(3)
    extra = {
        "base_model.model.model.embed_tokens.lora_embedding_A": draw.normal(0, 0.1, (4, 320)).astype(
            np.float32
        ),
        "base_model.model.model.embed_tokens.lora_embedding_B": draw.normal(0, 0.1, (64, 4)).astype(
            np.float32
        ),
    }
    adapter = tiny_adapter(tmp_path / "a", base, extra=extra, target_modules=["q_proj", "embed_tokens"])
    checkpoint = open_checkpoint(adapter)
    merged = checkpoint.tensors[EMBEDDING].read()
    assert not np.array_equal(merged, open_checkpoint(base).tensors[EMBEDDING].read())
    np.testing.assert_array_equal(
        gather_rows(checkpoint, [319, 0, 1, 2]).tensors[EMBEDDING].read(), merged[[319, 0, 1, 2]]
    )


# --- the tokenizer -------------------------------------------------------------------------------------------

CORPUS = (
    "turn the brightness up, please",
    "make the text larger",
    '{"screen": "display"}',
    "<start_of_turn>user\n",
)


@pytest.fixture(
    params=["both", "only_json", "only_model", pytest.param("with_added_tokens", marks=pytest.mark.slow)]
)
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoint:
    directory = copy_demo_checkpoint(tmp_path / "checkpoint")
    variants = {"only_json": only_json, "only_model": only_model, "with_added_tokens": with_added_tokens}
    opened = open_checkpoint(directory)
    if request.param in variants:
        variants[request.param](directory)
    # Six more rows for the added tokens; the weights are not read here.
    return replace(opened, architecture=replace(opened.architecture, vocab_size=2054))


def test_its_texts_are_cut_into_the_same_pieces(checkpoint: Checkpoint, tmp_path: Path) -> None:
    kept = kept_for(checkpoint, CORPUS)
    assert len(kept) < 700
    (target := tmp_path / "t").mkdir()
    old, new = text_of(checkpoint), text_of(trim_checkpoint(checkpoint, kept, target))
    for text in (*CORPUS, "brightness the text display", *CORPUS[0].split()):
        ids = new.tokenizer.encode(text)
        if all(number in kept for number in old.tokenizer.encode(text)):
            assert [kept[number] for number in ids] == old.tokenizer.encode(text)
        assert new.tokenizer.decode(ids) == text


def test_any_other_text_falls_back_to_smaller_pieces_and_reads_back(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    kept = kept_for(checkpoint, CORPUS)
    (target := tmp_path / "t").mkdir()
    tokenizer = text_of(trim_checkpoint(checkpoint, kept, target)).tokenizer
    for text in random_texts(300):
        ids = tokenizer.encode(text)
        assert max(ids) < len(kept)
        assert tokenizer.decode(ids) == text


def test_control_tokens_come_first_and_keep_their_meaning(checkpoint: Checkpoint, tmp_path: Path) -> None:
    kept = kept_for(checkpoint, CORPUS)
    (target := tmp_path / "t").mkdir()
    old, new = text_of(checkpoint), text_of(trim_checkpoint(checkpoint, kept, target))
    assert [kept[number] for number in new.stop_ids] == list(old.stop_ids)
    assert max(new.stop_ids) < 16
    for name in ("bos_id", "eos_id", "pad_id", "unk_id"):
        assert kept[getattr(new.tokenizer, name)] == getattr(old.tokenizer, name)
    assert new.tokenizer.adds_bos == old.tokenizer.adds_bos
    assert new.start_id is not None
    assert kept[new.start_id] == old.start_id
    assert new.device.source == old.device.source
    assert {t: kept[n] for t, n in new.tokenizer.special.items()}.items() <= old.tokenizer.special.items()


@pytest.mark.slow
def test_transformers_reads_the_rebuilt_tokenizer_as_edgekit_does(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    kept = kept_for(checkpoint, CORPUS)
    (target := tmp_path / "t").mkdir()
    trimmed = trim_checkpoint(checkpoint, kept, target)
    edit_json(target / "tokenizer_config.json", tokenizer_class="GemmaTokenizer")
    reference = AutoTokenizer.from_pretrained(target)
    ours = text_of(trimmed).tokenizer
    for text in (*CORPUS, *random_texts(100, seed=1)):
        assert ours.encode(text) == reference(text, add_special_tokens=False)["input_ids"], text


def test_a_merge_stays_when_product_and_sides_do(demo: Checkpoint, tmp_path: Path) -> None:
    kept = kept_for(demo, CORPUS)
    trim_checkpoint(demo, kept, tmp_path)
    before = json.loads((demo.path / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    after = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    texts = {text for text, number in before["vocab"].items() if number in set(kept)}
    assert set(after["vocab"]) == texts
    assert [list(pair) for pair in after["merges"]] == [
        [left, right] for left, right in before["merges"] if left + right in texts
    ], "both sides of a kept product are kept"
    post = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["post_processor"]
    assert post["special_tokens"]["<bos>"]["ids"] == [after["vocab"]["<bos>"]]


def test_generation_settings_get_the_new_ids() -> None:
    values = {"eos_token_id": [1, 106, 7], "pad_token_id": 0, "bos_token_id": 2, "temperature": 0.5}
    new = {0: 0, 1: 1, 2: 2, 106: 3}
    assert renumber_settings(values, new) == {
        "eos_token_id": [1, 3],
        "pad_token_id": 0,
        "bos_token_id": 2,
        "temperature": 0.5,
    }
