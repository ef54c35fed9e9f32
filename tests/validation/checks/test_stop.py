"""Answers that do not end."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.container import SectionKind
from tests.validation.planted import metadata, planted
from tests.validation.reading import failures

pytestmark = pytest.mark.slow


def test_a_missing_stop_token_is_caught_by_stop(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def drop(message: object) -> None:
        del message.stop_tokens[0]  # type: ignore[attr-defined]

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.LLM_METADATA, metadata(drop))
    report = edgekit.validate(bundle, demo_path, data=few_rows, max_tokens=48, report=False)
    assert "stop" in failures(report)
    assert failures(report) <= {"stop", "generation", "task"}, "answers that run on are wrong, too"
    assert "<end_of_turn>" in report.check("stop").summary
