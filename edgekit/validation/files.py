"""Where a report goes: JSON in the bundle's reports, JUnit XML for CI systems."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from edgekit.bundle.directory import REPORTS_NAME
from edgekit.files.whole import write_whole
from edgekit.validation.result import ParityReport

JSON_NAME, HTML_NAME = "validate.json", "validate.html"


def write_json(report: ParityReport, directory: Path) -> Path:
    """Write `reports/validate.json` into a bundle directory; returns its path."""
    text = json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    path = directory / REPORTS_NAME / JSON_NAME
    write_whole(path, f"{text}\n")
    return path


def write_junit(report: ParityReport, path: Path) -> None:
    """Write a JUnit XML file: a test case for each check."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"edgekit validate {report.bundle.title}",
        tests=str(len(report.checks)),
        failures=str(sum(check.status == "failed" for check in report.checks)),
        skipped=str(sum(check.status == "skipped" for check in report.checks)),
        errors="0",
        time=f"{report.seconds:.3f}",
    )
    for check in report.checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname="edgekit.validate", name=check.name, time=f"{check.seconds:.3f}"
        )
        if check.status == "failed":
            failure = ElementTree.SubElement(case, "failure", message=_printable(check.summary))
            failure.text = _printable(check.remedy or "")
        elif check.status == "skipped":
            ElementTree.SubElement(case, "skipped", message=_printable(check.summary))
        else:
            ElementTree.SubElement(case, "system-out").text = _printable(check.summary)
    ElementTree.indent(suite)
    write_whole(path, ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True) + b"\n")


def _printable(text: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(c if c in "\t\n" or c.isprintable() or c == " " else repr(c)[1:-1] for c in text)
