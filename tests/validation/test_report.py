"""What a validation found: as JSON and back, judged again, and with one check more."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

import edgekit
from edgekit.errors import GateError, InputError
from edgekit.gates import Gates, Thresholds, gates_for
from edgekit.validation.checks import CHECKS
from edgekit.validation.page import render_html
from edgekit.validation.report import Parity, report_schema
from tests.validation.variations import IMPOSSIBLE, judged

pytestmark = pytest.mark.slow

SWEARING = '''
"""Words that an app must not say."""

from dataclasses import dataclass

from edgekit.html.page import Prose
from edgekit.validation.verdict import Check

NAME, TITLE = "manners", "Manners"


@dataclass(frozen=True)
class Section:
    answers: int
    rude: int


def look(context):
    texts = [answer.text for answer in context.said.answers]
    return Section(len(texts), sum("darn" in text for text in texts))


def judge(section, gates):
    said = f"{section.rude} of {section.answers} answers swear"
    return Check(NAME, TITLE, "failed" if section.rude else "passed", said)


def page(section, check):
    return [Prose(f"Looked for one word in {section.answers} answers.")]
'''


@pytest.mark.parametrize("name", ["plain_report", "triage_report"])
def test_json_gives_the_report_back(name: str, request: pytest.FixtureRequest) -> None:
    report: Parity = request.getfixturevalue(name)
    written = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert Parity.from_json(written) == report


def test_other_schemas_and_broken_sections_are_refused(plain_report: Parity) -> None:
    with pytest.raises(InputError, match="schema 99"):
        Parity.from_json({"schema_version": 99})
    with pytest.raises(InputError, match="bundle"):
        Parity.from_json({"schema_version": 1})
    values = plain_report.to_json()
    values["stop"]["ended"] = "many"
    with pytest.raises(InputError, match=r"stop.*ended"):
        Parity.from_json(values)


def test_an_older_report_without_what_came_later_is_read(plain_report: Parity) -> None:
    values = plain_report.to_json()
    for key in ("steps", "sidecar"):
        del values[key]
    values["checks"] = [check for check in values["checks"] if check["name"] != "sidecar"]
    read = Parity.from_json(values)
    assert (read.steps, read.sections["sidecar"], read.passed) == ((), None, True)
    assert "in all: " not in render_html(read)


@pytest.mark.parametrize("name", ["plain_report", "triage_report"])
def test_sections_hold_all_that_their_verdict_needs(name: str, request: pytest.FixtureRequest) -> None:
    report: Parity = request.getfixturevalue(name)
    read = Parity.from_json(report.to_json())
    gates = gates_for(edgekit.read_recipe(str(report.bundle.recipe)).gates, Thresholds(), None)
    for module, check in zip(CHECKS, report.checks, strict=True):
        if (found := read.sections[module.NAME]) is not None:
            assert module.judge(found, gates) == dataclasses.replace(check, seconds=0.0)


def test_an_old_report_under_new_gates_has_a_new_verdict(plain_report: Parity) -> None:
    read = judged(Parity.from_json(plain_report.to_json()), IMPOSSIBLE)
    assert not read.passed
    assert {check.name for check in read.checks if check.status == "failed"} == {
        "logits",
        "generation",
        "task",
        "weights",
    }
    assert len(read.problems) == 4
    with pytest.raises(GateError, match=r"mean KL is .*, allowed is at most -1"):
        read.raise_if_failed()
    plain_report.raise_if_failed()


def test_steps_and_checks_add_up_to_the_whole_time(triage_report: Parity) -> None:
    assert [step.title for step in triage_report.steps] == [
        "open what is compared",
        "the bundle answers",
        "the reference answers and reads",
        "the merged bundle answers and reads",
    ]
    pieces = [part.seconds for part in (*triage_report.steps, *triage_report.checks)]
    assert sum(pieces) == pytest.approx(triage_report.seconds, abs=1e-6)
    assert triage_report.check("task").seconds < triage_report.seconds / 2


def test_a_check_is_one_module_and_a_place_in_the_tuple(
    int8_bundle: Path, few_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CONTRIBUTING.md tells how to add one."""
    (tmp_path / "manners.py").write_text(SWEARING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "manners", raising=False)
    import manners  # type: ignore[import-not-found]

    checks = (*CHECKS, manners)
    report = edgekit.validate(int8_bundle, data=few_rows, limit=2, max_tokens=16, checks=checks)
    assert report.check("manners").summary == "0 of 2 answers swear"
    json_file, html_file = report.files
    written = json.loads(json_file.read_text())
    assert written["manners"] == {"answers": 2, "rude": 0}
    assert Parity.from_json(written, checks) == report
    page = html_file.read_text()
    assert "0 of 2 answers swear" in page
    assert "Looked for one word in 2 answers." in page
    rude = manners.judge(manners.Section(2, 1), Gates(Thresholds(), Thresholds()))
    assert rude.status == "failed"


def test_every_check_stands_in_the_tuple() -> None:
    from edgekit.validation import checks

    files = {path.stem for path in Path(checks.__file__).parent.glob("*.py")} - {"__init__"}
    assert {module.__name__.rpartition(".")[2] for module in CHECKS} == files


def test_the_published_schema_is_what_reports_are(any_report: Parity) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    values = any_report.to_json()
    assert not list(validator.iter_errors(values))
    assert set(values) <= set(schema["properties"])
    assert list(validator.iter_errors({**values, "seconds": "long"}))
