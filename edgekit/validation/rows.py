"""Rows of the task: which broke, which were mended, where labels went, which fields are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.figures import percent
from edgekit.html.page import Block, Column, Comparison, Fold, Passage, Prose, Run, Table
from edgekit.html.page import Section as PageSection
from edgekit.html.passages import side_by_side
from edgekit.html.text import shorten
from edgekit.scoring.answers import first_difference
from edgekit.scoring.task import Confusion, FieldScore
from edgekit.validation.drawing import MISSING, counted

_SHOWN = 10
_MOST_LABELS = 20
_NAME = 64
_SHORT = 40
"""Letters of answers that stand side by side on a phone."""
_TEXT = 700


@dataclass(frozen=True)
class ChangedRow:
    """A row on which one of the two is right. mended: the bundle is. line: in the data, from 1."""

    line: int
    prompt: str
    expected: str
    reference: str
    bundle: str
    mended: bool


def page_of(changed: Sequence[ChangedRow]) -> PageSection:
    """Draw the rows that broke beside what was expected, and those that were mended."""
    broken = [row for row in changed if not row.mended]
    mended = [row for row in changed if row.mended]
    blocks: list[Block] = []
    if broken:
        caption = "Right in the reference, wrong in the bundle"
        if max(len(row.expected) for row in broken) <= _SHORT:
            blocks.append(_row_table(caption, broken[:_SHOWN]))
        else:
            blocks.append(Prose(f"{caption}."))
            blocks += [_beside(row) for row in broken[:_SHOWN]]
        if len(broken) > _SHOWN:
            rest = _row_table("The others that broke", broken[_SHOWN:])
            blocks.append(Fold(f"{len(broken) - _SHOWN} more that broke", [rest]))
    else:
        blocks.append(Prose("No row broke."))
    if mended:
        table = _row_table("Wrong in the reference, right in the bundle", mended)
        blocks.append(Fold(f"{counted(len(mended), 'row', 'rows')} mended", [table]))
    return PageSection("broken", "Rows that broke", blocks)


def _beside(row: ChangedRow) -> Comparison:
    """Draw what was expected above what the bundle said; the first letter that differs is marked."""
    expected, bundle = shorten(row.expected, _TEXT), shorten(row.bundle, _TEXT)
    start = first_difference(expected, bundle)
    _, found = side_by_side(expected, bundle, start)
    passages = [Passage("Expected, as the reference said", [Run(expected)]), found]
    return Comparison(f"Line {row.line:,}", "", shorten(row.prompt, _TEXT), passages)


def _row_table(caption: str, rows: Sequence[ChangedRow]) -> Table:
    columns = (
        Column("Line", numeric=True),
        Column("Prompt"),
        Column("Expected"),
        Column("Reference"),
        Column("Bundle"),
    )
    cells = [
        (
            f"{row.line:,}",
            shorten(row.prompt, 240),
            shorten(row.expected, 240),
            "as expected" if not row.mended else shorten(row.reference, 240),
            "as expected" if row.mended else shorten(row.bundle, 240),
        )
        for row in rows
    ]
    return Table(caption, columns, cells, scroll=True)


def label_blocks(counts: Sequence[Confusion]) -> list[Block]:
    """Where labels went; the whole matrix where it fits a page, else only what was confused."""
    labels = sorted({entry.expected for entry in counts})
    wrong = [entry for entry in counts if entry.expected != entry.answered]
    said = {(entry.expected, entry.answered): entry.bundle for entry in counts}
    blocks: list[Block] = []
    if len(labels) <= _MOST_LABELS:
        answered = [*labels, *([""] if any(not entry.answered for entry in counts) else [])]
        columns = (
            Column("Expected"),
            *(Column(shorten(name, _NAME) or "none of them", numeric=True) for name in answered),
        )
        cells = [
            (
                shorten(label, _NAME),
                *(f"{count:,}" if (count := said.get((label, name), 0)) else "" for name in answered),
            )
            for label in labels
        ]
        blocks.append(
            Table("What the bundle answered where which label was expected", columns, cells, scroll=True)
        )
    if wrong:
        columns = (
            Column("Expected"),
            Column("Answered"),
            Column("Reference, rows", numeric=True),
            Column("Bundle, rows", numeric=True),
        )
        cells = [
            (
                shorten(entry.expected, _NAME),
                shorten(entry.answered, _NAME) or "none of the labels",
                MISSING if entry.reference is None else f"{entry.reference:,}",
                f"{entry.bundle:,}",
            )
            for entry in wrong
        ]
        blocks.append(Fold("Labels that were confused", [Table("The most frequent first", columns, cells)]))
    return blocks


def field_table(fields: Sequence[FieldScore]) -> Table:
    """Draw how often each field is right."""
    columns = (
        Column("Field"),
        Column("Rows", numeric=True),
        Column("Right in the reference", numeric=True),
        Column("Right in the bundle", numeric=True),
    )
    cells = [
        (
            shorten(field.name, _NAME),
            f"{field.rows:,}",
            MISSING if field.reference is None else percent(field.reference / field.rows),
            percent(field.bundle / field.rows),
        )
        for field in fields
    ]
    return Table("Fields of the expected objects", columns, cells)
