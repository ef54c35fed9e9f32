"""The rows worth looking at, reference and bundle side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.calling.tools import Dialect
from edgekit.html.page import Block, Comparison, Fold, Passage, Prose, Run
from edgekit.html.page import Section as PageSection
from edgekit.html.passages import side_by_side
from edgekit.html.text import sentence, shorten
from edgekit.scoring.task import Kind, is_right
from edgekit.validation.checks.generation import Row

_WORST = 20
_EXAMPLES = 12
_TEXT = 700
"""Characters of a prompt or an expected output."""


@dataclass(frozen=True)
class WorstExample:
    """A row worth looking at, side by side; the worst comes first.

    why: "ends in a loop", "differs from token 3", …. positions are those of Row.
    """

    prompt: str
    expected: str | None
    reference: str | None
    bundle: str
    first_difference: int | None
    first_difference_char: int | None
    why: str


def worst_examples(
    rows: Sequence[Row], kind: Kind = "text", dialect: Dialect | None = None
) -> tuple[WorstExample, ...]:
    """Rows worth looking at: new loops first, then what became wrong, then the earliest differences. kind: of task.

    dialect: of calls.
    """
    found = []
    for row in rows:
        if row.bundle_loops and not row.reference_loops:
            rank, why = 0, "ends in a loop"
        elif _right(kind, row.reference, row.expected, dialect) and not _right(
            kind, row.bundle, row.expected, dialect
        ):
            rank, why = 1, "became wrong"
        elif row.first_difference_char is not None and not _right(kind, row.bundle, row.expected, dialect):
            rank, why = 2, f"differs from token {row.first_difference}"
        elif row.expected is not None and not _right(kind, row.bundle, row.expected, dialect):
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


def _right(kind: Kind, answer: str | None, expected: str | None, dialect: Dialect | None) -> bool:
    return answer is not None and expected is not None and is_right(kind, answer, expected, dialect)


def page_of(worst: Sequence[WorstExample]) -> PageSection:
    """Draw examples side by side."""
    shown = worst[:_EXAMPLES]
    intro = (
        "The worst come first. What both say is grey; the first token that differs is marked, to the end of its word. "
        "After it each answer goes its own way."
    )
    blocks: list[Block] = [Prose(intro)]
    comparisons = [_example(rank, example) for rank, example in enumerate(shown, 1)]
    blocks += comparisons[:4]
    if len(comparisons) > 4:
        blocks.append(Fold(f"{len(comparisons) - 4} more", comparisons[4:]))
    return PageSection("worst", "Worst examples", blocks)


def _example(rank: int, example: WorstExample) -> Comparison:
    passages = side_by_side(example.reference, example.bundle, example.first_difference_char)
    if example.expected is not None:
        passages = [Passage("Expected", [Run(shorten(example.expected, _TEXT))]), *passages]
    return Comparison(f"{rank}. {sentence(example.why)}", "", shorten(example.prompt, _TEXT), passages)
