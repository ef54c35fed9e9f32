"""Scores of calls: what both runners asked for against what was expected, paired by row.

A row expects calls, or none: then the answer is in words, and the words are not compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.calling.calls import Answer, Call, parse
from edgekit.calling.tools import Calling, Dialect, Tool
from edgekit.records.documents import Json
from edgekit.scoring import bfcl
from edgekit.scoring.metric import TaskMetric, set_metric, share_metric

Wanted = Literal["one call", "several calls of one tool", "several tools", "no call"]
"""What a row expects."""


@dataclass(frozen=True)
class ShownArgument:
    """An argument as text. wrong: the other side has another value, or none."""

    name: str
    value: str
    wrong: bool


@dataclass(frozen=True)
class ShownCall:
    """A call as text. wrong: the other side has none of this name."""

    name: str
    arguments: tuple[ShownArgument, ...]
    wrong: bool


@dataclass(frozen=True)
class WrongCalls:
    """A row on which the bundle does not ask for what is expected.

    line: in the data, from 1. text: what the bundle says in words. problem: why what it says cannot be read.
    """

    line: int
    prompt: str
    expected: tuple[ShownCall, ...]
    said: tuple[ShownCall, ...]
    text: str
    problem: str | None


def call_metrics(
    calling: Calling,
    expected: Sequence[str],
    reference: Sequence[str] | None,
    bundle: Sequence[str],
    free: Sequence[str] | None = None,
) -> list[TaskMetric]:
    """Score answers, row by row those of `expected`; the first metric is the one that matters most.

    reference: None when only the bundle was asked. free: of the bundle, where its answers are held to its tools.
    """
    tools = calling.tools
    wanted = _read(expected, calling)
    voices = [None if texts is None else _read(texts, calling) for texts in (reference, bundle, free)]

    def share(
        name: str,
        right: Callable[[Answer, Answer], bool],
        *,
        of: Sequence[Wanted] = (),
        decides: bool = False,
    ) -> list[TaskMetric]:
        chosen = [n for n, row in enumerate(wanted) if not of or kind_of(row.calls) in of]
        if not chosen:
            return []
        flags = [None if v is None else [right(v[n], wanted[n]) for n in chosen] for v in voices]
        return [share_metric(name, flags[0], flags[1] or [], flags[2], decides=decides)]

    def whole(name: str, count: Callable[[Answer, Answer], tuple[int, int]]) -> list[TaskMetric]:
        rows = [
            None if v is None else np.array([count(a, w) for a, w in zip(v, wanted, strict=True)], np.float64)
            for v in voices
        ]
        assert rows[1] is not None
        if not rows[1][:, 1].any():
            return []
        return [set_metric(name, _ratio, rows[0], rows[1], rows[2], decides=False)]

    def names(answer: Answer, row: Answer) -> tuple[int, int, int]:
        said, asked = (Counter(call.name for call in some.calls) for some in (answer, row))
        return (said & asked).total(), said.total(), asked.total()

    def bfcl_same(answer: Answer, row: Answer) -> bool:
        asked = [(call.name, bfcl.accepted_by(call)) for call in row.calls]
        return answer.problem is None and bfcl.same_set(answer.calls, asked, tools)

    def called(answer: Answer) -> bool:
        return bool(answer.calls) or answer.problem is not None

    return [
        *share("exact calls", same_calls, decides=True),
        *share("exact calls, in order", lambda a, w: a.problem is None and list(a.calls) == list(w.calls)),
        *share("exact calls, BFCL", bfcl_same),
        *share("can be read", lambda a, _: a.problem is None, decides=True),
        *share("known names", lambda a, _: all(c.name in {t.name for t in tools} for c in a.calls)),
        *whole("precision of names", lambda a, w: names(a, w)[:2]),
        *whole("recall of names", lambda a, w: (names(a, w)[0], names(a, w)[2])),
        *whole("arguments", lambda a, w: _arguments(a, w, lambda one, other, _: _same(one, other))),
        *whole(
            "arguments, BFCL",
            lambda a, w: _arguments(
                a, w, lambda one, other, at: bfcl.same_value(one, [other], _type_of(tools, *at))
            ),
        ),
        *share("one call", same_calls, of=["one call"]),
        *share("several calls of one tool", same_calls, of=["several calls of one tool"]),
        *share("several tools", same_calls, of=["several tools"]),
        *share("right refusals", lambda a, _: not called(a), of=["no call"]),
        *share("false calls", lambda a, _: called(a), of=["no call"]),
    ]


def _ratio(rows: NDArray[np.float64]) -> float:
    right, of = rows.sum(axis=0)
    return float(right / of) if of else 0.0


def kind_of(calls: Sequence[Call]) -> Wanted:
    """What sort of row one is that expects these calls."""
    if len(calls) < 2:
        return "one call" if calls else "no call"
    return "several calls of one tool" if len({call.name for call in calls}) == 1 else "several tools"


def same_calls(answer: Answer, expected: Answer) -> bool:
    """Whether an answer asks for what is expected, in any order; arguments equal in type and value."""
    if answer.problem is not None or len(answer.calls) != len(expected.calls):
        return False
    left = list(answer.calls)
    for call in expected.calls:
        found = next(
            (one for one in left if one.name == call.name and _same(one.arguments, call.arguments)), None
        )
        if found is None:
            return False
        left = [one for one in left if one is not found]
    return True


def are_same(answer: str, expected: str, dialect: Dialect) -> bool:
    """`same_calls` of texts."""
    return same_calls(parse(answer, dialect), parse(expected, dialect))


def wrong_calls(line: int, prompt: str, answer: str, expected: str, dialect: Dialect) -> WrongCalls | None:
    """What is wrong with an answer, argument by argument; None when nothing is."""
    said, wanted = (parse(text, dialect) for text in (answer, expected))
    if same_calls(said, wanted):
        return None
    pairs = pairs_by_name(wanted.calls, said.calls)
    theirs = {id(call): other for call, other in pairs}
    ours = {id(other): call for call, other in pairs}
    return WrongCalls(
        line,
        prompt,
        tuple(_shown(call, theirs.get(id(call))) for call in wanted.calls),
        tuple(_shown(call, ours.get(id(call))) for call in said.calls),
        said.text,
        said.problem,
    )


def _shown(call: Call, other: Call | None) -> ShownCall:
    arguments = tuple(
        ShownArgument(
            key,
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            other is not None and (key not in other.arguments or not _same(value, other.arguments[key])),
        )
        for key, value in call.arguments.items()
    )
    return ShownCall(call.name, arguments, other is None)


def pairs_by_name(expected: Sequence[Call], said: Sequence[Call]) -> list[tuple[Call, Call]]:
    """Calls of the same name, the expected one first: those that are equal, then the others in their order."""
    left, waiting = list(said), list(expected)
    found: list[tuple[Call, Call]] = []
    for equal in (True, False):
        for call in tuple(waiting):
            other = next(
                (
                    o
                    for o in left
                    if o.name == call.name and (not equal or _same(o.arguments, call.arguments))
                ),
                None,
            )
            if other is not None:
                left = [one for one in left if one is not other]
                waiting = [one for one in waiting if one is not call]
                found.append((call, other))
    return found


def _arguments(
    answer: Answer, expected: Answer, same: Callable[[Json, Json, tuple[str, str]], bool]
) -> tuple[int, int]:
    """(arguments that are right, arguments) of the calls whose name is right; one too many counts as one."""
    right = total = 0
    for call, other in pairs_by_name(expected.calls, answer.calls):
        for key in {*call.arguments, *other.arguments}:
            total += 1
            right += (
                key in call.arguments
                and key in other.arguments
                and same(other.arguments[key], call.arguments[key], (call.name, key))
            )
    return right, total


def _type_of(tools: Sequence[Tool], name: str, parameter: str) -> str | None:
    for tool in tools:
        if tool.name == name and parameter in tool.properties:
            kind: str | None = tool.properties[parameter].get("type")
            return kind
    return None


def _same(value: Any, other: Any) -> bool:
    """Equal in type and value, inside lists and objects too: neither is 1 true, nor 2 the same as 2.0."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return value.keys() == other.keys() and all(_same(value[key], other[key]) for key in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_same, value, other))
    return type(value) is type(other) and bool(value == other)


def _read(texts: Sequence[str], calling: Calling) -> list[Answer]:
    return [parse(text, calling.dialect) for text in texts]
