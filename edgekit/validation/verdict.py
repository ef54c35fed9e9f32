"""What a check is, and what it says: passed, failed, warned, or skipped and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edgekit.gates import Gate, Gates, line

if TYPE_CHECKING:
    from edgekit.html.page import Block
    from edgekit.validation.context import Context

Status = Literal["passed", "failed", "skipped", "warned"]
Figure = int | float | str | None

NO_REFERENCE = "there is nothing to hold it against: name the checkpoint, or another bundle with --against"


@dataclass(frozen=True)
class Check:
    """One check's verdict. The details are in the report's section of the same name.

    summary: one sentence with the figures that matter, or why the check was skipped.
    figures: label → figure, in the order to show them.
    remedy: what to do; None when there is nothing to do.
    seconds: that the check took by itself, without what all checks share.
    """

    name: str
    title: str
    status: Status
    summary: str
    gates: tuple[Gate, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    remedy: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Skipped:
    """There was nothing to look at, and why."""

    reason: str


@dataclass(frozen=True)
class Unseen:
    """The bundle did not let itself be looked at, which is a failure."""

    reason: str
    remedy: str | None = None


class CheckModule(Protocol):
    """A check: a module in `edgekit.validation.checks`, or any object with these five names.

    Section: a frozen dataclass, the check's part of the report's JSON. It holds all that `judge` and `page` need, so
    that an old report with new gates gives a new verdict.
    """

    NAME: str
    """The key in the JSON."""
    TITLE: str
    """The heading on the page."""

    @property
    def Section(self) -> type[Any]:  # noqa: N802 - a class, which a module only has to read
        """What was found."""

    def look(self, context: Context, /) -> Any:
        """Ask and compute: a Section, or Skipped or Unseen."""

    def judge(self, section: Any, gates: Gates, /) -> Check:
        """Give the verdict; pure."""

    def page(self, section: Any, check: Check, /) -> list[Block]:
        """Draw the details; pure. The verdict, the figures and the gates stand above them already."""


def conclude(module: CheckModule, found: Any, gates: Gates) -> Check:
    """Give the verdict on what a check's `look` returned."""
    if isinstance(found, Skipped):
        return Check(module.NAME, module.TITLE, "skipped", found.reason)
    if isinstance(found, Unseen):
        return Check(module.NAME, module.TITLE, "failed", found.reason, remedy=found.remedy)
    return module.judge(found, gates)


def decided_by_gates(
    name: str, title: str, said: str, gates: Sequence[Gate], figures: Mapping[str, Figure]
) -> Check:
    """A check that its gates decide. figures: those that are None are left out."""
    broken = [gate for gate in gates if not gate.passed]
    shown = {label: figure for label, figure in figures.items() if figure is not None}
    if not broken:
        return Check(name, title, "passed", said, tuple(gates), shown)
    lines = "; ".join(line(gate) for gate in broken)
    return Check(name, title, "failed", f"{lines}; {said}", tuple(gates), shown, broken[0].remedy)
