"""Thresholds: where they come from, and why they are what they are.

A gate's threshold is, in this order: the option on the command line, `[validate]` in edgekit.toml, `[gates]` of the
recipe, which the bundle's manifest carries. docs/benchmarks.md has measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from edgekit.errors import InputError
from edgekit.records.codec import decode_toml
from edgekit.records.documents import read_toml_table

CONFIG_NAME = "edgekit.toml"


@dataclass(frozen=True)
class Thresholds:
    """What the user asked for; None leaves the default, which for min_exact and min_task is no gate at all.

    max_kl: mean KL in nats. min_top1: share of positions with the same most probable token. max_task_drop: how
    far each metric of the task may fall below the reference's; further, and it fails where the rows are enough to tell.
    min_task: the bundle's own metric. max_loop: share of answers that end in a loop, beyond the reference's.
    min_exact: share of answers equal to the reference's. max_sqnr_loss: decibels that a tensor may fall short
    of what its scheme gives. max_removed_mass: mean probability that the reference gives to tokens which a
    trimmed vocabulary does not have.
    """

    max_kl: float | None = None
    min_top1: float | None = None
    max_task_drop: float | None = None
    min_task: float | None = None
    max_loop: float | None = None
    min_exact: float | None = None
    max_sqnr_loss: float | None = None
    max_removed_mass: float | None = None

    def over(self, others: Thresholds) -> Thresholds:
        """Return these, and the others' where these say nothing."""
        return Thresholds(
            **{
                f.name: getattr(self, f.name)
                if getattr(self, f.name) is not None
                else getattr(others, f.name)
                for f in fields(self)
            }
        )


COARSE = Thresholds(
    max_kl=0.50, min_top1=0.85, max_task_drop=0.05, max_loop=0.02, max_sqnr_loss=1.0, max_removed_mass=0.01
)
"""What a recipe is held to where its own `[gates]` say nothing: as fits one scale per row of 4 bits, the coarsest that
is worth trying."""

EXPLAINING = ("max_kl", "min_top1", "max_removed_mass")
"""Gates on how far the bundle's distributions are from the reference's: where rows say what is right, those decide."""

PRECISION = ("max_kl", "min_top1", "max_task_drop")
"""Gates that a finer recipe helps with."""

LABELS: Mapping[str, tuple[str, Literal["max", "min"], str]] = {
    "max_kl": ("mean KL", "max", "use a finer recipe (int8, or int4 with smaller blocks)"),
    "min_top1": ("same top token", "min", "use a finer recipe (int8, or int4 with smaller blocks)"),
    "max_task_drop": ("drop of the task metric", "max", "use a finer recipe"),
    "min_task": (
        "task metric",
        "min",
        "look at the worst examples: is it the model, the data or the bundle?",
    ),
    "max_loop": (
        "answers that end in a loop, beyond the reference's",
        "max",
        "int4 in blocks or int8; an answer schema; a repetition penalty in the app",
    ),
    "min_exact": ("answers equal to the reference's", "min", "use a finer recipe"),
    "max_removed_mass": (
        "mean probability on removed tokens",
        "max",
        "give more of the task's texts to --vocab-from, or keep more pieces with --vocab-keep",
    ),
    "max_sqnr_loss": (
        "SQNR lost against the scheme, dB",
        "max",
        "the tensor is not the checkpoint's: convert this checkpoint again",
    ),
}


@dataclass(frozen=True)
class Gates:
    """The thresholds in force."""

    asked: Thresholds
    defaults: Thresholds

    def threshold(self, name: str) -> float | None:
        """Return the threshold in force; None for no gate."""
        own: float | None = getattr(self.asked, name)
        default: float | None = getattr(self.defaults, name)
        return default if own is None else own

    def decided_by_task(self) -> Gates:
        """Leave out the recipe's thresholds of what only explains, where a task says what is right."""
        return replace(self, defaults=replace(self.defaults, **dict.fromkeys(EXPLAINING)))

    def judge(self, name: str, value: float | None) -> tuple[Gate, ...]:
        """Hold a figure to a gate; none when there is no threshold or no figure."""
        own, threshold = getattr(self.asked, name), self.threshold(name)
        if threshold is None or value is None:
            return ()
        label, direction, remedy = LABELS[name]
        # Not "value > threshold": a figure that is not a number must fail.
        passed = value <= threshold if direction == "max" else value >= threshold
        return (Gate(name, label, direction, threshold, value, passed, own is None, remedy),)


def gates_for(recipe: Thresholds | None, options: Thresholds, config: Path | None) -> Gates:
    """Collect the thresholds for a bundle. recipe: its recipe's own; None for a file that edgekit did not make."""
    configured = Thresholds() if config is None else read_thresholds(config)
    return Gates(options.over(configured), recipe or COARSE)


def find_config(directory: Path) -> Path | None:
    """Return the edgekit.toml of a directory, if there is one."""
    path = directory / CONFIG_NAME
    return path if path.is_file() else None


def read_thresholds(path: Path) -> Thresholds:
    """Read `[validate]` of an edgekit.toml.

    Raises InputError, naming the key, for what is no threshold.
    """
    table = read_toml_table(path).get("validate", {})
    if not isinstance(table, dict):
        raise InputError('"validate" is not a table', where=path)
    return decode_toml(
        Thresholds,
        {key.replace("-", "_"): value for key, value in table.items()},
        where=f"{path}: [validate]",
    )


def line(gate: Gate) -> str:
    """Say how a figure stands to its gate."""
    if gate.name == "max_task_drop":
        return f"{gate.label} is {gate.value * 100:.1f} points, allowed are {gate.threshold * 100:.1f}"
    sign = "at most" if gate.direction == "max" else "at least"
    return f"{gate.label} is {gate.value:.4g}, allowed is {sign} {gate.threshold:.4g}"


@dataclass(frozen=True)
class Gate:
    """A threshold and how the figure stood to it.

    name: as in edgekit.toml, such as "max_kl". direction: "max" when the figure must not be larger, "min"
    when not smaller. default: whether the threshold is the recipe's default and not the user's.
    remedy: what usually helps when it fails.
    """

    name: str
    label: str
    direction: Literal["max", "min"]
    threshold: float
    value: float
    passed: bool
    default: bool
    remedy: str
