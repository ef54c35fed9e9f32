"""Reports as tests look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import edgekit
from edgekit.scoring.positions import LogitFigures
from edgekit.validation.checks import logits
from edgekit.validation.report import Parity
from tests.conftest import SENTIMENT

BRIEF: dict[str, Any] = {"limit": 4, "max_tokens": 24, "report": False}
"""What planted faults are looked for with; the reference answers once, then comes from the cache."""

S = TypeVar("S")


def failures(report: Parity) -> set[str]:
    return {check.name for check in report.checks if check.status == "failed"}


def status(report: Parity) -> dict[str, str]:
    return {check.name: check.status for check in report.checks}


def section(report: Parity, kind: type[S]) -> S:
    """What a check found; it must have run."""
    found = report.section(kind)
    assert found is not None
    return found


def figures(report: Parity) -> LogitFigures:
    """What the comparison of logits gave; it must have read something."""
    found = section(report, logits.Section).figures
    assert found is not None
    return found


def validated(bundle: Path, base: Path, checkpoint: Path, trained: Path = SENTIMENT) -> Parity:
    """Hold an adapter bundle on its base against the adapter as trained."""
    return edgekit.validate(
        base, trained / "adapter", base=checkpoint, adapter=bundle, data=SENTIMENT / "eval.jsonl", **BRIEF
    )
