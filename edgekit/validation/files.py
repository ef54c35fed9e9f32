"""Where a report goes: JSON and the page in the bundle's reports, JUnit XML for CI systems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from edgekit.bundle.directory import reports_directory
from edgekit.files.whole import write_whole
from edgekit.validation.checks import CHECKS
from edgekit.validation.page import render_html
from edgekit.validation.report import Parity
from edgekit.validation.verdict import CheckModule

JSON_NAME, HTML_NAME = "validate.json", "validate.html"


def write_reports(
    parity: Parity, directory: Path, modules: Sequence[CheckModule] = CHECKS
) -> tuple[Path, ...]:
    """Write `reports/validate.json` and `reports/validate.html` into a bundle directory; returns their paths.

    Raises InputError when they cannot be written.
    """
    text = json.dumps(parity.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    reports = reports_directory(directory)
    written = reports / JSON_NAME, reports / HTML_NAME
    write_whole(written[0], f"{text}\n")
    write_whole(written[1], render_html(parity, modules))
    return written


def write_junit(parity: Parity, path: Path) -> None:
    """Write a JUnit XML file: a test case for each check."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"edgekit validate {parity.bundle.title}",
        tests=str(len(parity.checks)),
        failures=str(sum(check.status == "failed" for check in parity.checks)),
        skipped=str(sum(check.status == "skipped" for check in parity.checks)),
        errors="0",
        time=f"{parity.seconds:.3f}",
    )
    for check in parity.checks:
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
