"""Answers against the expected outputs, where the data has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from edgekit.calling.tools import Dialect
from edgekit.figures import number, percent, percent_points
from edgekit.gates import Gate, Gates
from edgekit.html import svg
from edgekit.html.page import Block, Column, Plot, Plots, Prose, Table
from edgekit.html.text import shorten
from edgekit.runtime.ask.questions import Answer
from edgekit.scoring.calls import WrongCalls, wrong_calls
from edgekit.scoring.metric import TaskMetric
from edgekit.scoring.paired import Decision, Pairs, decide, rows_for, rows_needed
from edgekit.scoring.task import (
    Confusion,
    FieldScore,
    Kind,
    confusion,
    field_scores,
    is_right,
    task_kind,
    task_metrics,
)
from edgekit.text.data import Row
from edgekit.validation.context import Context
from edgekit.validation.drawing import MISSING, bars_of, counted, interval
from edgekit.validation.rows import ChangedRow, field_table, label_blocks
from edgekit.validation.verdict import Check, Figure, Skipped, Status, decided_by_gates
from edgekit.validation.wrong_calls import blocks as wrong_call_blocks

NAME = "task"
TITLE = "Task"


_ROWS = 200


@dataclass(frozen=True)
class Section:
    """Answers against expected outputs.

    kind: "calls" of a bundle that calls; "labels" when there are few different expected outputs, "json" when all are
    JSON objects, "text" else. metrics: the first is the one that matters most. held: the bundle's answers are held to
    the manifest's format, as the app's will be. changed: rows that broke, then rows that were mended, 200 at most.
    confusion: of labels. fields: of JSON objects. dialect: of calls. wrong: rows whose calls are, 200 at most.
    """

    kind: Kind
    rows: int
    metrics: tuple[TaskMetric, ...]
    held: bool = False
    changed: tuple[ChangedRow, ...] = ()
    confusion: tuple[Confusion, ...] = ()
    fields: tuple[FieldScore, ...] = ()
    dialect: Dialect | None = None
    wrong: tuple[WrongCalls, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What the rows say of shipping. enough: rows with which they would tell, where they do not; None for unknown."""

    decision: Decision
    metric: TaskMetric
    enough: int | None = None


def look(context: Context) -> Section | Skipped:
    """Score the answers on the rows that have an expected output, as the app will get them."""
    judged = [number for number, row in enumerate(context.data.rows) if row.expected is not None]
    if not judged:
        return Skipped("the data has no expected outputs, so nothing says which answers are right")
    rows = [context.data.rows[number] for number in judged]
    expected = [row.expected or "" for row in rows]

    def texts(answers: Sequence[Answer]) -> list[str]:
        return [answers[number].text for number in judged]

    said, theirs, calling = context.said, context.reference.said, context.calling
    kind, dialect = task_kind(expected, calling), None if calling is None else calling.dialect
    held = said.constrained is not None
    bundle = texts(said.constrained if said.constrained is not None else said.answers)
    reference = None if theirs is None else texts(theirs.answers)
    free = texts(said.answers) if held else None
    changed = []
    for row, wanted, before, after in zip(rows, expected, reference or [], bundle, strict=False):
        was, now = (is_right(kind, answer, wanted, dialect) for answer in (before, after))
        if was != now:
            changed.append(ChangedRow(row.line, row.prompt, wanted, before, after, now))
    return Section(
        kind,
        len(judged),
        tuple(task_metrics(kind, expected, reference, bundle, free, calling)),
        held,
        tuple(sorted(changed, key=lambda row: row.mended)[:_ROWS]) if kind != "text" else (),
        confusion(expected, reference, bundle) if kind == "labels" else (),
        field_scores(expected, reference, bundle) if kind == "json" else (),
        dialect,
        () if dialect is None else _wrong(rows, expected, bundle, dialect),
    )


def _wrong(
    rows: Sequence[Row], expected: Sequence[str], bundle: Sequence[str], dialect: Dialect
) -> tuple[WrongCalls, ...]:
    found = (
        wrong_calls(row.line, row.prompt, answer, wanted, dialect)
        for row, wanted, answer in zip(rows, expected, bundle, strict=True)
    )
    return tuple(islice((wrong for wrong in found if wrong is not None), _ROWS))


def outcome(section: Section, gates: Gates) -> Outcome | None:
    """Decide by every metric that is judged: the worst of them counts. None without a reference to fall below."""
    allowed = gates.threshold("max_task_drop")
    compared = [m for m in section.metrics if m.decides and m.difference is not None]
    if allowed is None or not compared:
        return None
    worst: Outcome | None = None
    order: tuple[Decision, ...] = ("ship", "too few rows to tell", "do not ship")
    for metric in compared:
        assert metric.difference is not None
        decision = decide(metric.difference, allowed)
        if worst is None or order.index(decision) > order.index(worst.decision):
            worst = Outcome(decision, metric)
    assert worst is not None
    if worst.decision != "too few rows to tell":
        return worst
    metric, difference = worst.metric, worst.metric.difference
    if metric.pairs is not None:
        return replace(worst, enough=rows_needed(metric.pairs, allowed))
    assert difference is not None
    return replace(worst, enough=rows_for(difference, section.rows, allowed))


def judge(section: Section, gates: Gates) -> Check:
    """Hold every metric's drop, and the first metric itself, to the gates."""
    first, found = section.metrics[0], outcome(section, gates)
    verdicts = gates.judge("min_task", first.bundle.value)
    if found is not None:
        verdicts = (*_drops(section, gates), *verdicts)
    figures: dict[str, Figure] = {metric.name: metric.bundle.value for metric in section.metrics}
    if first.reference is not None:
        figures[f"{first.name}, reference"] = first.reference.value
    if first.pairs is not None:
        figures |= {"rows that broke": first.pairs.broken, "rows mended": first.pairs.mended}
    check = decided_by_gates(NAME, TITLE, in_short(section, found), verdicts, figures)
    undecided: Status = "warned"
    if found is not None and found.decision == "too few rows to tell" and check.status == "passed":
        return replace(check, status=undecided, remedy=_more_rows(found))
    return check


def in_short(section: Section, found: Outcome | None) -> str:
    """Say in one sentence how the task stands: 73.0% instead of 83.0% on 100 rows: 12 broke, 2 were mended."""
    first = section.metrics[0]
    said = _against(first)
    if found is not None and found.metric is not first:
        said += f", {_against(found.metric)}"
    said += f" on {counted(section.rows, 'row', 'rows')}"
    if first.pairs is not None:
        said += f": {_changed(first.pairs)}"
    if first.free is not None:
        said += f" (answers held to the format; {first.free.value:.1%} free)"
    return said


def _against(metric: TaskMetric) -> str:
    said = f"{metric.name} {metric.bundle.value:.1%}"
    return said if metric.reference is None else f"{said} (reference {metric.reference.value:.1%})"


def _changed(pairs: Pairs) -> str:
    if not pairs.broken and not pairs.mended:
        return "no row broke, none was mended"
    were = "was" if pairs.mended == 1 else "were"
    return f"{counted(pairs.broken, 'row', 'rows')} broke, {pairs.mended:,} {were} mended"


def _more_rows(found: Outcome) -> str:
    if found.enough is None:
        return "give more rows with expected outputs (--data, --limit 0)"
    return f"about {found.enough:,} rows with expected outputs would be enough (--data, --limit 0)"


def _drops(section: Section, gates: Gates) -> tuple[Gate, ...]:
    """How far each metric fell; one that fell too far breaks its gate only where the rows are enough to tell."""
    found = []
    for metric in section.metrics:
        if metric.decides and metric.difference is not None:
            (gate,) = gates.judge("max_task_drop", max(0.0, -metric.difference.value))
            broken = decide(metric.difference, gate.threshold) == "do not ship"
            found.append(replace(gate, label=f"drop of {metric.name}", passed=not broken))
    return tuple(found)


def page(section: Section, check: Check) -> list[Block]:
    """Draw every metric with its interval."""
    kind = {"labels": "labels", "json": "JSON objects", "text": "free text", "calls": "calls, or none"}[
        section.kind
    ]
    blocks: list[Block] = [Prose(f"{section.rows:,} rows carry an expected output: {kind}.")]
    both = [metric for metric in section.metrics if metric.reference is not None]
    labels = [shorten(metric.name, 64) for metric in section.metrics]
    bars = [bars_of("bundle", [metric.bundle for metric in section.metrics])]
    if len(both) == len(section.metrics):
        bars.insert(
            0, bars_of("reference", [metric.reference for metric in both if metric.reference is not None])
        )
    chart = svg.bar_chart(
        labels,
        bars,
        title="Task metrics",
        y_label="score",
        description="Whiskers are 95% intervals; see the table.",
    )
    free = any(metric.free is not None for metric in section.metrics)
    columns = (
        Column("Metric"),
        Column("Reference", numeric=True),
        Column("Bundle", numeric=True),
        Column("Bundle minus reference, paired", numeric=True),
        Column("p"),
        *([Column("Bundle, not held to the format", numeric=True)] if free else []),
    )
    rows = [
        (
            shorten(metric.name, 64),
            interval(metric.reference, percent),
            interval(metric.bundle, percent),
            interval(metric.difference, percent_points),
            _p_value(metric),
            *([interval(metric.free, percent)] if free else []),
        )
        for metric in section.metrics
    ]
    blocks.append(Plots([Plot(chart, "Whiskers are 95% intervals.")]))
    blocks.append(Table("Scores with 95% intervals", columns, rows))
    if section.confusion:
        blocks += label_blocks(section.confusion)
    if section.fields:
        blocks.append(field_table(section.fields))
    if section.kind == "calls":
        blocks += wrong_call_blocks(section.wrong)
    return blocks


def _p_value(metric: TaskMetric) -> str:
    if metric.p_value is None:
        return MISSING
    return number(metric.p_value, 2) + (f" ({metric.test})" if metric.test else "")
