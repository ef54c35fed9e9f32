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
from edgekit.runtime.ask.questions import Answer, Voice
from edgekit.scoring.reference import ForcedText
from edgekit.text.vocabulary import read_vocabulary
from edgekit.validation.page import render_html
from edgekit.validation.result import ParityReport
from edgekit.validation.trimmed import (
    SharedScorer,
    in_old_ids,
    removed_mass,
    share_outside,
    shared_ids,
    shared_texts,
)
from tests.conftest import EXAMPLE
from tests.fixtures.checkpoints import tiny_checkpoint

pytestmark = pytest.mark.slow

# --- the arithmetic ------------------------------------------------------------------------------------------


def test_a_voice_is_brought_back_to_the_old_ids() -> None:
    voice = Voice(
        "b", 1, ((0,), (2, 1)), ((2, 2),), (), (Answer("a", (0, 2), 2, True),), asked=((1,),), pieces={2: "x"}
    )
    old = in_old_ids(voice, (10, 20, 30))
    assert (old.start_id, old.stop_ids, old.ids) == (20, ((10,), (30, 20)), ((30, 30),))
    assert (old.answers[0].ids, old.asked, old.pieces) == ((10, 30), ((20,),), {30: "x"})
    assert in_old_ids(voice, None) is voice


def test_two_models_share_the_ids_that_both_have() -> None:
    assert shared_ids(None, None) is None
    assert shared_ids((3, 5), (3, 5)) is None
    one = shared_ids(None, (7, 3))
    assert one is not None
    assert (one.reference, one.bundle, one.old) == ((7, 3), (0, 1), (7, 3))
    both = shared_ids((5, 3, 9), (3, 4, 5))
    assert both is not None
    assert (both.reference, both.bundle, both.old) == ((1, 0), (0, 2), (3, 5))
    other = shared_ids((5, 3), None)
    assert other is not None
    assert (other.reference, other.bundle) == ((0, 1), (5, 3))


def test_texts_end_before_the_first_token_that_is_not_shared() -> None:
    shared = shared_ids(None, (7, 3, 4))
    assert shared is not None
    texts = [
        ForcedText((7, 3, 4), 1),
        ForcedText((3, 4, 9, 7), 3),
        ForcedText((7, 9, 3), 1),
        ForcedText((9, 7), 1),
    ]
    known, cut = shared_texts(texts, shared)
    assert known == (ForcedText((0, 1, 2), 1), ForcedText((1, 2), 2))
    assert cut == (False, True)


def test_the_share_outside_is_what_softmax_gives_to_the_rest() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (5, 40)).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(share_outside(logits, logits[:, 5:]), p[:, :5].sum(axis=1), rtol=1e-9)
    assert (share_outside(logits, logits) == 0).all()
    huge = np.array([[1000.0, 0.0, 999.0]], np.float32)
    assert share_outside(huge, huge[:, :1])[0] == pytest.approx(1 - 1 / (1 + np.exp(-1)))


def test_the_position_before_a_removed_token_counts() -> None:
    """Logits of three tokens, the last of which is removed; two texts, one of them cut at it."""
    p = np.array([[0.5, 0.4, 0.1], [0.2, 0.2, 0.6]])

    class Table:
        def logits(self, tokens):  # type: ignore[no-untyped-def]
            yield np.log(p[list(tokens)]).astype(np.float32)

    scorer = SharedScorer(Table(), (0, 1))
    texts = [ForcedText((0, 1), 1), ForcedText((1, 0, 1), 3)]
    for text in texts:
        chunks = scorer.logits(text.tokens)
        next(chunks)  # as check_logits reads them: never to the end of the generator
    whole = removed_mass(texts, (False, False), scorer, 3)
    assert whole is not None
    assert (whole.positions, whole.inside_answers) == (1, True)
    assert whole.mean.value == pytest.approx(0.1)
    cut = removed_mass(texts, (False, True), scorer, 3)
    assert cut is not None
    assert (cut.positions, cut.kept, cut.rows, cut.cut_texts) == (2, 2, 3, 1)
    assert cut.mean.value == pytest.approx((0.1 + 0.6) / 2)
    assert cut.largest == pytest.approx(0.6)


# --- the demo ------------------------------------------------------------------------------------------------


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
def report(trimmed: Path, demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> ParityReport:
    data = some_rows(tmp_path_factory.mktemp("data") / "en.jsonl", "en")
    return edgekit.validate(trimmed, demo_path, data=data)


def test_over_the_kept_ids_float_is_the_checkpoint(report: ParityReport) -> None:
    assert report.passed, report.headline
    assert report.logits is not None
    assert report.logits.overall.kl_max < 1e-6
    assert report.logits.overall.top1.value == 1
    assert report.generation is not None
    assert report.generation.exact is not None
    assert report.generation.exact.value == 1
    assert report.weights is not None
    assert all(row.sqnr_db == np.inf for row in report.weights.tensors)


def test_what_the_reference_gives_to_removed_tokens_is_told(report: ParityReport) -> None:
    assert report.logits is not None
    removed = report.logits.removed
    assert removed is not None
    assert (removed.rows, removed.kept, removed.cut_texts) == (2048, 1100, 0)
    assert removed.inside_answers
    assert 0 < removed.mean.value < 1e-3
    assert removed.mean.value <= removed.p99.value <= removed.largest < 1
    assert "on removed tokens" in report.check("logits").summary
    gate = next(gate for gate in report.check("logits").gates if gate.name == "max_removed_mass")
    assert gate.passed
    assert ParityReport.from_json(report.to_json()) == report


def test_texts_of_kept_pieces_have_the_same_ids_and_others_read_back(report: ParityReport) -> None:
    assert report.tokens is not None
    assert report.tokens.spelled_out > 3
    assert report.tokens.equal + report.tokens.spelled_out == report.tokens.texts
    assert "read back the same" in report.check("tokens").summary


def test_the_page_tells_it(report: ParityReport) -> None:
    html = render_html(report)
    assert "1,100 of the reference" in html
    assert "On removed tokens" in html
    assert "smaller ones spell them" in html


def test_a_whole_bundle_has_no_removed_tokens(int8_bundle: Path, demo_path: Path, few_rows: Path) -> None:
    found = edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)
    assert found.logits is not None
    assert found.logits.removed is None


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
    assert found.logits is not None
    assert found.logits.removed is not None
    assert found.logits.removed.cut_texts == 1, "all are cut to the same prompt"
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
    assert whole.logits is not None
    assert whole.logits.removed is not None
    assert whole.logits.overall.kl_max < 1e-6
    other_way = edgekit.validate(float_bundle, against=trimmed, data=data, report=False)
    assert other_way.passed, other_way.headline
    assert other_way.tokens is not None
    assert other_way.tokens.spelled_out > 0
    assert other_way.logits is not None
    assert other_way.logits.removed is None
    itself = edgekit.validate(trimmed, against=trimmed, data=data, report=False)
    assert itself.passed, itself.headline
    assert itself.logits is not None
    assert itself.logits.removed is None
    assert itself.logits.overall.kl_max == 0


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
