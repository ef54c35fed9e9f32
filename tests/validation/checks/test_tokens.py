"""Ids of both tokenizers: which differences fail, and which no file can help."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.container import SectionKind
from edgekit.gates import Gates, Thresholds
from edgekit.validation.checks import tokens
from tests.validation.planted import planted
from tests.validation.reading import failures, section


@pytest.mark.slow
def test_permuted_ids_are_caught_by_tokens(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def permute(content: bytearray) -> bytes:
        from sentencepiece import sentencepiece_model_pb2

        model = sentencepiece_model_pb2.ModelProto.FromString(bytes(content))
        numbers = [i for i, piece in enumerate(model.pieces) if piece.piece in ("9", "Z")]
        a, b = (model.pieces[i] for i in numbers)
        a.piece, b.piece = b.piece, a.piece
        return bytes(model.SerializeToString())

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.SP_TOKENIZER, permute)
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert failures(report) == {"tokens"}
    assert (
        section(report, tokens.Section).differences[0].reference_ids
        != section(report, tokens.Section).differences[0].bundle_ids
    )


@pytest.mark.parametrize(
    ("texts", "status", "said"),
    [
        (("a", "b"), "passed", "the same ids on 2 texts (2 tokens)"),
        (
            ("a", "x"),
            "failed",
            "1 of 2 texts get other ids; the first is 'x', from its token 0: [3] became [4]",
        ),
        (("▁x", "b"), "warned", "1 of 2 texts get other ids, all of them with ▁ or <unk>"),
        (("▁x", "x"), "failed", "2 of 2 texts get other ids; the first is 'x'"),
        ((*["▁x"] * 20, "x"), "failed", "21 of 21 texts get other ids; the first is 'x'"),
    ],
)
def test_texts_that_no_file_can_reproduce_are_excused(texts: tuple[str, ...], status: str, said: str) -> None:
    reference = [(3,)] * len(texts)
    found = tokens.compare(texts, reference, [(4,) if "x" in text else (3,) for text in texts])
    check = tokens.judge(found, Gates(Thresholds(), Thresholds()))
    assert check.status == status
    assert said in check.summary


def test_pieces_that_only_one_has_are_spelled_out_or_lost() -> None:
    def compare(spelling: str) -> tokens.Section:
        return tokens.compare(["ab"], [(9,)], [(1, 2)], kept=frozenset({1, 2}), decode=lambda _: spelling)

    assert (compare("ab").spelled_out, compare("ab").differences) == (1, ())
    assert (compare("a").spelled_out, len(compare("a").differences)) == (0, 1)
