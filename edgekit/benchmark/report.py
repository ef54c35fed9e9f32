"""What a benchmark gives: results, comparisons, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.benchmark.compare import Comparison
from edgekit.benchmark.result import BenchResult
from edgekit.benchmark.statistics import summaries, switch_summary
from edgekit.errors import GateError
from edgekit.records.codec import plain


@dataclass(frozen=True)
class Bench:
    """What `bench` gives.

    results: of each target the bundle's, then those of the bundles that took turns with it; then those of the peers.
    comparisons: against the baselines. problems: lost targets, failed cases, differing answers and broken limits,
    a sentence each. files: the reports that were written.
    """

    results: tuple[BenchResult, ...]
    comparisons: tuple[Comparison, ...]
    problems: tuple[str, ...]
    files: tuple[Path, ...]

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def raise_if_failed(self) -> None:
        """Raise GateError when there are problems."""
        if self.problems:
            raise GateError("\n  ".join(["the benchmark failed", *self.problems]))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "results": [result_json(result) for result in self.results],
            "comparisons": [
                {**plain(comparison), "verdict": comparison.verdict} for comparison in self.comparisons
            ],
            "problems": list(self.problems),
            "files": [str(path) for path in self.files],
        }


def result_json(result: BenchResult) -> dict[str, Any]:
    """Return a result as JSON values, each case with the summary of its runs, and so the switches."""
    written = plain(result)
    values = {"schema_version": written.pop("schema_version"), **written}
    for case, measured in zip(values["cases"], result.cases, strict=True):
        case["summary"] = {name: plain(summary) for name, summary in summaries(measured).items()}
    if result.switching is not None:
        values["switching"]["summary"] = plain(switch_summary(result.switching))
    return values
