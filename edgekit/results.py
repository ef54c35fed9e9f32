"""What the results of all verbs have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from edgekit.errors import GateError


class Result(Protocol):
    """The result of a verb: whether it is good, why not, and what was written.

    passed: whether there are no problems. problems: what is wrong, one sentence each. files: what was written, the
    main file first. to_json: everything as JSON values.
    """

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, one sentence each."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What was written, the main file first."""

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""

    def raise_if_failed(self) -> None:
        """Raise GateError, with the problems as its message, when there are any."""


def raise_if_failed(result: Result, *, where: str | Path | None = None, remedy: str | None = None) -> None:
    """Raise GateError with a result's problems as the message; return when it passed."""
    if not result.passed:
        raise GateError("; ".join(result.problems), where=where, remedy=remedy)
