"""Other ids."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.container import SectionKind
from edgekit.validation.checks import (
    tokens,
)
from tests.validation.planted import planted
from tests.validation.reading import failures, section

pytestmark = pytest.mark.slow


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
