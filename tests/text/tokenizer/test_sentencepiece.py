"""A tokenizer becomes a SentencePiece model that finds the ids which others find.

The judges are Transformers and the tokenizers library; the engine is asked in tests/runtime/test_engine.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Reference

from edgekit.text.prompts import UNREPRODUCIBLE
from edgekit.text.tokenizer.read import read_tokenizer
from edgekit.text.tokenizer.section import Tokenizer
from tests.fixtures.tokenizers import (
    awkward_strings,
    demo_tokenizer,
    only_json,
    only_model,
    transformers_tokenizer,
    with_added_tokens,
    with_other_merges,
)

TOKENS = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<0x41>", "user", "\n\n", "  ", " a", "é")
TEXTS = st.one_of(
    st.text(),
    st.text(st.sampled_from("ab <>\n\t\u200b🙂é\x00")),
    st.lists(st.sampled_from(TOKENS)).map("".join),
).filter(lambda text: not any(told in text for told in UNREPRODUCIBLE))


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


@pytest.fixture(scope="module", params=[only_json, with_other_merges], ids=["SentencePiece", "JSON"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tokenizer, Reference]:
    """A section of each kind, and its tokenizer.json in the tokenizers library."""
    directory = demo_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    request.param(directory)
    return read_tokenizer(directory, rows=2048), Reference.from_file(str(directory / "tokenizer.json"))


@given(text=TEXTS)
def test_any_text_has_the_ids_that_the_tokenizers_library_finds(
    both: tuple[Tokenizer, Reference], text: str
) -> None:
    tokenizer, reference = both
    wanted = reference.encode(text, add_special_tokens=False).ids
    assert tokenizer.encode(text) == wanted
    assert tokenizer.decode(wanted) == reference.decode(wanted, skip_special_tokens=False)
