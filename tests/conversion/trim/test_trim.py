"""Trimming a checkpoint for a task: every text of it is cut as before, and what would not be is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.checkpoint import Checkpoint
from edgekit.conversion.options import Trim
from edgekit.conversion.trim import trim as trimming
from edgekit.conversion.trim.trim import Trimmed, trim_vocabulary
from edgekit.errors import TokenizerError
from edgekit.text.answers import read_schema
from edgekit.text.corpus import read_corpora
from edgekit.text.settle import Text, read_text
from tests.conftest import EXAMPLE


@pytest.fixture(scope="module")
def trimmed(demo: Checkpoint, text: Text, english: Path, tmp_path_factory: pytest.TempPathFactory) -> Trimmed:
    answer = read_schema(EXAMPLE / "answer-schema.json")
    return trim_vocabulary(demo, text, Trim((english,), 1100), tmp_path_factory.mktemp("t"), answer=answer)


def test_every_line_is_cut_into_the_same_pieces(trimmed: Trimmed, text: Text, english: Path) -> None:
    samples = read_corpora([english], text)
    assert len(samples) == 2000
    for sample in samples:
        for said in (sample.text, *sample.parts):
            ids = trimmed.text.tokenizer.encode(said)
            assert [trimmed.kept[n] for n in ids] == text.tokenizer.encode(said)
            assert trimmed.text.tokenizer.decode(ids) == said


def test_it_has_as_many_rows_and_ids_as_were_asked_for(trimmed: Trimmed) -> None:
    assert (
        len(trimmed.kept) == trimmed.text.tokenizer.size == trimmed.checkpoint.architecture.vocab_size == 1100
    )
    assert trimmed.checkpoint.tensors["model.embed_tokens.weight"].shape[0] == 1100
    assert trimmed.rows == 2048


def test_sentencepiece_stays_sentencepiece(trimmed: Trimmed, text: Text) -> None:
    assert trimmed.text.tokenizer.kind == text.tokenizer.kind == "sentencepiece"
    assert trimmed.text.notes == text.notes


def test_other_languages_read_back_from_bytes(trimmed: Trimmed) -> None:
    for line in (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines():
        prompt = json.loads(line)["prompt"]
        assert trimmed.text.tokenizer.decode(trimmed.text.tokenizer.encode(prompt)) == prompt


def test_a_tokenizer_that_would_cut_a_line_otherwise_is_refused(
    demo: Checkpoint, text: Text, english: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line of defence: a set that is not closed, as if the merge graph were not what we think."""
    monkeypatch.setattr("edgekit.text.vocabulary.Vocabulary.parts", lambda self, number: set())
    with pytest.raises(TokenizerError, match="would be cut into other pieces") as error:
        trim_vocabulary(demo, text, Trim((english,), 930), tmp_path)
    assert "chat template" in str(error.value) or english.name in str(error.value)


def test_a_lost_stop_token_is_refused(
    demo: Checkpoint, text: Text, english: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the rebuilt settings would name another token."""

    def forgetful(*args: object, **options: object) -> Text:
        found = read_text(*args, **options)  # type: ignore[arg-type]
        return replace(found, stop_ids=found.stop_ids[1:])

    monkeypatch.setattr(trimming, "read_text", forgetful)
    with pytest.raises(TokenizerError, match="the stop tokens would become"):
        trim_vocabulary(demo, text, Trim((english,), 1100), tmp_path)
