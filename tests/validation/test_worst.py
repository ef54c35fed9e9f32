"""The rows worth looking at."""

from __future__ import annotations

from edgekit.validation.checks.generation import Row
from edgekit.validation.worst import worst_examples


def row(expected: str, reference: str | None, bundle: str, *, loops: bool = False) -> Row:
    return Row("p", expected, reference, bundle, *(None, None), 3, 3, False, loops, True, True, None)


def test_the_worst_come_first() -> None:
    rows = [row("x", "x", "x"), row("x", "y", "z"), row("x", "x", "z"), row("x", "x", "z z", loops=True)]
    assert [example.why for example in worst_examples(rows)] == [
        "ends in a loop",
        "became wrong",
        "wrong in both",
    ]
