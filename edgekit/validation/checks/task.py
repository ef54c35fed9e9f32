"""Answers against the expected outputs, where the data has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.figures import number, percent, percent_points
from edgekit.gates import Gates
from edgekit.html import svg
from edgekit.html.page import Block, Column, Plot, Plots, Prose, Table
from edgekit.runtime.ask.questions import Answer
from edgekit.scoring.task import Kind, TaskMetric, task_kind, task_metrics
from edgekit.validation.context import Context
from edgekit.validation.drawing import MISSING, bars_of, interval
from edgekit.validation.verdict import Check, Figure, Skipped, decided_by_gates

NAME = "task"
TITLE = "Task"


@dataclass(frozen=True)
class Section:
    """Answers against expected outputs.

    kind: "labels" when there are few different expected outputs, "json" when all are JSON objects, "text"
    else. metrics: the first is the one that the gate looks at.
    """

    kind: Kind
    rows: int
    metrics: tuple[TaskMetric, ...]


def look(context: Context) -> Section | Skipped:
    """Score the answers on the rows that have an expected output."""
    judged = [number for number, row in enumerate(context.data.rows) if row.expected is not None]
    if not judged:
        return Skipped("the data has no expected outputs")
    expected = [context.data.rows[number].expected or "" for number in judged]

    def texts(answers: Sequence[Answer] | None) -> list[str] | None:
        return None if answers is None else [answers[number].text for number in judged]

    reference, kind = context.reference.said, task_kind(expected)
    ours = texts(None if reference is None else reference.answers)
    theirs = texts(context.said.answers) or []
    return Section(
        kind, len(judged), tuple(task_metrics(kind, expected, ours, theirs, texts(context.said.constrained)))
    )


def judge(section: Section, gates: Gates) -> Check:
    """Hold the first metric, and its drop as far as the interval vouches for it, to the gates."""
    first = section.metrics[0]
    drop = None
    if first.difference is not None:
        high = first.difference.high
        drop = max(0.0, -(first.difference.value if high is None else high))
    verdicts = (*gates.judge("max_task_drop", drop), *gates.judge("min_task", first.bundle.value))
    figures: dict[str, Figure] = {metric.name: metric.bundle.value for metric in section.metrics}
    if first.reference is not None:
        figures[f"{first.name}, reference"] = first.reference.value
    said = f"{first.name} {first.bundle.value:.1%} on {section.rows} rows"
    if first.reference is not None:
        said += f" (reference {first.reference.value:.1%})"
    if first.constrained is not None:
        said += f", {first.constrained.value:.1%} held to the answer format"
    return decided_by_gates(NAME, TITLE, said, verdicts, figures)


def page(section: Section, check: Check) -> list[Block]:
    """Draw every metric with its interval."""
    kind = {"labels": "labels", "json": "JSON objects", "text": "free text"}[section.kind]
    blocks: list[Block] = [Prose(f"{section.rows:,} rows carry an expected output: {kind}.")]
    both = [metric for metric in section.metrics if metric.reference is not None]
    labels = [metric.name for metric in section.metrics]
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
    constrained = any(metric.constrained is not None for metric in section.metrics)
    columns = (
        Column("Metric"),
        Column("Reference", numeric=True),
        Column("Bundle", numeric=True),
        Column("Bundle minus reference, paired", numeric=True),
        Column("p"),
        *([Column("Bundle, constrained", numeric=True)] if constrained else []),
    )
    rows = [
        (
            metric.name,
            interval(metric.reference, percent),
            interval(metric.bundle, percent),
            interval(metric.difference, percent_points),
            _p_value(metric),
            *([interval(metric.constrained, percent)] if constrained else []),
        )
        for metric in section.metrics
    ]
    blocks.append(Plots([Plot(chart, "Whiskers are 95% intervals.")]))
    blocks.append(Table("Scores with 95% intervals", columns, rows))
    return blocks


def _p_value(metric: TaskMetric) -> str:
    if metric.p_value is None:
        return MISSING
    return number(metric.p_value, 2) + (f" ({metric.test})" if metric.test else "")
