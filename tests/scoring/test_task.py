"""Scores of a task."""

from __future__ import annotations

from edgekit.scoring.task import task_kind


def test_kinds_of_tasks() -> None:
    assert task_kind(['{"a": 1}', "{}"]) == "json"
    assert task_kind(["a", "b", "a", "b"]) == "labels"
    assert task_kind(["one thing", "another thing", "a third thing"]) == "text"
