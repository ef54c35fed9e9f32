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


def test_a_drop_that_the_rows_vouch_for_fails_every_metric_that_falls() -> None:
    rows = [('{"a": 1}', '{"a": 1}', '{"a": 2}' if i % 2 else '{"a": 1}') for i in range(40)]
    check, section = judged(rows, max_task_drop=0.1)
    assert section.kind == "json"
    assert check.status == "failed"
    assert [(gate.label, gate.value, gate.passed) for gate in check.gates] == [
        ("drop of exact match", 0.5, False),
        ("drop of valid JSON", 0.0, True),
        ("drop of field F1", 0.5, False),
    ]
    assert "exact match 50.0% (reference 100.0%) on 40 rows: 20 rows broke, 0 were mended" in check.summary
    assert [metric.name for metric in section.metrics] == [
        "exact match",
        "valid JSON",
        "field precision",
        "field recall",
        "field F1",
    ]


def test_a_drop_that_chance_could_have_made_is_a_warning_with_the_rows_that_would_tell() -> None:
    """Of 40 rows 5 broke and 1 was mended: ten points less, but p = 0.22."""
    answers = ["broken"] * 5 + ["mended"] + ["same"] * 34
    rows = [
        (
            "a" if i % 2 else "b",
            "?" if how == "mended" else "a" if i % 2 else "b",
            "?" if how == "broken" else "a" if i % 2 else "b",
        )
        for i, how in enumerate(answers)
    ]
    check, section = judged(rows, max_task_drop=0.03)
    found = task.outcome(section, Gates(Thresholds(max_task_drop=0.03), Thresholds()))
    assert found is not None and found.decision == "too few rows to tell"
    assert check.status == "warned"
    assert f"about {found.enough} rows" in (check.remedy or "")
    assert found.enough is not None and 50 < found.enough < 120
