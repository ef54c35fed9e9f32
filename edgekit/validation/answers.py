"""Checks 6 and 7: greedy answers against each other, and against what was expected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingToolError
from edgekit.gates import Gates, line
from edgekit.runtime.ask.questions import Answer, Voice
from edgekit.scoring.answers import (
    ends_in_loop,
    exact_match,
    field_counts,
    first_difference,
    macro_f1,
    parse_object,
    precision_recall_f1,
)
from edgekit.stats import Interval, bootstrap_interval, mcnemar, mean_interval, share_interval
from edgekit.text.answers import AnswerFormat
from edgekit.text.data import Row
from edgekit.validation.checks import TITLES
from edgekit.validation.result import (
    Check,
    CheckName,
    GenerationRow,
    GenerationSection,
    HistogramBin,
    TaskMetric,
    TaskSection,
    WorstExample,
)

_MOST_LABELS = 50
_HISTOGRAM_BINS = 12
_WORST = 20

Encode = Callable[[str], Sequence[int]]


# ---------------------------------------- 6 generation


def check_generation(
    rows: Sequence[Row],
    reference: Voice | None,
    bundle: Voice,
    *,
    max_tokens: int,
    answers: AnswerFormat | None,
    gates: Gates,
    encode: Encode | None = None,
) -> tuple[Check, GenerationSection]:
    """Greedy answers of both.

    encode: the tokenizer in whose ids answers are compared; without one, each runner's own ids of its answer.
    Answers are the same when their texts are, but for white space at both ends.
    """
    constrained = bundle.constrained
    table = tuple(
        _row(
            row,
            None if reference is None else reference.answers[index],
            bundle.answers[index],
            None if constrained is None else constrained[index],
            encode,
        )
        for index, row in enumerate(rows)
    )
    section = _generation_section(table, reference, max_tokens, answers)
    loops = section.loops_bundle.value
    if section.loops_reference is not None:
        loops = max(0.0, loops - section.loops_reference.value)
    exact = None if section.exact is None else section.exact.value
    verdicts = (*gates.judge("max_loop", loops), *gates.judge("min_exact", exact))
    figures: dict[str, int | float | str | None] = {
        "same answer": exact,
        "ends in a loop": section.loops_bundle.value,
        "ends in a loop, reference": _value(section.loops_reference),
        "first difference, median token": section.median_divergence,
        "valid answers, free": _value(section.valid_free),
        "valid answers, constrained": _value(section.valid_constrained),
    }
    same = f"{exact:.1%} of {len(table)} answers are the reference's; " if exact is not None else ""
    said = f"{same}{section.loops_bundle.value:.1%} end in a loop"
    if section.loops_reference is not None:
        said += f" ({section.loops_reference.value:.1%} of the reference's)"
    return verdict("generation", said, verdicts, figures), section


def verdict(name: CheckName, said: str, gates: Sequence[Any], figures: Mapping[str, Any]) -> Check:
    """A check that its gates decide."""
    broken = [gate for gate in gates if not gate.passed]
    shown = {label: figure for label, figure in figures.items() if figure is not None}
    if not broken:
        return Check(name, TITLES[name], "passed", said, tuple(gates), shown)
    lines = "; ".join(line(gate) for gate in broken)
    return Check(name, TITLES[name], "failed", f"{lines}; {said}", tuple(gates), shown, broken[0].remedy)


def _value(interval: Interval | None) -> float | None:
    return None if interval is None else interval.value


def _row(
    row: Row, reference: Answer | None, bundle: Answer, constrained: Answer | None, encode: Encode | None
) -> GenerationRow:
    token = char = None
    if reference is not None:
        ours, theirs = reference.text.strip(), bundle.text.strip()
        char = first_difference(ours, theirs)
        if char is not None:
            ids = (encode(ours), encode(theirs)) if encode is not None else (reference.ids, bundle.ids)
            token = first_difference(*ids)
    return GenerationRow(
        prompt=row.prompt,
        expected=row.expected,
        reference=None if reference is None else reference.text,
        bundle=bundle.text,
        first_difference=token,
        first_difference_char=char,
        reference_tokens=None if reference is None else reference.tokens,
        bundle_tokens=bundle.tokens,
        reference_loops=None if reference is None else ends_in_loop(reference.ids),
        bundle_loops=ends_in_loop(bundle.ids),
        reference_stopped=None if reference is None else reference.ended,
        bundle_stopped=bundle.ended,
        constrained=None if constrained is None else constrained.text,
    )


def _generation_section(
    rows: tuple[GenerationRow, ...], reference: Voice | None, max_tokens: int, answers: AnswerFormat | None
) -> GenerationSection:
    count = len(rows)
    positions = [row.first_difference for row in rows if row.first_difference is not None]
    lengths = [row.bundle_tokens - row.reference_tokens for row in rows if row.reference_tokens is not None]
    valid = None if answers is None else [is_valid(row.bundle, answers) for row in rows]
    held = [r.constrained for r in rows if r.constrained is not None]
    return GenerationSection(
        rows=rows,
        max_tokens=max_tokens,
        exact=None
        if reference is None
        else share_interval(sum(r.first_difference_char is None for r in rows), count),
        divergence=_histogram(positions),
        median_divergence=float(np.median(positions)) if positions else None,
        length_difference=mean_interval(np.array(lengths, np.float64)) if lengths else None,
        loops_reference=None
        if reference is None
        else share_interval(sum(bool(r.reference_loops) for r in rows), count),
        loops_bundle=share_interval(sum(r.bundle_loops for r in rows), count),
        valid_free=None if valid is None else share_interval(sum(valid), count),
        valid_constrained=share_interval(sum(is_valid(t, answers) for t in held), len(held))
        if held and answers is not None
        else None,
    )


def _histogram(positions: Sequence[int]) -> tuple[HistogramBin, ...]:
    if not positions:
        return ()
    width = max(1, -(-(max(positions) + 1) // _HISTOGRAM_BINS))
    starts = range(0, max(positions) + 1, width)
    return tuple(HistogramBin(s, s + width, sum(s <= p < s + width for p in positions)) for s in starts)


def is_valid(text: str, answers: AnswerFormat) -> bool:
    """Whether an answer is one that the format allows.

    A JSON schema is checked by the jsonschema package; without it, only that the answer is a JSON value.
    """
    if answers.kind == "regex":
        return re.fullmatch(answers.source, text.strip()) is not None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    try:
        import jsonschema
    except ImportError:
        return True
    validator = jsonschema.Draft202012Validator(json.loads(answers.source))
    return bool(validator.is_valid(value))


def worst_examples(rows: Sequence[GenerationRow]) -> tuple[WorstExample, ...]:
    """Rows worth looking at: new loops first, then what became wrong, then the earliest differences."""
    found = []
    for row in rows:
        if row.bundle_loops and not row.reference_loops:
            rank, why = 0, "ends in a loop"
        elif row.expected is not None and _became_wrong(row):
            rank, why = 1, "became wrong"
        elif row.first_difference_char is not None:
            rank, why = 2, f"differs from token {row.first_difference}"
        elif row.expected is not None and not exact_match(row.bundle, row.expected):
            rank, why = 3, "wrong in both" if row.reference is not None else "not what was expected"
        else:
            continue
        position = row.first_difference if row.first_difference is not None else 1 << 30
        found.append(
            (
                rank,
                position,
                WorstExample(
                    row.prompt,
                    row.expected,
                    row.reference,
                    row.bundle,
                    row.first_difference,
                    row.first_difference_char,
                    why,
                ),
            )
        )
    return tuple(example for _, _, example in sorted(found, key=lambda item: item[:2])[:_WORST])


def _became_wrong(row: GenerationRow) -> bool:
    assert row.expected is not None
    return (
        row.reference is not None
        and exact_match(row.reference, row.expected)
        and not exact_match(row.bundle, row.expected)
    )


# ---------------------------------------- 7 task

Kind = Literal["labels", "json", "text"]
_Rows = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
_Score = Callable[[NDArray[np.float64]], float]


def check_task(rows: Sequence[GenerationRow], gates: Gates) -> tuple[Check, TaskSection]:
    """Answers of both against the expected ones, on the rows that have one (at least one)."""
    judged = [row for row in rows if row.expected is not None]
    expected = [row.expected or "" for row in judged]
    kind = task_kind(expected)
    reference = None if judged[0].reference is None else [row.reference or "" for row in judged]
    bundle = [row.bundle for row in judged]
    held = [row.constrained for row in judged if row.constrained is not None]
    constrained = held if len(held) == len(judged) else None
    metrics = tuple(_metrics(kind, expected, reference, bundle, constrained))
    first = metrics[0]
    drop = None
    if first.difference is not None:
        high = first.difference.high
        drop = max(0.0, -(first.difference.value if high is None else high))
    verdicts = (*gates.judge("max_task_drop", drop), *gates.judge("min_task", first.bundle.value))
    figures = {metric.name: metric.bundle.value for metric in metrics}
    if first.reference is not None:
        figures[f"{first.name}, reference"] = first.reference.value
    said = f"{first.name} {first.bundle.value:.1%} on {len(judged)} rows"
    if first.reference is not None:
        said += f" (reference {first.reference.value:.1%})"
    if first.constrained is not None:
        said += f", {first.constrained.value:.1%} held to the answer format"
    return verdict("task", said, verdicts, figures), TaskSection(kind, len(judged), metrics)


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


def _metrics(
    kind: Kind,
    expected: Sequence[str],
    reference: Sequence[str] | None,
    bundle: Sequence[str],
    constrained: Sequence[str] | None,
) -> list[TaskMetric]:
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
