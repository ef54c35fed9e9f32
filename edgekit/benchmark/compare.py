"""Two sets of runs side by side, and the gates of `--fail-if`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from edgekit.benchmark.plan import Case
from edgekit.benchmark.result import BenchResult, CaseResult
from edgekit.benchmark.statistics import METRIC, METRICS, Metric, Ratio, median_ratio, summarize
from edgekit.errors import InputError


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


@dataclass(frozen=True)
class Gate:
    """A condition that fails a benchmark, such as `decode < 0.95x` or `ttft > 500ms`.

    bound: a factor of the baseline when relative, otherwise in the metric's unit (s, tok/s, bytes, J).
    """

    text: str
    metric: str
    sign: Literal["<", ">"]
    bound: float
    relative: bool

    def fails(self, value: float) -> bool:
        """Tell whether a value meets the condition."""
        return value < self.bound if self.sign == "<" else value > self.bound


_GATE: Final = re.compile(
    r"\s*(\w+)\s*([<>])\s*([0-9]*\.?[0-9]+(?:e[+-]?\d+)?)\s*(x|ms|us|s|tok/s|kB|MB|GB|J)?\s*", re.I
)
_SCALES: Final = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6},
    "bytes": {"kb": 1e3, "mb": 1e6, "gb": 1e9},
    "tok/s": {"tok/s": 1.0},
    "J": {"j": 1.0},
}


def parse_gate(text: str) -> Gate:
    """Read a gate. Raises InputError, with the words that it knows, when it is none."""
    match = _GATE.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text!r} is no condition",
            where="--fail-if",
            remedy='write it as "decode < 0.95x" or "ttft > 500ms"',
        )
    name, sign, number, suffix = match[1], match[2], float(match[3]), (match[4] or "").lower()
    if name not in METRIC:
        raise InputError(f"unknown figure {name!r}", where="--fail-if", remedy=f"one of {', '.join(METRIC)}")
    if suffix == "x":
        return Gate(text.strip(), name, _sign(sign), number, relative=True)
    scales = _SCALES[METRIC[name].unit]
    if suffix and suffix not in scales:
        raise InputError(
            f"{name} is not measured in {match[4]}",
            where="--fail-if",
            remedy=f"x, {', '.join(scales)} or no unit",
        )
    return Gate(text.strip(), name, _sign(sign), number * scales.get(suffix, 1.0), relative=False)


def _sign(sign: str) -> Literal["<", ">"]:
    return "<" if sign == "<" else ">"


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
            where=f"--compare ({baseline.bundle.name}, {baseline.target})",
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


def failed_gates(
    gates: Sequence[Gate], results: Sequence[BenchResult], comparisons: Sequence[Comparison]
) -> list[str]:
    """Return a sentence for every gate and case whose median (or ratio of medians) meets the condition.

    A gate that nothing was measured for fails too: a check that did not run must not look like one that passed.
    """
    found: list[str] = []
    for gate in gates:
        measured = 0
        if gate.relative:
            for comparison in comparisons:
                if comparison.metric == gate.metric:
                    measured += 1
                    if gate.fails(comparison.ratio.value):
                        found.append(
                            f"{gate.text}: {comparison.ratio.value:.3f}x for {comparison.case.name}, "
                            f"against {comparison.against}"
                        )
        else:
            for result in results:
                for case in result.cases:
                    summary = summarize(METRIC[gate.metric].of(case))
                    measured += summary is not None
                    if summary is not None and gate.fails(summary.median):
                        found.append(
                            f"{gate.text}: {summary.median:.6g} for {case.case.name} on {result.target}"
                        )
        if not measured:
            found.append(f"{gate.text}: {gate.metric} was not measured")
    return found
