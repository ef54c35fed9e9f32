"""Which way to ship an adapter keeps the task better, as far as the figures vouch for it."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.inspect import inspect
from edgekit.stats import Interval
from edgekit.validation.checks import (
    logits,
    task,
)
from edgekit.validation.checks.generation import Row
from edgekit.validation.merged import AdapterWay, compare_ways
from edgekit.validation.report import Parity
from tests.conftest import SENTIMENT, TRIAGE
from tests.validation.reading import BRIEF, section

ROWS = 60


def way(name: str, kl: Interval | None = None) -> AdapterWay:
    return AdapterWay(name, "int8", 1000, 100, kl, Interval(1.0), Interval(1.0), Interval(1.0), Interval(1.0))


def answered(right: int, *, expected: bool = True) -> list[Row]:
    return [
        Row(
            f"p{n}",
            "ab"[n % 2] if expected else None,
            "reference",
            "ab"[n % 2] if n < right else "wrong",
            *(None, None, 3, 3, False, False, True, True),
        )
        for n in range(ROWS)
    ]


def texts(right: int) -> list[str]:
    return ["ab"[n % 2] if n < right else "wrong" for n in range(ROWS)]


@pytest.mark.parametrize(
    ("sidecar", "merged", "better"),
    [(60, 40, "sidecar"), (40, 60, "merged"), (50, 50, "equal"), (50, 51, "equal")],
)
def test_the_task_decides_row_by_row(sidecar: int, merged: int, better: str) -> None:
    nearer = way("a", Interval(0.001, 0.0009, 0.0011)), way("b", Interval(0.1, 0.09, 0.11))
    found = compare_ways(*nearer, answered(sidecar), texts(merged))
    assert found.better == better, "even where the logits of the sidecar are nearer"
    assert found.difference is not None
    assert found.difference.value == pytest.approx((sidecar - merged) / ROWS)
    assert f"{sidecar / ROWS:.1%} against {merged / ROWS:.1%} merged" in found.summary
    assert "mean KL 0.001 against 0.1" in found.summary
    assert found.p_value is not None and (found.p_value < 0.05) is (better != "equal")


@pytest.mark.parametrize(
    ("sidecar", "merged", "better"),
    [
        (Interval(0.01, 0.009, 0.011), Interval(0.02, 0.015, 0.025), "sidecar"),
        (Interval(0.02, 0.015, 0.025), Interval(0.01, 0.009, 0.011), "merged"),
        (Interval(0.01, 0.0, 0.02), Interval(0.015, 0.01, 0.02), "equal"),
        (Interval(0.01), Interval(0.02), "sidecar"),
        (None, Interval(0.02), "equal"),
    ],
)
def test_without_expected_outputs_the_logits_decide(
    sidecar: Interval | None, merged: Interval | None, better: str
) -> None:
    rows = answered(60, expected=False)
    found = compare_ways(way("a", sidecar), way("b", merged), rows, texts(60), note="doubtful")
    assert (found.better, found.metric, found.difference, found.note) == (better, None, None, "doubtful")


def test_the_sidecar_is_held_beside_the_merged_bundle(
    triage_report: Parity, triage_adapter: Path, merged_triage: Path, demo_path: Path
) -> None:
    found = triage_report.against_merged
    assert found is not None and found.note is None
    assert (found.sidecar.name, found.merged.name) == ("support-triage", "merged")
    assert found.sidecar.size == (triage_adapter / "support-triage.lora.tflite").stat().st_size
    assert found.merged.size == inspect(merged_triage).size
    assert section(triage_report, logits.Section).figures is not None
    assert found.sidecar.kl_mean == section(triage_report, logits.Section).figures.kl_mean
    alone = edgekit.validate(
        merged_triage,
        TRIAGE / "adapter",
        base=demo_path,
        data=TRIAGE / "eval.jsonl",
        limit=8,
        max_tokens=40,
        report=False,
    )
    assert section(alone, logits.Section).figures is not None
    assert found.merged.kl_mean == section(alone, logits.Section).figures.kl_mean
    assert found.merged.task == section(alone, task.Section).metrics[0].bundle
    assert (found.metric, found.test) == ("exact match", "McNemar, exact")
    assert found.difference is not None and found.sidecar.task is not None and found.merged.task is not None
    assert found.difference.value == pytest.approx(found.sidecar.task.value - found.merged.task.value)


def test_another_merged_bundle_is_compared_with_a_warning(
    adapter_ready_bundle: Path, sentiment_adapter: Path, merged_triage: Path, demo_path: Path
) -> None:
    report = edgekit.validate(
        adapter_ready_bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=sentiment_adapter,
        against=merged_triage,
        data=SENTIMENT / "eval.jsonl",
        **BRIEF,
    )
    assert report.against_merged is not None
    assert report.against_merged.note is not None and "another checkpoint" in report.against_merged.note
    assert report.against_merged.merged.kl_mean is not None
    assert report.against_merged.merged.kl_mean.value > 0.5
