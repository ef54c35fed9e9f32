"""The GPU backend: whether it makes of answers what the processor makes of them, with the same file.

A GPU computes in half precision, which ends at 65,504 and has three digits. A model that leaves that range answers
nonsense there, and rightly on the processor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.errors import BundleError
from edgekit.gates import Gates
from edgekit.html.page import Badge, Block, Cell, Column, Prose, Table
from edgekit.html.text import shorten, visible
from edgekit.runtime.ask.gpu import Gpu
from edgekit.runtime.ask.questions import Questions, Refusal, ask_engine, read_answers
from edgekit.text.messages import text_of
from edgekit.validation.context import Context
from edgekit.validation.drawing import counted
from edgekit.validation.verdict import Check, Skipped, Status, Unseen

NAME = "gpu"
TITLE = "On the GPU"

ROWS = 20
"""Read on both backends, at most."""

MOST_LOST = 0.05
"""Nats of likelihood per token of an answer that may be lost. The processor rounds what goes into a product to 8 bits,
the GPU does not; on real Gemma 3 270M weights that moves a token by 0.02 to 0.1 to either side."""


@dataclass(frozen=True)
class Row:
    """An answer read on both backends: the log-likelihood of its tokens, in nats. same: both also answer alike.

    gpu: None where the GPU gives no number (a NaN or an infinity, which JSON does not have).
    """

    prompt: str
    answer: str
    cpu: tuple[float, ...]
    gpu: tuple[float | None, ...]
    same: bool

    @property
    def broken(self) -> bool:
        """Whether the GPU gives no number for some token."""
        return None in self.gpu

    @property
    def total(self) -> float | None:
        """Log-likelihood of the whole answer on the GPU; None without a number for each token."""
        return None if self.broken else sum(score for score in self.gpu if score is not None)


@dataclass(frozen=True)
class Section:
    """What both backends make of the same answers. device: the GPU; None where the engine does not name it.

    lost: mean log-likelihood per token on the processor less that on the GPU, None where the GPU gives no number.
    largest: difference of a single token.
    """

    device: Gpu | None
    rows: tuple[Row, ...]
    tokens: int
    lost: float | None
    largest: float | None


def look(context: Context) -> Section | Skipped | Unseen:
    """Let both backends read the expected answers, or where none is expected, those that the processor gives."""
    if context.backend == "cpu":
        return Skipped("the processor was asked (--backend gpu)")
    prompts = context.questions.prompts[:ROWS]
    questions = Questions((), (), prompts, context.questions.max_tokens)
    model = context.bundle.path
    here = ask_engine(model, questions, name="the bundle on the processor", progress=context.progress)
    if isinstance(here, Refusal):
        return Unseen(f"the processor's backend does not open the file: {here.reason}")
    asked = [
        (prompt, row.expected or here_said.text, here_said.text == there_said.text)
        for prompt, row, here_said, there_said in zip(
            prompts, context.data.rows, here.answers, context.said.answers, strict=False
        )
    ]
    asked = [row for row in asked if row[1]]
    pairs = [(prompt, answer) for prompt, answer, _ in asked]
    if not pairs:
        return Skipped("no answer is expected, and the processor gives none")
    try:
        cpu, _ = read_answers(model, pairs, "cpu", progress=context.progress)
        gpu, device = read_answers(model, pairs, "gpu", progress=context.progress)
    except BundleError as error:
        return Unseen(error.message)
    rows = tuple(
        Row(text_of(prompt[-1]), answer, on_cpu, numbers(on_gpu), alike)
        for (prompt, answer, alike), on_cpu, on_gpu in zip(asked, cpu, gpu, strict=True)
    )
    return compare(device, rows)


def numbers(scores: tuple[float, ...]) -> tuple[float | None, ...]:
    """Replace what is no number."""
    return tuple(score if math.isfinite(score) else None for score in scores)


def compare(device: Gpu | None, rows: tuple[Row, ...]) -> Section:
    """Put the figures of all rows together."""
    cpu = np.array([score for row in rows for score in row.cpu])
    if any(row.broken for row in rows):
        return Section(device, rows, len(cpu), None, None)
    apart = cpu - np.array([score for row in rows for score in row.gpu], np.float64)
    return Section(device, rows, len(cpu), float(apart.mean()), float(np.abs(apart).max()))


def judge(section: Section, gates: Gates) -> Check:
    """Fail when the GPU gives no numbers, or finds the answers clearly less likely."""
    same = sum(row.same for row in section.rows)
    device = "the GPU" if section.device is None else section.device.name
    if section.device is not None and section.device.software:
        device += " (software)"
    said = f"{same} of {len(section.rows)} answers are the processor's"
    if section.lost is None:
        broken = sum(row.broken for row in section.rows)
        return Check(
            NAME,
            TITLE,
            "failed",
            f"{device} makes no number of {counted(broken, 'answer', 'answers')} of {len(section.rows)}: "
            "the model leaves the range of half precision",
            remedy="ship it for the processor (--form dynamic); convert older static bundles again",
        )
    assert section.largest is not None
    status: Status = "passed" if section.lost <= MOST_LOST else "failed"
    said = f"{device}: {section.lost:+.4f} nats lost per token of {section.tokens:,}; {said}"
    figures = {"nats lost per token": section.lost, "largest difference of a token": section.largest}
    remedy = (
        "ship it for the processor (--form dynamic), or use a finer recipe" if status == "failed" else None
    )
    return Check(NAME, TITLE, status, said, figures=figures, remedy=remedy)


def page(section: Section, check: Check) -> list[Block]:
    """Draw the rows, the furthest apart first."""
    note = "The same file reads the same answers on both; the log-likelihood of an answer is the sum over its tokens."
    if section.device is not None and section.device.software:
        note += f" {section.device.name} is a program on the processor: it shows that the model runs, not how fast."
    columns = (
        Column("Prompt", code=True),
        Column("Answer that was read", code=True),
        Column("Processor", numeric=True),
        Column("GPU", numeric=True),
        Column("Same answer"),
    )
    ordered = sorted(
        section.rows, key=lambda row: -abs(sum(row.cpu) - (-math.inf if row.total is None else row.total))
    )
    rows: list[tuple[Cell, ...]] = [
        (
            visible(shorten(row.prompt, 80)),
            visible(shorten(row.answer, 80)),
            f"{sum(row.cpu):.3f}",
            "no number" if row.total is None else f"{row.total:.3f}",
            Badge("passed", "yes") if row.same else Badge("warning", "no"),
        )
        for row in ordered
    ]
    return [Prose(note), Table("Answers read on both", columns, rows)]
