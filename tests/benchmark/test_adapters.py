"""Benchmarks with adapters: results say who spoke, base, adapter and merged bundle take turns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgekit.benchmark.bench import bench
from edgekit.benchmark.plan import SWITCHES, BenchPlan
from edgekit.benchmark.report import result_json
from edgekit.benchmark.result import BenchResult, read_result
from edgekit.errors import AdapterError, BundleError, InputError

pytestmark = pytest.mark.slow

SMALL = BenchPlan((16,), (8,), threads=(1,), runs=2, check_prompt="the wifi does not work at all")


def test_with_one_adapter_it_is_switched_to_the_base_alone(
    adapter_ready_bundle: Path, sentiment_adapter: Path, tmp_path: Path
) -> None:
    report = bench(adapter_ready_bundle, adapters=[sentiment_adapter], plan=SMALL, reports=tmp_path)
    (result,) = report.results
    assert result.switching is not None
    assert result.switching.adapters == ("sentiment", "")
    summary = result_json(result)["switching"]["summary"]
    assert summary["count"] == SWITCHES
    assert 0 < summary["low"] <= summary["switch"] <= summary["high"]
    assert BenchResult.from_json(json.loads(json.dumps(result_json(result)))) == result
    page = report.files[1].read_text()
    assert "sentiment on settings-navigator" in page
    assert "switching between sentiment, the base alone takes" in page


def test_base_adapter_and_merged_take_turns(
    adapter_ready_bundle: Path, sentiment_adapter: Path, merged_bundle: Path, tmp_path: Path
) -> None:
    report = bench(
        adapter_ready_bundle,
        adapters=[sentiment_adapter],
        against=[adapter_ready_bundle, merged_bundle],
        plan=SMALL,
        reports=tmp_path,
    )
    names = ["sentiment on settings-navigator", "settings-navigator", "merged"]
    assert [result.bundle.title for result in report.results] == names
    assert list(dict.fromkeys(comparison.against for comparison in report.comparisons)) == names[1:]
    assert all(comparison.ratio.paired for comparison in report.comparisons if comparison.metric == "decode")
    answers = [str(result.check and result.check.text) for result in report.results]
    assert ["sentiment" in answer for answer in answers] == [True, False, True]
    page = report.files[1].read_text()
    for name in names[1:]:
        assert f"This run against {name}: " in page


def test_reports_of_an_adapter_lie_in_its_bundle(
    adapter_ready_bundle: Path, sentiment_adapter: Path, tmp_path: Path
) -> None:
    adapter = shutil.copytree(sentiment_adapter, tmp_path / "sentiment")
    report = bench(adapter_ready_bundle, adapters=[adapter], plan=SMALL)
    assert [path.parent for path in report.files] == [adapter / "reports"] * 2
    assert read_result(report.files[0]).bundle.title == "sentiment on settings-navigator"
    assert not (adapter_ready_bundle / "reports").exists()


def test_what_adapters_cannot_be_measured_with(
    adapter_ready_bundle: Path, sentiment_adapter: Path, merged_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="takes no adapters"):
        bench(merged_bundle, adapters=[sentiment_adapter], plan=SMALL)
    with pytest.raises(BundleError, match="this is an adapter bundle"):
        bench(sentiment_adapter, plan=SMALL)
    with pytest.raises(InputError, match="leave their inputs as the memory was"):
        bench(adapter_ready_bundle, plan=SMALL, on=f"official={tmp_path / 'x'}")
