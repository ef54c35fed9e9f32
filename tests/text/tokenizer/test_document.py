"""A tokenizer.json as Transformers completes it, with an id for every row of the embedding."""

import json
from pathlib import Path

import pytest

from edgekit.text.tokenizer.read import read_tokenizer
from tests.fixtures.tokenizers import (
    change,
    demo_tokenizer,
    transformers_tokenizer,
    with_added_tokens,
    with_other_merges,
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


def test_the_image_token_of_text_only_checkpoints_is_left_out(tmp_path: Path) -> None:
    directory = demo_tokenizer(tmp_path)
    (directory / "added_tokens.json").write_text(json.dumps({"<image_soft_token>": 2048}))
    tokenizer = read_tokenizer(directory, rows=2048)
    assert tokenizer.id_of("<image_soft_token>") is None
    assert "left out <image_soft_token> (id 2048)" in tokenizer.notes[0]
