"""Scores of a task: answers of both runners against the expected outputs, paired by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingToolError
from edgekit.scoring.answers import exact_match, field_counts, macro_f1, parse_object, precision_recall_f1
from edgekit.stats import Interval, bootstrap_interval, mcnemar, share_interval

_MOST_LABELS = 50

Kind = Literal["labels", "json", "text"]
_Rows = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
_Score = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class TaskMetric:
    """One metric of both runners. difference: bundle minus reference, paired by row.

    test: how p_value was had ("McNemar, exact"); None where only the interval tells.
    """

    name: str
    reference: Interval | None
    bundle: Interval
    difference: Interval | None
    p_value: float | None = None
    test: str | None = None
    constrained: Interval | None = None
    """The bundle's, with answers held to the manifest's format; None without one."""


def task_kind(expected: Sequence[str]) -> Kind:
    """What sort of task the expected outputs are.

    "json" when all are JSON objects; "labels" when they are short lines and each occurs twice on average, at
    most 50 different ones; "text" else.
    """
    if all(parse_object(text) is not None for text in expected):
        return "json"
    different = set(expected)
    short = all(len(text) <= 64 and "\n" not in text for text in different)
    if short and len(different) <= min(_MOST_LABELS, max(2, len(expected) // 2)):
        return "labels"
    return "text"


def task_metrics(
    kind: Kind,
    expected: Sequence[str],
    reference: Sequence[str] | None,
    bundle: Sequence[str],
    constrained: Sequence[str] | None = None,
) -> list[TaskMetric]:
    """Score answers, row by row those of `expected`; the first metric is the one that matters most.

    reference: None when only the bundle was asked. constrained: the bundle's answers held to a format.
    """

    def per_row(name: str, right: Callable[[str, str], bool]) -> TaskMetric:
        def flags(answers: Sequence[str] | None) -> list[bool] | None:
            return None if answers is None else [right(a, e) for a, e in zip(answers, expected, strict=True)]

        return _share_metric(name, flags(reference), flags(bundle) or [], flags(constrained))

    def whole(name: str, rows: _Rows, score: _Score) -> TaskMetric:
        stats = [None if a is None else rows(a, expected) for a in (reference, bundle, constrained)]
        assert stats[1] is not None
        return _set_metric(name, score, stats[0], stats[1], stats[2])

    if kind == "labels":
        return [per_row("accuracy", exact_match), whole("macro-F1", _label_codes, macro_f1)]
    if kind == "json":
        return [
            per_row("exact match", _same_json),
            per_row("valid JSON", lambda answer, _: parse_object(answer) is not None),
            *(whole(f"field {name}", _field_rows, _field_score(n)) for n, name in enumerate(_FIELD_SCORES)),
        ]
    return [
        whole("chrF", _chrf_rows, lambda rows: float(rows.mean())),
        per_row("exact match", exact_match),
    ]


_FIELD_SCORES = ("precision", "recall", "F1")


def _same_json(answer: str, expected: str) -> bool:
    found = parse_object(answer)
    return found is not None and found == parse_object(expected)


def _field_rows(answers: Sequence[str], expected: Sequence[str]) -> NDArray[np.float64]:
    return np.array([field_counts(a, e) for a, e in zip(answers, expected, strict=True)], np.float64)


def _field_score(place: int) -> _Score:
    return lambda counts: precision_recall_f1(counts)[place]


def _label_codes(answers: Sequence[str], expected: Sequence[str]) -> NDArray[np.float64]:
    """Numbers of the answered and the expected label; -1 for an answer that is no label."""
    codes = {label: code for code, label in enumerate(sorted({text.strip() for text in expected}))}
    return np.array(
        [(codes.get(a.strip(), -1), codes[e.strip()]) for a, e in zip(answers, expected, strict=True)],
        np.float64,
    )


def _chrf_rows(answers: Sequence[str], expected: Sequence[str]) -> NDArray[np.float64]:
    """The chrF score of each answer, 0 to 1. Source: sacrebleu (Popović 2015), its defaults."""
    try:
        from sacrebleu.metrics import CHRF
    except ImportError as error:
        raise MissingToolError(
            "free text is scored by sacrebleu", remedy='pip install "edgekit[reference]"'
        ) from error
    scorer = CHRF()
    return np.array(
        [scorer.sentence_score(a, [e]).score / 100 for a, e in zip(answers, expected, strict=True)],
        np.float64,
    )


def _share_metric(
    name: str, reference: list[bool] | None, bundle: list[bool], constrained: list[bool] | None
) -> TaskMetric:
    """A share of rows: Wilson's intervals, McNemar's test, and the bootstrap for the paired difference."""

    def share(flags: list[bool]) -> Interval:
        return share_interval(sum(flags), len(flags))

    difference = p_value = None
    if reference is not None:
        change = np.array(bundle, np.float64) - np.array(reference, np.float64)
        difference = bootstrap_interval(lambda chosen: float(change[chosen].mean()), len(change))
        p_value = mcnemar(reference, bundle)
    return TaskMetric(
        name,
        None if reference is None else share(reference),
        share(bundle),
        difference,
        p_value,
        None if reference is None else "McNemar, exact",
        None if constrained is None else share(constrained),
    )


def _set_metric(
    name: str,
    score: _Score,
    reference: NDArray[np.float64] | None,
    bundle: NDArray[np.float64],
    constrained: NDArray[np.float64] | None,
) -> TaskMetric:
    """A score of a whole set, of what was counted row by row: intervals by resampling rows, the same rows for
    both runners."""

    def interval(rows: NDArray[np.float64]) -> Interval:
        return bootstrap_interval(lambda chosen: score(rows[chosen]), len(rows))

    difference = None
    if reference is not None:
        ours = reference
        difference = bootstrap_interval(
            lambda chosen: score(bundle[chosen]) - score(ours[chosen]), len(bundle)
        )
    return TaskMetric(
        name,
        None if reference is None else interval(reference),
        interval(bundle),
        difference,
        constrained=None if constrained is None else interval(constrained),
    )
