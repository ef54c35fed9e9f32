"""Where SentencePiece would cut a text otherwise, the tokenizer.json itself is embedded."""

import random
from pathlib import Path
from typing import Any

import pytest

from edgekit.text.tokenizer.read import read_tokenizer
from tests.fixtures.tokenizers import (
    awkward_strings,
    change,
    demo_tokenizer,
    transformers_tokenizer,
    with_other_merges,
)


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
