"""Two sets of runs side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgekit.benchmark.plan import Case
from edgekit.benchmark.result import BenchResult, CaseResult
from edgekit.benchmark.statistics import METRIC, METRICS, Metric
from edgekit.errors import InputError
from edgekit.stats import Ratio, median_ratio, summarize


@dataclass(frozen=True)
class Comparison:
    """One metric of one case, this run against the baseline; the ratio is new / baseline. against: its name."""

    case: Case
    metric: str
    new: float
    baseline: float
    ratio: Ratio
    against: str = ""

    @property
    def verdict(self) -> Literal["better", "worse", "same", "unclear"]:
        """`same` where the interval holds 1: such runs do not tell the two apart. `unclear` without an interval."""
        if self.ratio.low is None or self.ratio.high is None:
            return "unclear"
        if self.ratio.low <= 1 <= self.ratio.high:
            return "same"
        return "better" if (self.ratio.value > 1) == (METRIC[self.metric].better == "higher") else "worse"


def compare(new: BenchResult, baseline: BenchResult, *, interleaved: bool) -> list[Comparison]:
    """Return every metric that both have values of, case by case.

    interleaved: the runs of both took turns, so that they can be drawn in pairs.
    Raises InputError when they have no case in common.
    """
    common = [
        (result, other) for result in new.cases for other in baseline.cases if result.case == other.case
    ]
    if not common:
        raise InputError(
            "it has no case in common with this run",
            where=f"--against ({baseline.bundle.name}, {baseline.target})",
            remedy="measure the same lengths, threads and backends: "
            + ", ".join(result.case.name for result in baseline.cases),
        )
    found = [_compare(metric, result, other, interleaved) for result, other in common for metric in METRICS]
    name = baseline.bundle.title
    return [replace(comparison, against=name) for comparison in found if comparison is not None]


def _compare(metric: Metric, new: CaseResult, old: CaseResult, paired: bool) -> Comparison | None:
    values, others = metric.of(new), metric.of(old)
    ratio = median_ratio(values, others, paired=paired)
    summary, baseline = summarize(values), summarize(others)
    if ratio is None or summary is None or baseline is None:
        return None
    return Comparison(new.case, metric.name, summary.median, baseline.median, ratio)
