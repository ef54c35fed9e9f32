"""Trimmed bundles against the checkpoint they were trimmed from: over what they kept, and what they cannot say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.bundle.kept import write_kept
from edgekit.bundle.manifest import read_manifest, write_manifest
from edgekit.conversion.convert import convert
from edgekit.conversion.options import Trim
from edgekit.errors import InputError
from edgekit.gates import Thresholds
from edgekit.text.vocabulary import read_vocabulary
from edgekit.validation.checks import (
    generation,
    logits,
    tokens,
    weights,
)
from edgekit.validation.page import render_html
from edgekit.validation.report import Parity
from tests.conftest import EXAMPLE
from tests.fixtures.checkpoints import tiny_checkpoint
from tests.validation.reading import figures, section

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (EXAMPLE / "train.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("corpus") / "english.jsonl"
    path.write_text(
        "\n".join(line for line in lines if json.loads(line)["language"] == "en"), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def trimmed(demo_path: Path, english: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """float32, trimmed to the English rows: two thirds of the evaluation rows hold removed pieces."""
    output = tmp_path_factory.mktemp("t") / "b"
    return convert(
        demo_path, output, recipe="float32", trim=Trim(texts=[english], keep=1100), check=False
    ).bundle


def some_rows(path: Path, language: str, count: int = 6) -> Path:
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = [line for line in lines if json.loads(line)["language"] == language][:count]
    path.write_text("\n".join(chosen), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def report(trimmed: Path, demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    data = some_rows(tmp_path_factory.mktemp("data") / "en.jsonl", "en")
    return edgekit.validate(trimmed, demo_path, data=data)


def test_over_the_kept_ids_float_is_the_checkpoint(report: Parity) -> None:
    assert report.passed, report.headline
    assert figures(report).kl_max < 1e-6
    assert figures(report).top1.value == 1
    assert section(report, generation.Section).exact is not None
    assert section(report, generation.Section).exact.value == 1
    assert all(row.sqnr_db == np.inf for row in section(report, weights.Section).tensors)


def test_what_the_reference_gives_to_removed_tokens_is_told(report: Parity) -> None:
    removed = section(report, logits.Section).removed
    assert removed is not None
    assert (removed.rows, removed.kept, removed.cut_texts) == (2048, 1100, 0)
    assert 0 < removed.mean.value < 1e-3
    assert removed.mean.value <= removed.p99.value <= removed.largest < 1
    assert "on removed tokens" in report.check("logits").summary
    gate = next(gate for gate in report.check("logits").gates if gate.name == "max_removed_mass")
    assert gate.passed
    assert Parity.from_json(report.to_json()) == report


def test_texts_of_kept_pieces_have_the_same_ids_and_others_read_back(report: Parity) -> None:
    found = section(report, tokens.Section)
    assert found.spelled_out > 3
    assert (
        section(report, tokens.Section).equal + section(report, tokens.Section).spelled_out
        == section(report, tokens.Section).texts
    )
    assert "read back the same" in report.check("tokens").summary


def test_the_page_tells_it(report: Parity) -> None:
    html = render_html(report)
    assert "1,100 of the reference" in html
    assert "On removed tokens" in html
    assert "smaller ones spell them" in html


def test_a_whole_bundle_has_no_removed_tokens(int8_bundle: Path, demo_path: Path, few_rows: Path) -> None:
    found = edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)
    assert section(found, logits.Section).removed is None


def test_the_gate_fails_where_the_task_speaks_in_removed_tokens(
    trimmed: Path, demo_path: Path, tmp_path: Path
) -> None:
    """Answers that are expected to begin with a word that the trimmed vocabulary does not have."""
    manifest = read_manifest(trimmed)
    assert manifest.vocabulary is not None
    vocabulary = read_vocabulary(demo_path, rows=2048)
    gone = max(
        set(vocabulary.rank) - set(manifest.vocabulary.old_ids), key=lambda n: len(vocabulary.texts[n] or "")
    )
    word = (vocabulary.texts[gone] or "").replace("▁", " ")
    rows = [{"prompt": "too dark", "expected": f"{word} {n}"} for n in range(4)]
    data = tmp_path / "ja.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = edgekit.validate(
        trimmed, demo_path, data=data, report=False, thresholds=Thresholds(max_removed_mass=1e-12, max_kl=1.0)
    )
    assert section(found, logits.Section).removed is not None
    assert section(found, logits.Section).removed.cut_texts == 1, "all are cut to the same prompt"
    check = found.check("logits")
    assert check.status == "failed"
    assert "mean probability on removed tokens" in check.summary
    assert check.remedy is not None
    assert "--vocab-from" in check.remedy


def test_against_the_whole_bundle_and_against_itself(
    trimmed: Path, float_bundle: Path, tmp_path: Path
) -> None:
    data = some_rows(tmp_path / "en.jsonl", "en", 3)
    whole = edgekit.validate(trimmed, against=float_bundle, data=data, report=False)
    assert whole.passed, whole.headline
    assert section(whole, logits.Section).removed is not None
    assert figures(whole).kl_max < 1e-6
    other_way = edgekit.validate(float_bundle, against=trimmed, data=data, report=False)
    assert other_way.passed, other_way.headline
    assert section(other_way, tokens.Section).spelled_out > 0
    assert section(other_way, logits.Section).removed is None
    itself = edgekit.validate(trimmed, against=trimmed, data=data, report=False)
    assert itself.passed, itself.headline
    assert section(itself, logits.Section).removed is None
    assert figures(itself).kl_max == 0


def test_exchanged_ids_are_caught(trimmed: Path, demo_path: Path, tmp_path: Path) -> None:
    """A map that gives two letters each other's rows."""
    bundle = Path(shutil.copytree(trimmed, tmp_path / "b"))
    manifest = read_manifest(bundle)
    assert manifest.vocabulary is not None
    ids = list(manifest.vocabulary.old_ids)
    vocabulary = read_vocabulary(demo_path, rows=2048)
    a, e = (ids.index(vocabulary.ids[letter]) for letter in "ae")
    ids[a], ids[e] = ids[e], ids[a]
    write_manifest(bundle, replace(manifest, vocabulary=replace(manifest.vocabulary, kept=write_kept(ids))))
    found = edgekit.validate(bundle, demo_path, data=some_rows(tmp_path / "en.jsonl", "en", 3), report=False)
    failed = {check.name for check in found.checks if check.status == "failed"}
    assert {"tokens", "weights"} <= failed


def test_a_checkpoint_with_another_vocabulary_is_refused(trimmed: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint(tmp_path / "other")
    with pytest.raises(InputError, match="trimmed from 2,048 pieces, this checkpoint has 320"):
        edgekit.validate(trimmed, other, report=False)
