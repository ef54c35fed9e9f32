"""The verdict of `edgekit validate`, as the app shows it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.directory import REPORTS_NAME
from edgekit.bundle.manifest import Manifest
from edgekit.errors import InputError
from edgekit.records.codec import read_values

REPORT_NAME = "validate.json"


@dataclass(frozen=True)
class QualityCheck:
    """One check of `edgekit validate`; summary: one sentence with its figures."""

    name: str
    passed: bool
    summary: str


@dataclass(frozen=True)
class Quality:
    """The verdict of `edgekit validate` on the bundle, with the task's adapter where it has one."""

    passed: bool
    checks: tuple[QualityCheck, ...]


@dataclass(frozen=True)
class Verdict:
    """quality: None when there is no report on these very files. note: why there is none, for people."""

    quality: Quality | None
    note: str | None = None


def read_quality(directory: Path, manifest: Manifest) -> Verdict:
    """Read the report in a bundle directory; one on another model file counts as none, and so does a broken one.

    Skipped checks are left out: the app shows what was found, not what was not looked at.
    """
    verdict = _read(directory, manifest.model.sha256, sidecar=None)
    return verdict or Verdict(None, "not validated: edgekit validate compares it with its checkpoint")


def read_adapter_quality(adapter: Adapter) -> Verdict:
    """Read the report in an adapter bundle; it counts when it is about this very sidecar on this very base."""
    manifest = adapter.manifest
    verdict = _read(adapter.directory, manifest.base.model_sha256, sidecar=manifest.sidecar.sha256)
    return verdict or Verdict(
        None, "not validated: edgekit validate --adapter compares it with what was trained"
    )


def _read(directory: Path, model: str, *, sidecar: str | None) -> Verdict | None:
    """Read the report in a directory; None when there is none. model, sidecar: SHA-256 of what it must be about."""
    from edgekit.validation.report import Parity

    path = directory / REPORTS_NAME / REPORT_NAME
    if not os.path.lexists(path):
        return None
    try:
        if path.parent.is_symlink():
            raise InputError("it is reached by a link, which is not followed")
        report = Parity.from_json(read_values(path))
    except (OSError, ValueError, RecursionError, AttributeError, InputError) as error:
        return Verdict(None, f"{path} is left out, it cannot be read: {error}")
    adapter = report.bundle.adapter
    if (report.bundle.sha256, None if adapter is None else adapter.sha256) != (model, sidecar):
        what = "model file" if sidecar is None else "base or sidecar"
        return Verdict(None, f"{path} is left out: it is about another {what}; run edgekit validate again")
    checks = tuple(
        QualityCheck(check.name, check.status == "passed", check.summary)
        for check in report.checks
        if check.status in ("passed", "failed")
    )
    note = None if report.passed else f"the app will show that validation failed: {report.headline}"
    return Verdict(Quality(report.passed, checks), note)
