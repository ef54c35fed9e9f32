"""The seam between `bench` and what measures: a runner, and how the command line names its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from edgekit.benchmark.measure import Rival
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import BenchResult
from edgekit.bundle.subject import Subject
from edgekit.errors import EdgekitError, InputError
from edgekit.progress import Progress

PLAN: Final = "a plan (--preset, --prefill, --runs …)"

Option = Literal[
    "a plan (--preset, --prefill, --runs …)", "an adapter", "another bundle", "--cold", "--cpus", "--engine"
]
"""What not every runner can honour, as an error calls it."""

BY_PLAN: Final[frozenset[Option]] = frozenset({PLAN, "an adapter", "another bundle", "--cold", "--cpus"})
"""What edgekit's own runner can do, wherever it runs."""


@dataclass(frozen=True)
class Measured:
    """What a runner measured.

    targets: of each target, one result per subject, in their order. lost: why some targets could not be measured while
    others were. rivals: of those that took turns with the subjects.
    """

    targets: tuple[tuple[BenchResult, ...], ...]
    lost: tuple[EdgekitError, ...] = ()
    rivals: tuple[BenchResult, ...] = ()


class Runner(Protocol):
    """Measures, or has measured, on the targets that it was made for."""

    def measure(
        self, plan: BenchPlan, subjects: Sequence[Subject], rivals: Sequence[Rival], progress: Progress
    ) -> Measured:
        """Carry out a plan with each subject, in turns where there are several.

        rivals: run on this machine; a runner that measures elsewhere leaves them.
        What fails while it is measured is a failure in its result. Raises MissingToolError for what is not there to
        measure with, InputError for a subject or plan that this runner cannot do.
        """


@dataclass(frozen=True)
class RunnerOptions:
    """Options beside the plan.

    engine: a directory with an own engine library for a device. big_cores: pin to the fastest cores of each target.
    """

    engine: Path | None = None
    big_cores: bool = False


NO_OPTIONS: Final = RunnerOptions()


@dataclass(frozen=True)
class RunnerKind:
    """A kind of runner as people name it.

    value: what must follow the name, such as `=FILE`, or may, such as `[:SERIAL]`; "" for nothing.
    tells: what it is, for a list of all kinds.
    make: builds the runner, or the rival, from what stands behind the name ("" for nothing); raises InputError, naming
        the option.
    honours: what it can do; anything else that is asked for is refused.
    option: whether it is a place to measure on, or a rival to hold the bundle against.
    """

    name: str
    value: str
    tells: str
    make: Callable[[str, RunnerOptions], Runner | Rival]
    honours: frozenset[Option]
    option: Literal["--on", "--against"] = "--on"

    @property
    def form(self) -> str:
        """How it is written."""
        return self.name + self.value

    def value_in(self, text: str) -> str | None:
        """Return what stands behind the name, "" for nothing; None when a text does not mean this kind."""
        if text == self.name:
            return ""
        separator = self.value.lstrip("[")[:1]
        return (
            text.removeprefix(start)
            if separator and text.startswith(start := self.name + separator)
            else None
        )


def choose(text: str, option: str, kinds: Iterable[RunnerKind]) -> tuple[RunnerKind, str] | None:
    """Find the kind that a text means, and what stands behind its name; None when it means none."""
    for kind in kinds:
        if kind.option == option and (value := kind.value_in(text)) is not None:
            return kind, value
    return None


def refuse_what_it_ignores(kind: RunnerKind, asked: Iterable[Option]) -> None:
    """Raise InputError for the first thing asked for that a kind of runner would not honour."""
    for option in asked:
        if option not in kind.honours:
            raise InputError(
                f"{option} has no effect on {kind.form}", where=kind.option, remedy="leave one of them out"
            )
