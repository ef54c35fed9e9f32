"""Scores of a task: answers of both runners against the expected outputs, paired by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.calling.tools import Calling, Dialect
from edgekit.errors import MissingToolError
from edgekit.scoring.answers import exact_match, field_counts, macro_f1, parse_object, precision_recall_f1
from edgekit.scoring.calls import are_same, call_metrics
from edgekit.scoring.metric import Score, TaskMetric, set_metric, share_metric

_MOST_LABELS = 50

Kind = Literal["labels", "json", "text", "calls"]
_Rows = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]


@dataclass(frozen=True)
class Confusion:
    """A label that was expected, the one that was answered ("" for none of them), and how often, by whom."""

    expected: str
    answered: str
    reference: int | None
    bundle: int


@dataclass(frozen=True)
class FieldScore:
    """A field of JSON answers: rows that should have it, and how many of them each runner has right."""

    name: str
    rows: int
    reference: int | None
    bundle: int


def task_kind(expected: Sequence[str], calling: Calling | None = None) -> Kind:
    """What sort of task the expected outputs are.

    "calls" of a bundle that calls, whatever is expected: then text says that nothing is to be called. Of others
    "json" when all are JSON objects; "labels" when they are short lines and each occurs twice on average, at
    most 50 different ones; "text" else.
    """
    if calling is not None:
        return "calls"
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
    free: Sequence[str] | None = None,
    calling: Calling | None = None,
) -> list[TaskMetric]:
    """Score answers, row by row those of `expected`; the first metric is the one that matters most.

    reference: None when only the bundle was asked. free: of the bundle, where its answers are held to a format.
    calling: how the bundle calls, for "calls".
    """
    if kind == "calls":
        assert calling is not None
        return call_metrics(calling, expected, reference, bundle, free)

    def per_row(name: str, right: Callable[[str, str], bool], *, decides: bool = True) -> TaskMetric:
        def flags(answers: Sequence[str] | None) -> list[bool] | None:
            return None if answers is None else [right(a, e) for a, e in zip(answers, expected, strict=True)]

        return share_metric(name, flags(reference), flags(bundle) or [], flags(free), decides=decides)

    def whole(name: str, rows: _Rows, score: Score, *, decides: bool = True) -> TaskMetric:
        stats = [None if a is None else rows(a, expected) for a in (reference, bundle, free)]
        assert stats[1] is not None
        return set_metric(name, score, stats[0], stats[1], stats[2], decides=decides)

    if kind == "labels":
        return [per_row("accuracy", exact_match), whole("macro-F1", _label_codes, macro_f1)]
    if kind == "json":
        return [
            per_row("exact match", same_json),
            per_row("valid JSON", lambda answer, _: parse_object(answer) is not None),
            *(
                whole(f"field {name}", _field_rows, _field_score(n), decides=name == "F1")
                for n, name in enumerate(_FIELD_SCORES)
            ),
        ]
    return [
        whole("chrF", _chrf_rows, lambda rows: float(rows.mean())),
        per_row("exact match", exact_match, decides=False),
    ]


def is_right(kind: Kind, answer: str, expected: str, dialect: Dialect | None = None) -> bool:
    """Whether an answer is the expected one, as its kind of task counts it. dialect: of calls."""
    if kind == "calls":
        assert dialect is not None
        return are_same(answer, expected, dialect)
    return same_json(answer, expected) if kind == "json" else exact_match(answer, expected)


def confusion(
    expected: Sequence[str], reference: Sequence[str] | None, bundle: Sequence[str]
) -> tuple[Confusion, ...]:
    """Count which label was answered where which was expected, right ones too; the most frequent first."""
    labels = {text.strip() for text in expected}

    def counted(answers: Sequence[str] | None) -> Counter[tuple[str, str]]:
        said = [a.strip() if a.strip() in labels else "" for a in answers or ()]
        return Counter(zip([e.strip() for e in expected], said, strict=False))

    theirs, ours = counted(reference), counted(bundle)
    pairs = sorted({*theirs, *ours}, key=lambda pair: (-ours[pair], -theirs[pair], pair))
    return tuple(Confusion(*pair, None if reference is None else theirs[pair], ours[pair]) for pair in pairs)


def field_scores(
    expected: Sequence[str], reference: Sequence[str] | None, bundle: Sequence[str]
) -> tuple[FieldScore, ...]:
    """Count in how many rows each field of the expected objects is right."""
    wanted = [parse_object(text) or {} for text in expected]

    def right(answers: Sequence[str], name: str) -> int:
        return sum(
            name in want
            and (found := parse_object(answer)) is not None
            and name in found
            and found[name] == want[name]
            for answer, want in zip(answers, wanted, strict=True)
        )

    return tuple(
        FieldScore(
            name,
            sum(name in want for want in wanted),
            None if reference is None else right(reference, name),
            right(bundle, name),
        )
        for name in dict.fromkeys(name for want in wanted for name in want)
    )


_FIELD_SCORES = ("precision", "recall", "F1")


def same_json(answer: str, expected: str) -> bool:
    """Whether two texts are the same JSON object."""
    found = parse_object(answer)
    return found is not None and found == parse_object(expected)


def _field_rows(answers: Sequence[str], expected: Sequence[str]) -> NDArray[np.float64]:
    return np.array([field_counts(a, e) for a, e in zip(answers, expected, strict=True)], np.float64)


def _field_score(place: int) -> Score:
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
