"""A sidecar on the base beside the bundle with the adapter merged in: which of the two keeps the task better?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from edgekit.gates import Gates, Thresholds
from edgekit.stats import Interval
from edgekit.validation.answers import check_task
from edgekit.validation.result import (
    AdapterWay,
    GenerationRow,
    GenerationSection,
    LogitsSection,
    MergedComparison,
    TaskMetric,
)

_NO_GATES = Gates(Thresholds(), Thresholds())

Better = Literal["sidecar", "merged", "equal"]


def compare_ways(
    sidecar: AdapterWay,
    merged: AdapterWay,
    sidecar_rows: Sequence[GenerationRow],
    answers: Sequence[str],
    note: str | None = None,
) -> MergedComparison:
    """Say which way is better: by the task, row by row; by the logits alone when nothing says what is right.

    sidecar_rows: as generated. answers: of the merged bundle to the same rows. note: what makes it all doubtful.
    """
    metric = _paired(sidecar_rows, answers)
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


def adapter_way(
    name: str, recipe: str | None, size: int, logits: LogitsSection | None, generation: GenerationSection
) -> AdapterWay:
    """Collect the figures of one way. size: bytes that the adapter costs in this way."""
    judged = None if logits is None else logits.answers or logits.overall
    expected = any(row.expected is not None for row in generation.rows)
    task = check_task(generation.rows, _NO_GATES)[1].metrics[0] if expected else None
    return AdapterWay(
        name=name,
        recipe=recipe,
        size=size,
        positions=0 if judged is None else judged.positions,
        kl_mean=None if judged is None else judged.kl_mean,
        top1=None if judged is None else judged.top1,
        exact=generation.exact,
        task=None if task is None else task.bundle,
        task_reference=None if task is None else task.reference,
    )


def _paired(rows: Sequence[GenerationRow], answers: Sequence[str]) -> TaskMetric | None:
    """The task's first metric, sidecar minus merged; None when no row says what is right."""
    if not any(row.expected is not None for row in rows):
        return None
    pairs = [replace(row, reference=answer) for row, answer in zip(rows, answers, strict=True)]
    return check_task(pairs, _NO_GATES)[1].metrics[0]


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
