"""Calls that are not the expected ones, beside those that are, the argument in colour."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.html.page import Block, Comparison, Fold, Passage, Prose, Run
from edgekit.html.text import sentence, shorten
from edgekit.scoring.calls import ShownCall, WrongCalls

_SHOWN = 10
_PROMPT, _VALUE = 400, 200


def blocks(wrong: Sequence[WrongCalls]) -> list[Block]:
    """Draw rows whose calls are wrong."""
    if not wrong:
        return [Prose("Every row has exactly the calls that were expected.")]
    drawn: list[Block] = [_comparison(row) for row in wrong]
    intro = "What the bundle asks for where something else was expected; what differs is marked."
    rest = [Fold(f"{len(drawn) - _SHOWN} more rows with wrong calls", drawn[_SHOWN:])]
    return [Prose(intro), *drawn[:_SHOWN], *(rest if len(drawn) > _SHOWN else [])]


def _comparison(row: WrongCalls) -> Comparison:
    note = "" if row.problem is None else f"Cannot be read: {sentence(row.problem)}"
    expected = _runs(row.expected) or [Run("no call")]
    said = _runs(row.said)
    if row.text or not said:
        said = [*said, Run(shorten(row.text, _PROMPT) or "nothing", mark=bool(row.expected) and not said)]
    passages = [Passage("Expected", expected), Passage("Bundle", said)]
    return Comparison(f"Line {row.line:,}", note, shorten(row.prompt, _PROMPT), passages)


def _runs(calls: Sequence[ShownCall]) -> list[Run]:
    runs: list[Run] = []
    for number, call in enumerate(calls):
        runs += [Run("\n")] if number else []
        runs += [Run(call.name, mark=call.wrong), Run("(", quiet=True)]
        for place, argument in enumerate(call.arguments):
            runs += [Run(", " if place else "", quiet=True), Run(f"{argument.name}: ", quiet=True)]
            runs.append(Run(shorten(argument.value, _VALUE), mark=argument.wrong))
        runs.append(Run(")", quiet=True))
    return runs
