"""Answers that are labels, JSON or free text, held to the gates."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgekit.gates import Gates, Thresholds
from edgekit.scoring.task import task_kind, task_metrics
from edgekit.validation.checks import task
from edgekit.validation.verdict import Check

Row = tuple[str, str, str]
"""What was expected, what the reference answered, and what the bundle did."""


def judged(rows: Sequence[Row], **thresholds: float) -> tuple[Check, task.Section]:
    expected, reference, bundle = (list(column) for column in zip(*rows, strict=True))
    kind = task_kind(expected)
    section = task.Section(kind, len(rows), tuple(task_metrics(kind, expected, reference, bundle)))
    return task.judge(section, Gates(Thresholds(**thresholds), Thresholds())), section


def test_labels_are_scored_by_accuracy_and_macro_f1_and_compared_in_pairs() -> None:
    rows = [(label, label, label if i else "no idea") for i, label in enumerate(["yes", "no"] * 10)]
    check, section = judged(rows, min_task=0.99)
    assert section.kind == "labels"
    accuracy, f1 = section.metrics
    assert (accuracy.name, accuracy.bundle.value, accuracy.reference and accuracy.reference.value) == (
        "accuracy",
        0.95,
        1.0,
    )
    assert accuracy.p_value == 1.0
    assert accuracy.difference is not None
    assert accuracy.difference.value == pytest.approx(-0.05)
    assert f1.bundle.value == pytest.approx((18 / 19 + 1) / 2)
    assert check.status == "failed"
    assert "task metric is 0.95, allowed is at least 0.99" in check.summary


def test_free_text_is_scored_by_chrf() -> None:
    pytest.importorskip("sacrebleu")
    texts = [f"A sentence of its own, number {n}, about something else" for n in range(6)]
    rows = [(text, text, text[:-4]) for text in texts]
    check, section = judged(rows, max_task_drop=0.5)
    assert section.kind == "text"
    assert section.metrics[0].name == "chrF"
    assert section.metrics[0].reference is not None
    assert section.metrics[0].reference.value == pytest.approx(1)
    assert 0.8 < section.metrics[0].bundle.value < 1
    assert check.status == "passed"


def test_a_drop_counts_as_far_as_the_interval_vouches_for_it() -> None:
    rows = [('{"a": 1}', '{"a": 1}', '{"a": 2}' if i % 2 else '{"a": 1}') for i in range(40)]
    check, section = judged(rows, max_task_drop=0.1)
    assert section.kind == "json"
    assert check.status == "failed"
    assert 0.3 < check.gates[0].value < 0.5
    assert [metric.name for metric in section.metrics] == [
        "exact match",
        "valid JSON",
        "field precision",
        "field recall",
        "field F1",
    ]
