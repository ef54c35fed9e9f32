"""What all commands print with: errors, progress on standard error, results on standard output."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgekit import figures
from edgekit.errors import EdgekitError
from edgekit.progress import SILENT, Advance, Progress
from edgekit.quoting import terminal

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors and results only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AnswerSchemaOption = Annotated[Path | None, typer.Option(help="A JSON schema that every answer is held to.")]
AnswerRegexOption = Annotated[
    str | None, typer.Option(help="A regular expression that every answer is held to, as (yes|no).")
]
TurnsOption = Annotated[
    Literal["one", "many"] | None,
    typer.Option(
        help="Whether the model was trained on conversations of several turns (default: one where answers have a "
        "format or are calls, else many)."
    ),
]
ExampleOption = Annotated[
    list[str] | None,
    typer.Option(help="A prompt to try, kept in the bundle: an app offers it; may be repeated."),
]

_CONTROL = re.compile(
    "[\x7f-\x9f\u202a-\u202e\ud800-\udfff]"
)  # what JSON leaves as it is, and terminals do not
_BYTES = "bytes"
_PIPE_WIDTH = 200  # columns of a table that goes into a file or a pipe


def error_console() -> Console:
    """A console on standard error; without colours when that is no terminal."""
    return _console(stderr=True, soft_wrap=True)


def output_console() -> Console:
    """A console on standard output for tables; without colours when that is no terminal.

    What it prints comes from files and users: nothing in it is markup or the name of an emoji.
    """
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return _console(width=width, markup=False, emoji=False, highlight=False)


def _console(**settings: Any) -> Console:
    """A console on which only its own styles steer the terminal, and nothing that a text holds."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Quoting(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else terminal(text), style, control)

    return Quoting(**settings)


def say(text: object = "", *, end: str = "\n", flush: bool = False) -> None:
    """Print a line on standard output; control characters in it, which a file may hold, do not steer the terminal."""
    print(terminal(str(text)), end=end, flush=flush)


def print_error(error: EdgekitError) -> None:
    """Print an error as one block: where and what, then the remedy."""
    from rich.text import Text

    block = Text("Error: ", style="bold red")
    if error.where is not None:
        block.append(f"{error.where}: ", style="bold")
    block.append(error.message, style="default")
    if error.remedy is not None:
        block.append(f"\n  → {error.remedy}", style="default")
    error_console().print(block)


def print_json(document: Any) -> None:
    """Print a machine-readable result; the only thing on standard output under --json."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only)
    print(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def progress_for(*, quiet: bool) -> Progress:
    """Bars on standard error when it is a terminal, else a line now and then; nothing when told to be quiet."""
    if quiet:
        return SILENT
    return Bars() if sys.stderr.isatty() else Lines()


class Lines:
    """Writes a line on standard error for each `every` seconds that a step lasts: where it is, and the time left."""

    def __init__(self, every: float = 20.0) -> None:
        self._every = every

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Tell of a step while it lasts; a quick one is not worth a line."""
        done, over, began = 0, threading.Event(), time.monotonic()

        def tell() -> None:
            while not over.wait(self._every):
                seconds = time.monotonic() - began
                print(f"{name}: {_how_far(done, total, unit, seconds)}", file=sys.stderr, flush=True)

        def advance(amount: int) -> None:
            nonlocal done
            done += amount

        teller = threading.Thread(target=tell, name=f"progress of {name}", daemon=True)
        teller.start()
        try:
            yield advance
        finally:
            over.set()
            teller.join()

    def note(self, text: str) -> None:
        """Write a line on standard error."""
        _note(text)


def _note(text: str) -> None:
    error_console().print(f"note: {text}", markup=False, emoji=False, highlight=False)


def _how_far(done: int, total: int | None, unit: str, seconds: float) -> str:
    """Write how far a step is: 40 of 100 answers (40%), about 30 s left."""
    so_far = f"{figures.duration(seconds)} so far"
    if not total or not done:
        return so_far
    amount = figures.size(done) if unit == _BYTES else f"{done:,} of {total:,} {unit}"
    left = figures.duration(seconds * max(0, total - done) / done)
    return f"{amount} ({100 * done // total}%), {so_far}, about {left} left"


class Bars:
    """Draws a bar per step: its name, how much is done, and the time left."""

    def note(self, text: str) -> None:
        """Write a line on standard error."""
        _note(text)

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Draw a step while it lasts; it stays on the screen with its time when done."""
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        amount = DownloadColumn() if unit == _BYTES else TextColumn("{task.fields[amount]}")
        bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=24),
            amount,
            TimeRemainingColumn() if total else TextColumn(""),
            TimeElapsedColumn(),
            console=error_console(),
        )
        with bars:
            task = bars.add_task(name, total=total, amount="")

            def advance(done: int) -> None:
                bars.advance(task, done)
                if total and unit != _BYTES:
                    bars.update(task, amount=f"{int(bars.tasks[0].completed):,}/{total:,} {unit}")

            yield advance
            bars.update(task, total=total or 1, completed=total or 1)
