"""What a validation found, and the same as JSON (`reports/validate.json`).

The JSON is the dataclasses field by field, keys in their order; each check's section stands under the check's name.
Numbers that JSON cannot write (a perplexity may be infinite) are the strings "inf", "-inf" and "nan". Fields with a
default may be added without a new schema version. Of a report of
schema 1 the verdicts are read, the details are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from edgekit.bundle.identity import BundleIdentity
from edgekit.errors import GateError
from edgekit.records.codec import decode, json_schema, plain
from edgekit.records.versions import up_to_date
from edgekit.scoring.paired import Decision
from edgekit.text.data import DataIdentity
from edgekit.validation.checks import CHECKS
from edgekit.validation.context import ReferenceIdentity
from edgekit.validation.merged import MergedComparison
from edgekit.validation.verdict import Check, CheckModule, Figure
from edgekit.validation.worst import WorstExample

SCHEMA_VERSION: Final = 2
_REPORT: Final = "validation report"

S = TypeVar("S")


@dataclass(frozen=True)
class Step:
    """What takes time and serves several checks, such as asking the reference."""

    title: str
    seconds: float


@dataclass(frozen=True)
class Parity:
    """Everything that `edgekit validate` found.

    verdict: "failed" when any check failed. decision: what the rows of the task say; None where nothing says what is
    right. headline: the verdict in one sentence.
    checks: all of them, in order, skipped ones with their reason. sections: what each found, by its name; None when
    it was skipped. worst: the rows worth looking at.
    steps: what served several checks; their seconds and those of the checks add up to `seconds`.
    against_merged: of an adapter that was also held beside its merged bundle. load: processes that wanted the
    processor, on average over the last minute, of `cores`; None where the system does not tell. files: the
    reports that were written.
    """

    bundle: BundleIdentity
    reference: ReferenceIdentity
    data: DataIdentity
    verdict: Literal["passed", "failed"]
    headline: str
    checks: tuple[Check, ...]
    sections: Mapping[str, Any] = field(default_factory=dict)
    worst: tuple[WorstExample, ...] = ()
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0
    edgekit_version: str = ""
    against_merged: MergedComparison | None = None
    decision: Decision | None = None
    load: float | None = None
    cores: int | None = None
    schema_version: int = SCHEMA_VERSION
    files: tuple[Path, ...] = field(default=(), compare=False)

    def check(self, name: str) -> Check:
        """Return the check of a name."""
        return next(check for check in self.checks if check.name == name)

    def section(self, kind: type[S]) -> S | None:
        """Return what a check found, by the class of its section; None when it was skipped."""
        return next((found for found in self.sections.values() if isinstance(found, kind)), None)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.verdict == "passed"

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed, a sentence for each check."""
        return tuple(f"{check.title}: {check.summary}" for check in self.checks if check.status == "failed")

    def raise_if_failed(self) -> None:
        """Raise GateError when a check failed: which, by how much, and what usually helps."""
        if self.problems:
            remedies = dict.fromkeys(c.remedy for c in self.checks if c.status == "failed" and c.remedy)
            message = "\n".join([self.headline, *self.problems])
            raise GateError(message, remedy="\n  → ".join(remedies) or None)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        values = plain(replace(self, files=()), infinite=True)
        flat = {"schema_version": values.pop("schema_version")}
        for key, value in values.items():
            flat.update(value if key == "sections" else {} if key == "files" else {key: value})
        return flat

    @staticmethod
    def from_json(values: Mapping[str, Any], modules: Sequence[CheckModule] = CHECKS) -> Parity:
        """Read what `to_json` wrote; raises InputError, naming the key, for anything else.

        modules: the checks that may be in it.
        """
        values = up_to_date(
            dict(values), migrations=(_without_details,), where=_REPORT, remedy="run edgekit validate again"
        )
        sections = {module.NAME: _section(module, values.pop(module.NAME, None)) for module in modules}
        values.pop("sections", None)
        values.pop("files", None)
        parity = decode(Parity, values, where=_REPORT, infinite=True)
        checks = tuple(replace(check, figures=_numbers(check.figures)) for check in parity.checks)
        return replace(parity, checks=checks, sections=sections)


def report_schema(modules: Sequence[CheckModule] = CHECKS) -> dict[str, Any]:
    """Return the JSON Schema of `validate.json`; for a number may stand "inf", "-inf" or "nan"."""
    sections: dict[str, type[Any]] = {module.NAME: module.Section for module in modules}
    schema: dict[str, Any] = _with_infinite(json_schema(sections, Parity))
    for name in ("sections", "files"):
        del schema["properties"][name]
    return schema


def _with_infinite(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_infinite(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "number":
        return {"anyOf": [schema, {"enum": ["inf", "-inf", "nan"]}]}
    return {key: value if key == "default" else _with_infinite(value) for key, value in schema.items()}


def _without_details(values: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 counts positions of answers alone, and tells of the task which rows broke."""
    return {key: value for key, value in values.items() if key not in {module.NAME for module in CHECKS}}


def _section(module: CheckModule, values: Any) -> Any:
    if values is None:
        return None
    return decode(module.Section, values, where=f"{_REPORT}, {module.NAME}", infinite=True)


def _numbers(figures: Mapping[str, Figure]) -> Mapping[str, Figure]:
    """Read the numbers that JSON has as texts: a figure may be either."""
    return {
        name: float(value) if value in ("inf", "-inf", "nan") else value for name, value in figures.items()
    }
