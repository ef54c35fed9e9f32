"""The small files beside a tokenizer: tokens that stand nowhere else, and whether a BOS goes before a text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import TokenizerError
from edgekit.text.tokenizer.read import read_tokenizer
from tests.fixtures.tokenizers import (
    change,
    demo_tokenizer,
    only_json,
    only_model,
    transformers_tokenizer,
)


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
