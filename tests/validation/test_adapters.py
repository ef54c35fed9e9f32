"""A base with an adapter laid over it: against PEFT on the float base, and beside the merged bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.inspect import inspect
from edgekit.bundle.opening import open_bundle
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, Trim
from edgekit.errors import AdapterError, InputError
from edgekit.gates import Thresholds
from edgekit.runtime.reference import Reference
from edgekit.scoring.scorer import open_scorer
from edgekit.validation.checks import (
    generation,
    logits,
    merge,
    sidecar,
    stop,
    task,
    weights,
)
from edgekit.validation.report import Parity
from tests.conftest import SENTIMENT, TRIAGE
from tests.validation.adapted import planted_adapter
from tests.validation.reading import BRIEF, figures, section, status

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["sentiment", "triage"])
def test_an_adapter_on_its_base_is_what_peft_makes_of_it(name: str, request: pytest.FixtureRequest) -> None:
    report: Parity = request.getfixturevalue(f"{name}_report")
    assert report.passed, report.headline
    assert set(status(report).values()) <= {"passed", "skipped", "warned"}
    assert report.decision == "too few rows to tell", "eight rows"
    assert status(report)["runtimes"] == "skipped"
    assert section(report, merge.Section).from_base.kl_mean > 0.1
    assert report.check("merge").title == "Effect of the adapter"
    assert section(report, logits.Section).method == "scoring graph"
    assert section(report, task.Section).metrics[0].free is not None
    assert len(section(report, sidecar.Section).projections) == {"sentiment": 24, "triage": 42}[name]
    assert all(
        row.error < 1e-6 and row.expected_error is None
        for row in section(report, sidecar.Section).projections
    )
    assert {
        row.expected_sqnr_db == pytest.approx(row.sqnr_db) for row in section(report, weights.Section).tensors
    } == {True}


@pytest.mark.parametrize(("name", "example"), [("sentiment", SENTIMENT), ("triage", TRIAGE)])
def test_token_by_token_it_stays_within_the_noise_that_the_base_alone_shows(
    name: str,
    example: Path,
    adapter_ready_bundle: Path,
    demo_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Distances of log-probabilities, and of whole distributions, on the same texts: 8 bits, and nothing else."""

    def noise(report: Parity) -> tuple[float, float]:
        distances = [abs(pair.bundle - pair.reference) for pair in section(report, logits.Section).scatter]
        return float(np.mean(distances)), figures(report).kl_mean.value

    report: Parity = request.getfixturevalue(f"{name}_report")
    alone = edgekit.validate(
        adapter_ready_bundle, demo_path, data=example / "eval.jsonl", limit=8, max_tokens=24, report=False
    )
    base, adapted = noise(alone), noise(report)
    assert 0.001 < base[0] < 0.1
    assert adapted[0] < 1.5 * base[0]
    assert adapted[1] < 1.5 * base[1]


def test_rank_8_padded_to_the_graph_is_rank_8_in_peft(demo_path: Path, tmp_path: Path) -> None:
    base = convert(
        demo_path, tmp_path / "base", recipe="float32", graph=GraphOptions(adapters="16"), check=False
    ).bundle
    made = adapter(SENTIMENT / "adapter", base, tmp_path / "a", check=False)
    assert (made.manifest.source.rank, made.manifest.rank) == (8, 16)
    opened = open_adapter(made.directory, open_bundle(base))
    tokens = np.random.default_rng(7).integers(4, 1500, 100).tolist()
    scorer = open_scorer(inspect(base), longest=len(tokens), sidecar=opened.sidecar)
    found = np.concatenate(list(scorer.logits(tokens)))
    np.testing.assert_allclose(
        found, Reference(demo_path, adapter=SENTIMENT / "adapter").logits(tokens), atol=1e-4
    )


def test_a_base_without_an_adapter_is_as_good_as_the_plain_bundle(
    plain_report: Parity, adapter_ready_bundle: Path, demo_path: Path, few_rows: Path
) -> None:
    """Not equal to the last digit: values are not rotated where an adapter adds to them."""
    report = edgekit.validate(adapter_ready_bundle, demo_path, data=few_rows, report=False)
    assert report.passed
    assert report.bundle.adapter is None
    ours, plain = (
        {row.tensor: row for row in section(each, weights.Section).tensors} for each in (report, plain_report)
    )
    assert ours.keys() == plain.keys()
    alike = [name for name in ours if "v_proj" not in name and "o_proj" not in name]
    assert [ours[name] for name in alike] == [plain[name] for name in alike]
    assert section(report, stop.Section) == section(plain_report, stop.Section)
    assert [row.bundle for row in section(report, generation.Section).rows] == [
        row.bundle for row in section(plain_report, generation.Section).rows
    ]


def test_an_empty_sidecar_is_no_adapter_at_all(
    adapter_ready_bundle: Path, sentiment_adapter: Path, few_rows: Path, tmp_path: Path
) -> None:
    empty = planted_adapter(sentiment_adapter, tmp_path / "a", lambda _: {}, answer=None)
    report = edgekit.validate(
        adapter_ready_bundle, adapter=empty, against=adapter_ready_bundle, data=few_rows, **BRIEF
    )
    assert report.passed, report.headline
    overall, exact = figures(report), section(report, generation.Section).exact
    assert (overall.kl_max, overall.top1.value) == (0, 1)
    assert exact is not None
    assert exact.value == 1


def test_the_report_lies_with_the_adapter_and_not_with_the_base(
    triage_report: Parity, triage_adapter: Path, adapter_ready_bundle: Path
) -> None:
    written = json.loads((triage_adapter / "reports" / "validate.json").read_text())
    assert Parity.from_json(written) == triage_report
    page = (triage_adapter / "reports" / "validate.html").read_text()
    assert "support-triage on settings-navigator" in page
    assert "Sidecar or merged" in page
    assert not (adapter_ready_bundle / "reports").exists()
    identity = triage_report.bundle.adapter
    assert identity is not None
    assert (identity.name, identity.file, identity.rank) == (
        "support-triage",
        "support-triage.lora.tflite",
        16,
    )
    assert identity.sha256 == written["bundle"]["adapter"]["sha256"]


def test_without_torch_a_sidecar_is_held_against_the_merged_bundle(
    adapter_ready_bundle: Path, triage_adapter: Path, merged_triage: Path
) -> None:
    report = edgekit.validate(
        adapter_ready_bundle,
        adapter=triage_adapter,
        against=merged_triage,
        data=TRIAGE / "eval.jsonl",
        **BRIEF,
    )
    assert report.passed, report.headline
    assert figures(report).kl_mean.value < 0.01
    assert status(report)["weights"] == status(report)["sidecar"] == "skipped"
    assert report.against_merged is None


def test_a_trimmed_base_takes_adapters_too(demo_path: Path, few_rows: Path, tmp_path: Path) -> None:
    base = convert(
        demo_path,
        tmp_path / "base",
        graph=GraphOptions(adapters="16"),
        trim=Trim(texts=[few_rows], keep=1700),
        check=False,
    )
    assert base.manifest.vocabulary is not None
    made = adapter(SENTIMENT / "adapter", base.bundle, tmp_path / "a", check=False).directory
    report = edgekit.validate(
        base.bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=made,
        data=SENTIMENT / "eval.jsonl",
        thresholds=Thresholds(max_removed_mass=1.0, max_kl=1.0, min_top1=0.0, max_task_drop=1.0),
        **BRIEF,
    )
    assert report.passed, report.headline
    removed = section(report, logits.Section).removed
    assert removed is not None
    assert removed.kept == len(base.manifest.vocabulary.old_ids)
    assert figures(report).kl_mean.value < 0.05
    assert len(section(report, sidecar.Section).projections) == 24


def test_what_does_not_belong_together_is_refused_before_anything_runs(
    adapter_ready_bundle: Path,
    sentiment_adapter: Path,
    int8_bundle: Path,
    demo_path: Path,
    tmp_path: Path,
) -> None:
    def refused(error: type[Exception], said: str, base: Path, bundle: Path, checkpoint: Path) -> None:
        with pytest.raises(error, match=said):
            edgekit.validate(base, checkpoint, adapter=bundle)
        assert not (bundle / "reports").exists() or bundle == sentiment_adapter

    trained = SENTIMENT / "adapter"
    refused(AdapterError, "takes no adapters", int8_bundle, sentiment_adapter, trained)
    stranger = convert(
        demo_path, tmp_path / "other", recipe="int4", graph=GraphOptions(adapters="16"), check=False
    ).bundle
    refused(AdapterError, "made for another base", stranger, sentiment_adapter, trained)
    cut = shutil.copytree(sentiment_adapter, tmp_path / "cut", ignore=shutil.ignore_patterns("reports"))
    sidecar = cut / "sentiment.lora.tflite"
    whole = sidecar.read_bytes()
    sidecar.write_bytes(whole[:-4096])
    refused(AdapterError, "cut off", adapter_ready_bundle, cut, trained)
    sidecar.write_bytes(whole[:-5000] + b"?" + whole[-4999:])
    refused(AdapterError, "it was changed", adapter_ready_bundle, cut, trained)
    refused(AdapterError, "as it was trained", adapter_ready_bundle, trained, trained)
    refused(InputError, "whole model", adapter_ready_bundle, sentiment_adapter, demo_path)
