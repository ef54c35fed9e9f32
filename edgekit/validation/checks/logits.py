"""The logits of both: they read the same tokens, and what they expect next is compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.container import read_container
from edgekit.bundle.stored import model_bytes
from edgekit.errors import BundleError
from edgekit.figures import duration, number, percent
from edgekit.gates import Gates
from edgekit.html import svg
from edgekit.html.page import Block, Column, Fold, Plot, Plots, Prose, Table
from edgekit.scoring.forcing import ForcedScores, ForcedText, score_texts
from edgekit.scoring.positions import LogitFigures, PositionScores, logit_figures
from edgekit.scoring.shared import RemovedMass, SharedScorer, removed_mass, shared_ids, shared_texts
from edgekit.stats import Interval, mean_interval, share_interval
from edgekit.validation.context import Context
from edgekit.validation.drawing import interval, line_of, span
from edgekit.validation.verdict import NO_REFERENCE, Check, Figure, Skipped, Unseen, decided_by_gates

NAME = "logits"
TITLE = "Logits"

_SCATTER = 1000
_MOST_BINS = 24
_SEED = 20260


@dataclass(frozen=True)
class PositionFigures:
    """Figures over the positions `start` to `end` (exclusive) of all texts; for the plot over positions."""

    start: int
    end: int
    positions: int
    kl_mean: Interval
    kl_max: float
    top1: Interval
    delta_p_rms: float


@dataclass(frozen=True)
class LogProbPair:
    """Log-probability (natural) of one token that came, in the reference and in the bundle."""

    reference: float
    bundle: float


@dataclass(frozen=True)
class Section:
    """Teacher forcing: both models read the same tokens, and their next-token distributions are compared where an
    answer's token came, since that is where the model speaks.

    method: how the bundle's logits were had: "scoring graph" or "decode signature".
    possible: tokens of all answers; `figures.positions` of them were read. unread: texts whose prompts hold tokens that
    only one of the models has.
    figures: None when each answer begins with a token that the bundle does not have.
    scatter: a sample of at most 1,000.
    seconds: of the bundle's pass alone.
    removed: of a bundle with a trimmed vocabulary, whose distributions are compared over the tokens it kept.
    """

    method: str
    texts: int
    possible: int
    unread: int
    figures: LogitFigures | None
    by_position: tuple[PositionFigures, ...]
    scatter: tuple[LogProbPair, ...]
    seconds: float
    tokens_per_second: float
    removed: RemovedMass | None = None

    @property
    def positions(self) -> int:
        """Positions that were read."""
        return 0 if self.figures is None else self.figures.positions


def look(context: Context) -> Section | Skipped | Unseen:
    """Let both read the texts, in the ids of the whole vocabulary or in those that both have."""
    if context.reference.said is None:
        return Skipped(NO_REFERENCE)
    try:
        for bundle in filter(None, (context.bundle, context.reference.bundle)):
            model_bytes(read_container(bundle.path))
    except BundleError as error:
        return Skipped(error.message)
    texts = context.reference.texts(context.bundle.kv_length)
    if not texts:
        return Skipped("there is no answer to read")
    try:
        return _read(context, texts)
    except (RuntimeError, ValueError, KeyError) as error:
        if context.bundle.manifest is None:
            return Skipped(f"its graph is not like edgekit's ({error})")
        return Unseen(f"the LiteRT interpreter does not run the model: {error}")


def _read(context: Context, texts: Sequence[ForcedText]) -> Section | Skipped:
    longest = max(len(text.tokens) for text in texts)
    bundle, reference = context.scorer(longest), context.reference.scorer(longest)
    method = "scoring graph" if bundle.by_prefill else "decode signature"
    kept = context.kept_ids
    shared = shared_ids(context.reference.kept_ids, kept)
    if shared is None:
        if kept is not None:  # both are trimmed alike: any numbering will do, the bundles have theirs
            new = {old: number for number, old in enumerate(kept)}
            texts = [replace(t, tokens=tuple(new[token] for token in t.tokens)) for t in texts]
        found = score_texts(texts, reference, bundle, context.progress)
        return _section(texts, found, method, context.reference.possible)
    known, cut = shared_texts(texts, shared)
    if not known:
        return Skipped("every prompt holds tokens that the bundle does not have")
    held, asked = SharedScorer(reference, shared.reference), SharedScorer(bundle, shared.bundle)
    found = score_texts(known, held, asked, context.progress)
    section = _section(known, found, method, context.reference.possible, len(texts) - len(known))
    trimmed = None if context.bundle.manifest is None else context.bundle.manifest.vocabulary
    return (
        section if trimmed is None else replace(section, removed=removed_mass(known, cut, held, trimmed.rows))
    )


def _section(
    texts: Sequence[ForcedText], found: ForcedScores, method: str, possible: int, unread: int = 0
) -> Section:
    scores = found.scores
    return Section(
        method=method,
        texts=len(texts),
        possible=possible,
        unread=unread,
        figures=None if scores is None else logit_figures(scores),
        by_position=() if scores is None else _by_position(scores, found.positions),
        scatter=() if scores is None else _scatter(scores),
        seconds=found.seconds,
        tokens_per_second=found.tokens / found.seconds if found.seconds else 0.0,
    )


def judge(section: Section, gates: Gates) -> Check:
    """Hold the figures to the gates."""
    judged, mass = section.figures, section.removed
    verdicts = (
        *gates.judge("max_kl", None if judged is None else judged.kl_mean.value),
        *gates.judge("min_top1", None if judged is None else judged.top1.value),
        *gates.judge("max_removed_mass", None if mass is None else mass.mean.value),
    )
    figures: dict[str, Figure] = {
        "positions": section.positions,
        "of positions": section.possible,
        "on removed tokens, mean": None if mass is None else mass.mean.value,
        "on removed tokens, 99%": None if mass is None else mass.p99.value,
    }
    said = "no position could be compared: answers begin with tokens that the bundle does not have"
    if judged is not None:
        figures |= {
            "mean KL": judged.kl_mean.value,
            "99% KL": judged.kl_p99.value,
            "largest KL": judged.kl_max,
            "same top token": judged.top1.value,
            "same top five": judged.top5.value,
            "perplexity": judged.perplexity_bundle.value,
            "perplexity, reference": judged.perplexity_reference.value,
            "RMS Δp": judged.delta_p_rms.value,
            "largest Δp": judged.delta_p_max,
        }
        said = (
            f"mean KL {judged.kl_mean.value:.2g}, same top token at {judged.top1.value:.2%} of "
            f"{of_how_many(section)}; perplexity {judged.perplexity_bundle.value:.4g} "
            f"(reference {judged.perplexity_reference.value:.4g})"
        )
    if mass is not None:
        said += (
            f"; of the reference's probability {mass.mean.value:.2g} is on removed tokens "
            f"(99th percentile {mass.p99.value:.2g})"
        )
    return decided_by_gates(NAME, TITLE, said, verdicts, figures)


def of_how_many(section: Section) -> str:
    """Say how many positions of answers were read, and of how many when that is not all: 31 of 551 positions."""
    if section.positions < section.possible:
        return f"{section.positions:,} of {section.possible:,} positions in answers"
    return f"{section.positions:,} positions in answers"


def page(section: Section, check: Check) -> list[Block]:
    """Draw the figures, over positions and token by token."""
    overview = (
        f"Both models read the same {section.texts:,} texts, and their next-token distributions are compared at "
        f"{of_how_many(section)}, as llama-perplexity --kl-divergence does. "
        f"The bundle's logits come from its {section.method}: {duration(section.seconds)}, "
        f"{number(section.tokens_per_second, 3)} tokens per second. "
        "Ranges are 95% intervals."
    )
    blocks: list[Block] = [Prose(overview)]
    if section.unread:
        blocks.append(
            Prose(f"{section.unread:,} texts have tokens in their prompts that the bundle does not have.")
        )
    if section.removed is not None:
        blocks += _removed(section.removed)
    plots = _plots(section, check)
    if plots:
        blocks.append(Plots(plots))
    if section.figures is not None:
        blocks.append(_figure_table(section.figures))
    if section.by_position:
        columns = (
            Column("Positions"),
            Column("KL, mean", numeric=True),
            Column("KL, largest", numeric=True),
            Column("Same top token", numeric=True),
            Column("RMS Δp", numeric=True),
            Column("Tokens", numeric=True),
        )
        rows = [
            (
                _range(entry),
                interval(entry.kl_mean),
                number(entry.kl_max),
                interval(entry.top1, percent),
                percent(entry.delta_p_rms),
                f"{entry.positions:,}",
            )
            for entry in section.by_position
        ]
        blocks.append(
            Fold("Figures by position", [Table("By position in the text", columns, rows, scroll=True)])
        )
    return blocks


def _removed(removed: RemovedMass) -> list[Block]:
    said = (
        f"The bundle has {removed.kept:,} of the reference's {removed.rows:,} tokens: distributions are compared over "
        "those. What the reference would give to the others is lost."
    )
    if removed.cut_texts:
        said += f" {removed.cut_texts:,} texts were read up to their first removed token only."
    figures = [
        ("Mean", interval(removed.mean, percent)),
        ("99th percentile", interval(removed.p99, percent)),
        ("Largest", percent(removed.largest)),
    ]
    caption = f"Probability of the reference on removed tokens, at {removed.positions:,} positions in answers"
    return [Prose(said), Table(caption, (Column("Figure"), Column("Probability", numeric=True)), figures)]


def _plots(section: Section, check: Check) -> list[Plot]:
    plots = []
    if section.by_position:
        x = [(entry.start + entry.end - 1) / 2 for entry in section.by_position]
        kl = [entry.kl_mean for entry in section.by_position]
        plots.append(
            Plot(
                svg.line_chart(
                    [line_of("mean KL", x, kl)],
                    title="KL divergence by position",
                    x_label="position in the text (tokens)",
                    y_label="KL(reference ‖ bundle), nats",
                    description=f"Mean KL from {span([entry.value for entry in kl])} nats.",
                    rules=_kl_rule(check, [entry.high or entry.value for entry in kl]),
                    band_name="95% interval",
                    whole_x=True,
                ),
                "Even is good. A rise along the text means that errors pile up in the KV cache; "
                "a peak at the start points at the template or the tokenizer.",
            )
        )
    if section.scatter:
        points = svg.Points(
            "tokens of answers",
            [pair.reference for pair in section.scatter],
            [pair.bundle for pair in section.scatter],
        )
        plots.append(
            Plot(
                svg.scatter_chart(
                    [points],
                    title="Log-probability of each token",
                    x_label="reference (nats)",
                    y_label="bundle (nats)",
                    description=f"{len(section.scatter):,} tokens, reference across, bundle up.",
                    diagonal="equal",
                ),
                "On the dashed line both find a token equally likely; below it, the bundle finds it less likely.",
            )
        )
    return plots


def _kl_rule(check: Check, plotted: Sequence[float]) -> list[svg.Rule]:
    """Show the gate where it does not press the curve flat."""
    highest = max((value for value in plotted if math.isfinite(value)), default=0)
    return [
        svg.Rule(gate.threshold, f"gate: {number(gate.threshold)}")
        for gate in check.gates
        if gate.name == "max_kl" and gate.threshold <= 3 * highest
    ]


def _figure_table(figures: LogitFigures) -> Table:
    values = [
        f"{figures.positions:,}",
        interval(figures.kl_mean),
        interval(figures.kl_median),
        interval(figures.kl_p99),
        number(figures.kl_max),
        interval(figures.top1, percent),
        interval(figures.top5, percent),
        interval(figures.perplexity_reference),
        interval(figures.perplexity_bundle),
        interval(figures.perplexity_ratio),
        interval(figures.delta_p_mean, percent),
        interval(figures.delta_p_rms, percent),
        percent(figures.delta_p_max),
    ]
    names = (
        "Positions",
        "KL, mean",
        "KL, median",
        "KL, 99th percentile",
        "KL, largest",
        "Same top token",
        "Same top five tokens",
        "Perplexity, reference",
        "Perplexity, bundle",
        "Perplexity, bundle ÷ reference",
        "Δp, mean",
        "Δp, RMS",
        "Δp, largest",
    )
    columns = (Column("Figure"), Column("Inside answers", numeric=True))
    rows = list(zip(names, values, strict=True))
    return Table("KL in nats; Δp: probability of the token that came, bundle minus reference", columns, rows)


def _range(entry: PositionFigures) -> str:
    """Write which positions: 3, 4 to 7."""
    return f"{entry.start:,}" if entry.end - entry.start == 1 else f"{entry.start:,} to {entry.end - 1:,}"


def _by_position(scores: PositionScores, positions: NDArray[np.int64]) -> tuple[PositionFigures, ...]:
    """Figures by position in the text, in at most 24 ranges of equal width."""
    end = int(positions.max()) + 1
    width = -(-end // _MOST_BINS)
    delta_p = np.exp(scores.bundle_logprob) - np.exp(scores.reference_logprob)
    figures = []
    for start in range(0, end, width):
        here = (positions >= start) & (positions < start + width)
        if not here.any():
            continue
        count = int(here.sum())
        figures.append(
            PositionFigures(
                start=start,
                end=start + width,
                positions=count,
                kl_mean=mean_interval(scores.kl[here]),
                kl_max=float(scores.kl[here].max()),
                top1=share_interval(int(scores.top1[here].sum()), count),
                delta_p_rms=float(np.sqrt(np.mean(delta_p[here] ** 2))),
            )
        )
    return tuple(figures)


def _scatter(scores: PositionScores) -> tuple[LogProbPair, ...]:
    count = len(scores.kl)
    chosen = np.arange(count)
    if count > _SCATTER:
        chosen = np.sort(np.random.default_rng(_SEED).choice(count, _SCATTER, replace=False))
    return tuple(
        LogProbPair(
            round(float(scores.reference_logprob[i]), 5),
            round(float(scores.bundle_logprob[i]), 5),
        )
        for i in chosen
    )
