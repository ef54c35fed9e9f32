"""Answers in figures: how they differ, whether they loop, and what a task makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.records import documents
from edgekit.stats import Floats


def first_difference(first: Sequence[Any], second: Sequence[Any]) -> int | None:
    """Position of the first element that differs; the shorter length when one begins the other; None if equal."""
    for position, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return position
    return None if len(first) == len(second) else min(len(first), len(second))


LOOP_REPEATS = 4


LOOP_TOKENS = 12


_LONGEST_UNIT = 64


def ends_in_loop(tokens: Sequence[Any]) -> bool:
    """Whether a text ends in a loop: an n-gram repeated at its tail.

    True when the tail is an n-gram (of at most 64 tokens) repeated at least 4 times in a row and the
    repetitions cover at least 12 tokens; an incomplete repetition at the very end, where the limit cut it,
    does not break the loop. A single token must so come 12 times, a sentence of ten tokens 4 times.
    """
    count = len(tokens)
    for size in range(1, min(_LONGEST_UNIT, count // LOOP_REPEATS) + 1):
        needed = max(LOOP_REPEATS * size, LOOP_TOKENS)
        matched = size
        while matched < count and tokens[-matched - 1] == tokens[-matched - 1 + size]:
            matched += 1
        if matched >= needed:
            return True
    return False


def exact_match(answer: str, expected: str) -> bool:
    """Equal but for white space at both ends."""
    return answer.strip() == expected.strip()


def macro_f1(codes: Floats) -> float:
    """The mean over the expected labels of each label's F1; an answer that is no label is just wrong.

    codes: shape (rows, 2), the number of the answered label (-1 for none) and of the expected one.
    F1 of a label: 2 TP / (2 TP + FP + FN). Source: scikit-learn's f1_score(average="macro") with `labels` set
    to those that are expected.
    """
    answered, expected = codes[:, 0].astype(np.int64), codes[:, 1].astype(np.int64)
    size = int(max(answered.max(), expected.max())) + 1
    wanted = np.bincount(expected, minlength=size)
    given = np.bincount(answered[answered >= 0], minlength=size)
    hits = np.bincount(expected[answered == expected], minlength=size)
    there = wanted > 0
    return float(np.mean(2 * hits[there] / (given[there] + wanted[there])))


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None when it is none. A text around it is not forgiven: apps do not."""
    try:
        value = documents.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def json_fields(value: Mapping[str, Any], prefix: str = "") -> Counter[tuple[str, str]]:
    """The leaves of a JSON object as (path, value); list elements share their list's path."""
    fields: Counter[tuple[str, str]] = Counter()
    for key, item in value.items():
        for element in item if isinstance(item, list) else [item]:
            if isinstance(element, dict):
                fields += json_fields(element, f"{prefix}{key}.")
            else:
                fields[f"{prefix}{key}", json.dumps(element, sort_keys=True)] += 1
    return fields


def field_counts(answer: str, expected: str) -> tuple[int, int, int]:
    """(fields that are right, fields answered, fields expected) of one row; an invalid answer has none."""
    found = json_fields(parse_object(answer) or {})
    wanted = json_fields(parse_object(expected) or {})
    return (found & wanted).total(), found.total(), wanted.total()


def precision_recall_f1(counts: Floats) -> tuple[float, float, float]:
    """Micro-averaged over rows; counts: shape (rows, 3), as `field_counts` gives them."""
    right, answered, wanted = (float(total) for total in counts.sum(axis=0))
    precision = right / answered if answered else 0.0
    recall = right / wanted if wanted else 0.0
    return precision, recall, 2 * right / (answered + wanted) if answered + wanted else 0.0
