"""How long steps tell of their progress, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the amount done since the last call."""


class Progress(Protocol):
    """A listener for steps; the command line draws bars, the library is silent."""

    def step(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Advance]:
        """Open a step of `total` units ("bytes", "tensors", …); None when the total is not known."""

    def note(self, text: str) -> None:
        """Tell something worth knowing that changes no result."""


class Silent:
    """Listens to nothing."""

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Do nothing with the step."""
        yield lambda amount: None

    def note(self, text: str) -> None:
        """Do nothing with it."""


SILENT = Silent()
