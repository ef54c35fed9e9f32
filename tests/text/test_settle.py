"""What follows from tokenizer, template and generation settings together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.text.settle import read_text
from edgekit.text.tokenizer.files import TOKENIZER_JSON
from tests.fixtures.tokenizers import demo_tokenizer, only_json


def test_under_a_format_all_stop_tokens_but_the_first_and_single_bytes_are_suppressed(
    demo_path: Path,
) -> None:
    text = read_text(demo_path, rows=2048)
    vocabulary = json.loads((demo_path / TOKENIZER_JSON).read_text())["model"]["vocab"]
    assert text.suppressed_ids == (
        *text.stop_ids[1:],
        *(vocabulary[f"<0x{byte:02X}>"] for byte in range(128)),
    )


@pytest.mark.parametrize("letter", ["\x01", "\x7f"])
def test_a_control_character_with_a_piece_of_its_own_changes_nothing(tmp_path: Path, letter: str) -> None:
    """As in Gemma's vocabulary, whose tokenizer makes no byte of it."""
    directory = demo_tokenizer(tmp_path / "checkpoint")
    only_json(directory)
    path = directory / TOKENIZER_JSON
    before = read_text(directory, rows=2048).suppressed_ids
    document = json.loads(path.read_text())
    replaced = next(piece for piece, number in document["model"]["vocab"].items() if number == 2047)
    document["model"]["vocab"][letter] = document["model"]["vocab"].pop(replaced)
    document["model"]["merges"] = [
        merge for merge in document["model"]["merges"] if "".join(merge).replace(" ", "") != replaced
    ]
    path.write_text(json.dumps(document))
    assert read_text(directory, rows=2048).suppressed_ids == before
