"""How reports of this room write and draw what several checks have: verdicts, intervals, gates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from edgekit.figures import number
from edgekit.gates import Gate
from edgekit.html import svg
from edgekit.html.page import Badge, Cell, Column, Outcome, Table
from edgekit.stats import Interval
from edgekit.validation.verdict import Figure, Status

MISSING: Final = "—"
OUTCOMES: Final[dict[Status, Outcome]] = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "warned": "warning",
}


def badge(status: Status) -> Badge:
    """Show a verdict."""
    outcome = OUTCOMES[status]
    return Badge(outcome, outcome)


def interval(figure: Interval | None, write: Callable[[float], str] = number) -> str:
    """Write a figure and its interval: 0.0123 (0.0101 to 0.0145)."""
    if figure is None:
        return MISSING
    if figure.low is None or figure.high is None:
        return write(figure.value)
    return f"{write(figure.value)} ({write(figure.low)} to {write(figure.high)})"


def in_words(value: Figure) -> str:
    """Write a figure of a check."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else number(value)


def counted(count: int, one: str, many: str) -> str:
    """Write a number of things: 1 gate, 3 gates."""
    return f"{count:,} {one if count == 1 else many}"


def span(values: Sequence[float]) -> str:
    """Write between which values all lie."""
    kept = [value for value in values if math.isfinite(value)]
    return f"{number(min(kept), 3)} to {number(max(kept), 3)}" if kept else "nowhere finite"


def line_of(name: str, x: Sequence[float], figures: Sequence[Interval]) -> svg.Line:
    """Draw figures over x, with their intervals as a band."""
    low, high = _bounds(figures)
    return svg.Line(name, x, [figure.value for figure in figures], low, high)


def bars_of(name: str, figures: Sequence[Interval]) -> svg.Bars:
    """Draw a bar for each figure, with its interval as a whisker."""
    low, high = _bounds(figures)
    return svg.Bars(name, [figure.value for figure in figures], low, high)


def _bounds(figures: Sequence[Interval]) -> tuple[list[float] | None, list[float] | None]:
    if all(figure.low is None or figure.high is None for figure in figures):
        return None, None
    low = [math.nan if figure.low is None else figure.low for figure in figures]
    return low, [math.nan if figure.high is None else figure.high for figure in figures]


def gate_table(caption: str, gates: Iterable[Gate]) -> Table:
    """Show gates and how the figures stood to them."""
    columns = (
        Column("Gate"),
        Column("Verdict"),
        Column("Found", numeric=True),
        Column("Allowed", numeric=True),
        Column("In edgekit.toml", code=True),
        Column("Set by"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            gate.label,
            badge("passed" if gate.passed else "failed"),
            number(gate.value),
            f"{'≤' if gate.direction == 'max' else '≥'} {number(gate.threshold)}",
            gate.name,
            "the recipe's default" if gate.default else "you",
        )
        for gate in gates
    ]
    return Table(caption, columns, rows)
