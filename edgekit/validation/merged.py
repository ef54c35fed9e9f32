"""A sidecar on the base beside the bundle with the adapter merged in: which of the two keeps the task better?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edgekit.bundle.summary import Summary
from edgekit.figures import number, percent, percent_points, size
from edgekit.html.page import Block, Column, Prose, Remark, Table
from edgekit.html.page import Section as PageSection
from edgekit.html.text import sentence
from edgekit.scoring.metric import TaskMetric
from edgekit.scoring.task import task_kind, task_metrics
from edgekit.stats import Interval
from edgekit.validation.checks import generation, logits
from edgekit.validation.context import Context, name_of
from edgekit.validation.drawing import interval

Better = Literal["sidecar", "merged", "equal"]


@dataclass(frozen=True)
class AdapterWay:
    """One way to ship an adapter, against the reference.

    size: bytes that it costs in this way: its sidecar's, or the whole merged file's. positions: of the logits, inside
    answers. exact: answers that are the reference's. task: the first metric against the expected
    outputs, None when there are none.
    """

    name: str
    recipe: str | None
    size: int
    positions: int
    kl_mean: Interval | None
    top1: Interval | None
    exact: Interval | None
    task: Interval | None = None
    task_reference: Interval | None = None


@dataclass(frozen=True)
class MergedComparison:
    """A sidecar on the base beside the bundle with the adapter merged in.

    metric: the task's. difference: of the metric, sidecar minus merged, paired by row, with p_value by `test`.
    better: the way that keeps the task better, as far as 95% confidence vouches for it; without expected outputs, the
        way whose logits are nearer to the reference. note: what makes the comparison doubtful.
    """

    sidecar: AdapterWay
    merged: AdapterWay
    metric: str | None
    difference: Interval | None
    p_value: float | None
    test: str | None
    better: Better
    summary: str
    note: str | None = None


def hold_beside(
    context: Context, beside: Summary, answers: generation.Section, read: logits.Section | None
) -> MergedComparison:
    """Ask the bundle with the adapter merged in the same questions, and say which way is better.

    context: of an adapter on its base, held against a checkpoint. answers, read: what was found of the sidecar.
    Raises BundleError when the engine refuses the merged bundle.
    """
    adapter, base = context.adapter, context.bundle.manifest
    assert adapter is not None and base is not None
    there = replace(
        context,
        bundle=beside,
        adapter=None,
        questions=replace(context.questions, answers=None),
        speaker="the merged bundle",
    )
    others = generation.look(there)
    found = logits.look(there)
    manifest, note = beside.manifest, None
    if manifest is not None and manifest.source.digest != context.reference.identity.digest:
        note = "the merged bundle was made from another checkpoint than this adapter on this base"
    return compare_ways(
        _way(adapter.manifest.name, base.recipe.name, adapter.manifest.sidecar.size, answers, read),
        _way(
            name_of(beside),
            None if manifest is None else manifest.recipe.name,
            beside.size,
            others,
            found if isinstance(found, logits.Section) else None,
        ),
        answers.rows,
        [row.shipped for row in others.rows],
        note=note,
    )


def compare_ways(
    sidecar: AdapterWay,
    merged: AdapterWay,
    rows: Sequence[generation.Row],
    answers: Sequence[str],
    note: str | None = None,
) -> MergedComparison:
    """Say which way is better: by the task, row by row; by the logits alone when nothing says what is right.

    rows: as the sidecar answered. answers: of the merged bundle to the same rows. note: what makes it all doubtful.
    """
    paired = [replace(row, reference=answer) for row, answer in zip(rows, answers, strict=True)]
    metric = _first_metric(paired)
    difference = None if metric is None else metric.difference
    better = _apart(sidecar.kl_mean, merged.kl_mean) if difference is None else _sign(difference)
    return MergedComparison(
        sidecar=sidecar,
        merged=merged,
        metric=None if metric is None else metric.name,
        difference=difference,
        p_value=None if metric is None else metric.p_value,
        test=None if metric is None else metric.test,
        better=better,
        summary=_summary(better, metric, sidecar, merged),
        note=note,
    )


def page_of(comparison: MergedComparison) -> PageSection:
    """Draw both ways side by side."""
    ways = (comparison.sidecar, comparison.merged)
    rows = [
        ("Size that the adapter costs", *(size(way.size) for way in ways)),
        ("Recipe", *(way.recipe or "unknown" for way in ways)),
        ("Mean KL, nats", *(interval(way.kl_mean) for way in ways)),
        ("Same top token", *(interval(way.top1, percent) for way in ways)),
        ("Same answer as the reference", *(interval(way.exact, percent) for way in ways)),
    ]
    if comparison.metric is not None:
        reference = interval(ways[0].task_reference, percent)
        rows.append(("Task: " + comparison.metric, *(interval(way.task, percent) for way in ways)))
        rows.append((f"Task: {comparison.metric}, reference", reference, reference))
    columns = (
        Column("Figure"),
        Column("Sidecar on the base", numeric=True),
        Column("Merged", numeric=True),
    )
    caption = f"{ways[0].name} against {ways[1].name}; ranges are 95% intervals"
    blocks: list[Block] = [Prose(f"{sentence(comparison.summary)}.")]
    if comparison.note is not None:
        blocks.append(Remark("warning", sentence(comparison.note)))
    blocks.append(Table(caption, columns, rows))
    if comparison.difference is not None:
        change = f"Sidecar minus merged, paired by row: {interval(comparison.difference, percent_points)}"
        if comparison.p_value is not None:
            change += f"; p = {number(comparison.p_value, 2)} ({comparison.test})"
        blocks.append(Prose(f"{change}."))
    return PageSection("merged", "Sidecar or merged", blocks)


def _way(
    name: str, recipe: str | None, size: int, answers: generation.Section, read: logits.Section | None
) -> AdapterWay:
    judged = None if read is None else read.figures
    metric = _first_metric(answers.rows)
    return AdapterWay(
        name=name,
        recipe=recipe,
        size=size,
        positions=0 if judged is None else judged.positions,
        kl_mean=None if judged is None else judged.kl_mean,
        top1=None if judged is None else judged.top1,
        exact=answers.exact,
        task=None if metric is None else metric.bundle,
        task_reference=None if metric is None else metric.reference,
    )


def _first_metric(rows: Sequence[generation.Row]) -> TaskMetric | None:
    """The metric that matters most, bundle against reference; None when no row says what is right."""
    judged = [row for row in rows if row.expected is not None]
    if not judged:
        return None
    expected = [row.expected or "" for row in judged]
    reference = [row.reference or "" for row in judged]
    return task_metrics(task_kind(expected), expected, reference, [row.shipped for row in judged])[0]


def _sign(difference: Interval) -> Better:
    low = difference.value if difference.low is None else difference.low
    high = difference.value if difference.high is None else difference.high
    return "sidecar" if low > 0 else "merged" if high < 0 else "equal"


def _apart(sidecar: Interval | None, merged: Interval | None) -> Better:
    """The way with the smaller mean KL, when the intervals do not touch."""
    if sidecar is None or merged is None:
        return "equal"

    def bounds(interval: Interval) -> tuple[float, float]:
        low, high = interval.low, interval.high
        return interval.value if low is None else low, interval.value if high is None else high

    if bounds(sidecar)[1] < bounds(merged)[0]:
        return "sidecar"
    return "merged" if bounds(merged)[1] < bounds(sidecar)[0] else "equal"


def _summary(better: Better, metric: TaskMetric | None, sidecar: AdapterWay, merged: AdapterWay) -> str:
    if metric is None:
        verdict = {
            "sidecar": "the sidecar on the base is nearer to the reference than the merged bundle",
            "merged": "the merged bundle is nearer to the reference than the sidecar on the base",
            "equal": "the sidecar on the base and the merged bundle are equally near to the reference",
        }[better]
    else:
        assert metric.reference is not None
        scores = f"{metric.name} {metric.bundle.value:.1%} against {metric.reference.value:.1%} merged"
        verdict = {
            "sidecar": f"the sidecar on the base keeps the task better than the merged bundle: {scores}",
            "merged": f"the merged bundle keeps the task better than the sidecar on the base: {scores}",
            "equal": f"the sidecar on the base keeps the task as well as the merged bundle: {scores}",
        }[better]
    if sidecar.kl_mean is None or merged.kl_mean is None:
        return verdict
    return f"{verdict}; mean KL {sidecar.kl_mean.value:.2g} against {merged.kl_mean.value:.2g}"
