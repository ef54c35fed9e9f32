"""Validation on the demo checkpoint, with the real engine, interpreter and Transformers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import edgekit
from edgekit.bundle.manifest import read_manifest
from edgekit.errors import InputError
from edgekit.files.cache import CACHE_VARIABLE
from edgekit.gates import Thresholds
from edgekit.validation.checks import (
    generation,
    logits,
    weights,
)
from edgekit.validation.report import Parity
from tests.validation.reading import figures, section, status

pytestmark = pytest.mark.slow

ALWAYS = {"container", "tokens", "template", "stop", "logits", "generation", "task", "weights"}


def test_a_float_bundle_is_the_checkpoint(float_report: Parity, float_bundle: Path) -> None:
    found = status(float_report)
    # Nothing changed, of ten rows: that is too few to rule a fall of a tenth out.
    assert found.pop("task") == "warned" and float_report.decision == "too few rows to tell"
    assert {n for n, s in found.items() if s == "passed"} == ALWAYS - {"task"}
    assert section(float_report, logits.Section).method == "scoring graph"
    assert figures(float_report).kl_mean.value < 1e-6
    assert figures(float_report).kl_max < 1e-6
    assert section(float_report, generation.Section).exact is not None
    assert section(float_report, generation.Section).exact.value == 1
    assert all(
        row.sqnr_db == np.inf and row.cosine == 1 for row in section(float_report, weights.Section).tensors
    )
    written = json.loads((float_bundle / "reports" / "validate.json").read_text())
    assert Parity.from_json(written) == float_report
    assert (float_bundle / "reports" / "validate.html").stat().st_size > 10_000


def test_int8_passes_and_takes_the_reference_from_the_cache(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    first = edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)
    assert not first.reference.cached
    report = edgekit.validate(int8_bundle, demo_path, data=few_rows, junit=tmp_path / "junit.xml")
    assert report.passed, report.headline
    assert report.reference.cached
    assert all(
        row.expected_sqnr_db == pytest.approx(row.sqnr_db) for row in section(report, weights.Section).tensors
    )
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("12", "0", "4")


def test_a_bundle_against_itself_has_no_difference_at_all(int8_bundle: Path, few_rows: Path) -> None:
    report = edgekit.validate(int8_bundle, against=int8_bundle, data=few_rows, report=False)
    assert report.passed
    found = figures(report)
    assert (found.kl_mean.value, found.kl_max, found.delta_p_max) == (0, 0, 0)
    assert (found.top1.value, found.top5.value, found.perplexity_ratio.value) == (1, 1, 1)
    assert section(report, generation.Section).exact is not None
    assert section(report, generation.Section).exact.value == 1
    assert {(row.sqnr_db, row.cosine) for row in section(report, weights.Section).tensors} == {(np.inf, 1.0)}


def test_without_a_reference_it_checks_what_can_be_checked(int8_bundle: Path, tmp_path: Path) -> None:
    """A bare file stands for one that edgekit did not make."""
    bare = shutil.copy(int8_bundle / read_manifest(int8_bundle).model.file, tmp_path / "m.litertlm")
    report = edgekit.validate(bare, limit=3, max_tokens=16, report=False)
    found = status(report)
    assert {found[name] for name in ("container", "stop", "generation")} == {"passed"}
    assert {found[name] for name in ("tokens", "template", "logits", "weights")} == {"skipped"}


def test_thresholds_come_from_options_then_the_file_then_the_recipe(
    float_report: Parity, int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgekit.toml").write_text("[validate]\nmax-kl = 1e-12\nmin_top1 = 0.5\n")
    report = edgekit.validate(
        int8_bundle,
        demo_path,
        data=few_rows,
        config=tmp_path / "edgekit.toml",
        thresholds=Thresholds(min_top1=0.6),
        report=False,
    )
    gates = {gate.name: gate for gate in report.check("logits").gates}
    assert (gates["max_kl"].threshold, gates["max_kl"].passed) == (1e-12, False)
    assert (gates["min_top1"].threshold, gates["min_top1"].passed) == (0.6, True)
    assert not gates["max_kl"].default
    assert report.check("generation").gates[0].default
    (tmp_path / "edgekit.toml").write_text("[validate]\nmax_kll = 1\n")
    with pytest.raises(InputError, match="max_kll"):
        edgekit.validate(int8_bundle, data=few_rows, config=tmp_path / "edgekit.toml")


def test_bad_rows_are_named_by_line_and_left_out_when_asked(
    int8_bundle: Path, few_rows: Path, tmp_path: Path
) -> None:
    good = few_rows.read_text().splitlines()[:2]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([good[0], '{"prompt": 7}', "{", good[1]]) + "\n")
    with pytest.raises(InputError, match='line 2: "prompt" is not a text'):
        edgekit.validate(int8_bundle, data=path, report=False)
    report = edgekit.validate(int8_bundle, data=path, skip_bad_rows=True, max_tokens=24, report=False)
    assert [row.line for row in report.data.skipped] == [2, 3]
    assert report.data.used == 2


def test_a_checkpoint_and_another_bundle_go_together_only_with_an_adapter(
    int8_bundle: Path, demo_path: Path
) -> None:
    with pytest.raises(InputError, match="only with --adapter"):
        edgekit.validate(int8_bundle, demo_path, against=int8_bundle)
