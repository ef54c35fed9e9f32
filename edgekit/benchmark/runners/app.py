"""The app on a phone, or anyone who writes the same JSON: a result that was measured elsewhere is taken as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.benchmark.measure import Rival
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import read_result
from edgekit.benchmark.runner import Measured, RunnerKind, RunnerOptions
from edgekit.bundle.subject import Subject
from edgekit.errors import InputError
from edgekit.progress import Progress


@dataclass(frozen=True)
class AppRunner:
    """Reads a result of the sample app."""

    result: Path

    def measure(
        self, plan: BenchPlan, subjects: Sequence[Subject], rivals: Sequence[Rival], progress: Progress
    ) -> Measured:
        """Read the result, whatever the plan; a note says when it was another model file's.

        Raises InputError for a file that holds none.
        """
        (subject,) = subjects
        result = read_result(self.result)
        if result.bundle.sha256 is not None and result.bundle.sha256 != subject.info.sha256:
            other = f"{result.bundle.file}, sha256 {result.bundle.sha256[:12]}…"
            result = replace(result, notes=(*result.notes, f"measured with another model file: {other}"))
        return Measured(((result,),))


def _make(value: str, options: RunnerOptions) -> AppRunner:
    if not value:
        raise InputError(
            "which file?", where="--on app", remedy="name the JSON that the app shared: app=FILE"
        )
    return AppRunner(Path(value))


KIND = RunnerKind(
    "app", "=FILE", "a result that the sample app shared; nothing is measured", _make, frozenset()
)
