"""What an adapter changes, and whether merging it changed anything else."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.figures import number, percent
from edgekit.gates import Gates
from edgekit.html.page import Block, Column, Prose, Table
from edgekit.scoring.memory import MergeFigures
from edgekit.scoring.positions import LogitDistance
from edgekit.validation.context import Context
from edgekit.validation.verdict import NO_REFERENCE, Check, Figure, Skipped, Status

NAME = "merge"
TITLE = "Merge of the adapter"

_MERGE_KL = 1e-4
_NO_EFFECT_KL = 1e-6


@dataclass(frozen=True)
class Section(MergeFigures):
    """in_sidecar: the adapter stays in a sidecar, so that `merged` is only what merging it would change."""

    in_sidecar: bool = False


def look(context: Context) -> Section | Skipped:
    """Take what the reference found when it opened the adapter."""
    run = context.reference.run
    if run is None:
        return Skipped(NO_REFERENCE)
    if run.merge is None:
        return Skipped("the checkpoint is no adapter")
    return Section(**vars(run.merge), in_sidecar=context.adapter is not None)


def judge(section: Section, gates: Gates) -> Check:
    """Fail when merging changed the model, or when the adapter changes nothing."""
    merged, effect = section.merged.kl_mean, section.from_base.kl_mean
    figures: dict[str, Figure] = {
        "mean KL, peft to merged": merged,
        "largest logit difference": section.merged.largest_logit_difference,
        "mean KL, peft to base": effect,
        "tensors changed": section.changed_tensors,
    }
    title, remedy = TITLE, ""
    status: Status = "passed"
    said = (
        f"{section.adapter}: merged, mean KL {merged:.2g} from peft on {section.positions} positions; "
        f"{effect:.2g} from the base, {section.changed_tensors} of {section.tensors} tensors changed"
    )
    if section.in_sidecar:
        title = "Effect of the adapter"
        said = (
            f"{section.adapter}, not merged: in peft it is mean KL {effect:.2g} from its base "
            f"on {section.positions} positions"
        )
    elif not merged <= _MERGE_KL:
        status = "failed"
        remedy = "merge with peft's merge_and_unload on the base it was trained on, and convert the result"
    if status == "passed" and effect <= _NO_EFFECT_KL:
        status, remedy = "failed", "the adapter changes nothing: is it the trained one?"
    return Check(NAME, title, status, said, (), figures, remedy or None)


def page(section: Section, check: Check) -> list[Block]:
    """Draw both distances."""
    columns = (
        Column("Compared"),
        Column("KL, mean", numeric=True),
        Column("KL, largest", numeric=True),
        Column("Largest logit difference", numeric=True),
        Column("Same top token", numeric=True),
    )
    rows = [
        _row("Base + adapter, against merged", section.merged),
        _row("Fine-tune, against its base", section.from_base),
    ]
    aside = " The bundle reads the adapter from its sidecar: the first row is what merging it would change."
    explanation = (
        f"The adapter {section.adapter} changes {section.changed_tensors:,} of {section.tensors:,} tensors. The first "
        f"row should be rounding and nothing else; the second says how far the fine-tune is from its base. "
        f"{section.positions:,} positions; KL in nats.{aside if section.in_sidecar else ''}"
    )
    return [Prose(explanation), Table("Distances between logits", columns, rows)]


def _row(name: str, distance: LogitDistance) -> tuple[str, ...]:
    return (
        name,
        number(distance.kl_mean),
        number(distance.kl_max),
        number(distance.largest_logit_difference),
        percent(distance.top1),
    )
