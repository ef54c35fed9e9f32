"""Results as a table of texts: for the terminal, for Markdown, for the report page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgekit.benchmark.compare import Comparison
from edgekit.benchmark.result import BenchResult, CaseResult, Switching
from edgekit.benchmark.statistics import METRIC, SwitchSummary, summaries, switch_summary
from edgekit.quoting import markdown_cell
from edgekit.stats import Ratio, Summary

NOTHING: Final = "—"
COLUMNS: Final = (
    "target", "model", "case", "prefill tok/s", "decode tok/s", "after first", "first token ms", "p50/p95/p99 ms",
    "init cold/warm ms", "peak/private MB",
)  # fmt: skip
COMPARISON_COLUMNS: Final = ("case", "against", "figure", "baseline", "now", "ratio", "95% interval", "")
TEXT_COLUMNS: Final = frozenset({"target", "model", "case", "against", "figure", ""})
"""Columns of words, which stand at the left."""

_SCALE: Final = {"s": (1e3, "ms"), "bytes": (1e-6, "MB"), "tok/s": (1.0, "tok/s"), "J": (1.0, "J")}


def rows(results: Sequence[BenchResult]) -> list[list[str]]:
    """Return one row of cells for every case of every result, under COLUMNS."""
    return [_row(result, case) for result in results for case in result.cases]


def comparison_rows(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """Return one row of cells for every comparison, under COMPARISON_COLUMNS."""
    return [
        [
            comparison.case.name,
            comparison.against,
            METRIC[comparison.metric].label,
            quantity(comparison.metric, comparison.baseline),
            quantity(comparison.metric, comparison.new),
            f"{comparison.ratio.value:.3f}x",
            _interval(comparison.ratio),
            comparison.verdict,
        ]
        for comparison in comparisons
    ]


def markdown(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; figures are aligned right by their columns' names."""
    bar = ["---:" if name not in TEXT_COLUMNS else "---" for name in columns]
    lines = [columns, bar, *([markdown_cell(cell) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def switch_lines(results: Sequence[BenchResult]) -> list[str]:
    """Return a sentence for each result with which switching adapters was measured."""
    found = [(result, switch_summary(result.switching)) for result in results if result.switching is not None]
    return [
        f"{result.target}: switching between {', '.join(names(result.switching))} takes "
        f"{quantity('ttft', summary.switch)}{_within(summary)} until a word is fed with the other, "
        f"{quantity('ttft', summary.word)} of them for the word ({summary.count} switches)"
        for result, summary in found
        if summary is not None and result.switching is not None
    ]


def names(switching: Switching) -> list[str]:
    """Return the names of the adapters that took turns."""
    return [name or "the base alone" for name in switching.adapters]


def _within(summary: SwitchSummary) -> str:
    if summary.low is None or summary.high is None:
        return ""
    return f" (95% interval {number(1e3 * summary.low)} to {number(1e3 * summary.high)})"


def quantity(metric: str, value: float) -> str:
    """Return a metric's value with its unit: ms for times, MB for memory."""
    factor, unit = _SCALE[METRIC[metric].unit]
    return f"{number(value * factor)} {unit}"


def number(value: float) -> str:
    """Return a figure with three to four significant digits, never in powers of ten."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def _row(result: BenchResult, case: CaseResult) -> list[str]:
    found = summaries(case)
    if not case.measured:
        return [result.target, result.bundle.title, case.case.name, f"FAILED: {case.failure}", *[""] * 6]
    return [
        result.target,
        result.bundle.title,
        f"{case.case.name} (FAILED)" if case.failure else case.case.name,
        _spread(found.get("prefill")),
        _spread(found.get("decode")),
        _spread(found.get("decode_after_first")),
        _spread(found.get("ttft") or found.get("engine_ttft"), 1e3, "" if "ttft" in found else " (derived)"),
        _medians(found, ("p50", "p95", "p99"), 1e3),
        _medians(found, ("init_cold", "init_warm"), 1e3),
        _medians(found, ("rss", "private"), 1e-6),
    ]


def _interval(ratio: Ratio) -> str:
    return NOTHING if ratio.low is None else f"{ratio.low:.3f} to {ratio.high:.3f}"


def _spread(summary: Summary | None, factor: float = 1.0, note: str = "") -> str:
    """Return a median, and the middle half of the values when there are several."""
    if summary is None:
        return NOTHING
    median = number(summary.median * factor) + note
    if summary.count == 1:
        return median
    return f"{median} ({number(summary.low * factor)} to {number(summary.high * factor)})"


def _medians(found: dict[str, Summary], names: Sequence[str], factor: float) -> str:
    if not any(name in found for name in names):
        return NOTHING
    return "/".join(number(found[name].median * factor) if name in found else NOTHING for name in names)
