"""What a benchmark gives: results, comparisons, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.benchmark.compare import Comparison
from edgekit.benchmark.result import BenchResult
from edgekit.errors import GateError
from edgekit.records.codec import plain


@dataclass(frozen=True)
class BenchReport:
    """What `bench` gives.

    results: one for each target, then the baseline when it was measured in turns with the bundle, then the peer.
    comparisons: against the baseline. problems: failed cases, differing answers and failed gates, a sentence each.
    files: the reports that were written.
    """

    results: tuple[BenchResult, ...]
    comparisons: tuple[Comparison, ...]
    problems: tuple[str, ...]
    files: tuple[Path, ...]

    def check(self) -> None:
        """Raise GateError when there are problems."""
        if self.problems:
            raise GateError("\n  ".join(["the benchmark failed", *self.problems]))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "results": [result.to_json() for result in self.results],
            "comparisons": [
                {**plain(comparison), "verdict": comparison.verdict} for comparison in self.comparisons
            ],
            "problems": list(self.problems),
            "files": [str(path) for path in self.files],
        }
