"""Greedy answers of both, against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.figures import number, percent, signed
from edgekit.gates import Gates
from edgekit.html import svg
from edgekit.html.page import Block, Column, Fold, Plot, Plots, Table
from edgekit.html.text import shorten
from edgekit.runtime.ask.questions import Answer, Said
from edgekit.scoring.answers import ends_in_loop, first_difference
from edgekit.stats import Interval, mean_interval, share_interval
from edgekit.text.answers import AnswerFormat, allowed
from edgekit.text.data import Row as DataRow
from edgekit.validation.context import Context
from edgekit.validation.drawing import MISSING, interval
from edgekit.validation.verdict import Check, Figure, decided_by_gates

NAME = "generation"
TITLE = "Generation"

_HISTOGRAM_BINS = 12
_ANSWERS = 200

Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Row:
    """One prompt, answered greedily by both.

    first_difference: position (from 0, in tokens of the reference's tokenizer) of the first token that
        differs; None when the answers are equal. first_difference_char: the same in characters of the texts.
    *_loops: whether the answer ends in a loop. *_stopped: whether it ended by itself.
    constrained: the bundle's answer held to the manifest's answer format; None without one.
    """

    prompt: str
    expected: str | None
    reference: str | None
    bundle: str
    first_difference: int | None
    first_difference_char: int | None
    reference_tokens: int | None
    bundle_tokens: int
    reference_loops: bool | None
    bundle_loops: bool
    reference_stopped: bool | None
    bundle_stopped: bool
    constrained: str | None = None

    @property
    def shipped(self) -> str:
        """What the app gets: the answer held to the format where there is one."""
        return self.bundle if self.constrained is None else self.constrained


@dataclass(frozen=True)
class HistogramBin:
    """Rows whose first difference is at a position from `start` to `end` (exclusive)."""

    start: int
    end: int
    count: int


@dataclass(frozen=True)
class Section:
    """Greedy answers of both, row by row.

    exact: share of rows with the same answer. divergence: of the rows that differ. length_difference: mean of
    bundle minus reference, in tokens. valid_free, valid_constrained: share of answers that the manifest's
    answer format allows, without and with constrained decoding; None without a format.
    """

    rows: tuple[Row, ...]
    max_tokens: int
    exact: Interval | None
    divergence: tuple[HistogramBin, ...]
    median_divergence: float | None
    length_difference: Interval | None
    loops_reference: Interval | None
    loops_bundle: Interval
    valid_free: Interval | None = None
    valid_constrained: Interval | None = None


def look(context: Context) -> Section:
    """Put the answers of both side by side.

    They are compared in the ids of the checkpoint's tokenizer; without one, in each runner's own ids of its answer.
    Answers are the same when their texts are, but for white space at both ends.
    """
    reference, bundle, text = context.reference.said, context.said, context.reference.text
    constrained = bundle.constrained
    encode = None if text is None else text.tokenizer.encode
    rows = tuple(
        _row(
            row,
            None if reference is None else reference.answers[index],
            bundle.answers[index],
            None if constrained is None else constrained[index],
            encode,
        )
        for index, row in enumerate(context.data.rows)
    )
    return _section(rows, reference, context.questions.max_tokens, context.format)


def judge(section: Section, gates: Gates) -> Check:
    """Hold loops, beyond the reference's, and equal answers to the gates."""
    loops = section.loops_bundle.value
    if section.loops_reference is not None:
        loops = max(0.0, loops - section.loops_reference.value)
    exact = None if section.exact is None else section.exact.value
    verdicts = (*gates.judge("max_loop", loops), *gates.judge("min_exact", exact))
    figures: dict[str, Figure] = {
        "same answer": exact,
        "ends in a loop": section.loops_bundle.value,
        "ends in a loop, reference": _value(section.loops_reference),
        "first difference, median token": section.median_divergence,
        "valid answers, free": _value(section.valid_free),
        "valid answers, constrained": _value(section.valid_constrained),
    }
    same = f"{exact:.1%} of {len(section.rows)} answers are the reference's; " if exact is not None else ""
    said = f"{same}{section.loops_bundle.value:.1%} end in a loop"
    if section.loops_reference is not None:
        said += f" ({section.loops_reference.value:.1%} of the reference's)"
    return decided_by_gates(NAME, TITLE, said, verdicts, figures)


def page(section: Section, check: Check) -> list[Block]:
    """Draw where answers begin to differ, and all of them."""
    blocks: list[Block] = []
    if any(entry.count for entry in section.divergence):
        differing = sum(entry.count for entry in section.divergence)
        median = (
            ""
            if section.median_divergence is None
            else f" Half of them by token {number(section.median_divergence)}."
        )
        blocks.append(
            Plots(
                [
                    Plot(
                        svg.histogram_chart(
                            [svg.Bin(entry.start, entry.end, entry.count) for entry in section.divergence],
                            title="Where answers begin to differ",
                            x_label="first differing token of the answer",
                            y_label="answers",
                            description=f"{differing:,} answers differ.{median}",
                            whole=True,
                        ),
                        f"{differing:,} of {len(section.rows):,} answers differ.{median} "
                        "Early differences hurt more than late ones.",
                    )
                ]
            )
        )
    columns = (Column("Figure"), Column("Reference", numeric=True), Column("Bundle", numeric=True))
    rows = [
        ("Same answer", MISSING, interval(section.exact, percent)),
        (
            "Answers that end in a loop",
            interval(section.loops_reference, percent),
            interval(section.loops_bundle, percent),
        ),
        ("Length difference, tokens", MISSING, interval(section.length_difference, signed)),
    ]
    if section.valid_free is not None:
        rows.append(("In the answer format, unconstrained", MISSING, interval(section.valid_free, percent)))
    if section.valid_constrained is not None:
        rows.append(
            ("In the answer format, constrained", MISSING, interval(section.valid_constrained, percent))
        )
    caption = f"Greedy answers of up to {section.max_tokens:,} tokens; ranges are 95% intervals"
    blocks.append(Table(caption, columns, rows))
    if section.rows:
        shown = section.rows[:_ANSWERS]
        title = (
            f"All {len(shown):,} answers"
            if len(shown) == len(section.rows)
            else f"The first {len(shown):,} answers"
        )
        blocks.append(Fold(title, [_answer_table(shown)]))
    return blocks


def _value(interval: Interval | None) -> float | None:
    return None if interval is None else interval.value


def _row(
    row: DataRow, reference: Answer | None, bundle: Answer, constrained: Answer | None, encode: Encode | None
) -> Row:
    token = char = None
    if reference is not None:
        ours, theirs = reference.text.strip(), bundle.text.strip()
        char = first_difference(ours, theirs)
        if char is not None:
            ids = (encode(ours), encode(theirs)) if encode is not None else (reference.ids, bundle.ids)
            token = first_difference(*ids)
    return Row(
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


def _section(
    rows: tuple[Row, ...], reference: Said | None, max_tokens: int, answers: AnswerFormat | None
) -> Section:
    count = len(rows)
    positions = [row.first_difference for row in rows if row.first_difference is not None]
    lengths = [row.bundle_tokens - row.reference_tokens for row in rows if row.reference_tokens is not None]
    valid = None if answers is None else allowed([row.bundle for row in rows], answers)
    held = [r.constrained for r in rows if r.constrained is not None]
    return Section(
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
        valid_constrained=share_interval(sum(allowed(held, answers)), len(held))
        if held and answers is not None
        else None,
    )


def _histogram(positions: Sequence[int]) -> tuple[HistogramBin, ...]:
    if not positions:
        return ()
    width = max(1, -(-(max(positions) + 1) // _HISTOGRAM_BINS))
    starts = range(0, max(positions) + 1, width)
    return tuple(HistogramBin(s, s + width, sum(s <= p < s + width for p in positions)) for s in starts)


def _answer_table(rows: Sequence[Row]) -> Table:
    constrained = any(row.constrained is not None for row in rows)
    columns = (
        Column("Prompt"),
        Column("Reference"),
        Column("Bundle"),
        *([Column("Bundle, constrained")] if constrained else []),
        Column("First difference at token", numeric=True),
        Column("Remarks"),
    )
    cells = [
        (
            shorten(row.prompt, 160),
            MISSING if row.reference is None else shorten(row.reference, 240),
            shorten(row.bundle, 240),
            *([MISSING if row.constrained is None else shorten(row.constrained, 240)] if constrained else []),
            MISSING if row.first_difference is None else f"{row.first_difference:,}",
            _remarks(row),
        )
        for row in rows
    ]
    return Table("Answers", columns, cells)


def _remarks(row: Row) -> str:
    remarks = []
    if row.bundle_loops:
        remarks.append("ends in a loop" + (", as the reference does" if row.reference_loops else ""))
    elif row.reference_loops:
        remarks.append("the reference ends in a loop")
    if not row.bundle_stopped:
        remarks.append(
            "cut off at the limit" + ("" if row.reference_stopped is not False else ", as the reference is")
        )
    return "; ".join(remarks)
