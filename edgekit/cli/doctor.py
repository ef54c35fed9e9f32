"""`edgekit doctor`: which backends of the engine work, here and on devices, and why not."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, print_json, progress_for, say

EXAMPLES = """Examples:

edgekit doctor

edgekit doctor --on host --on adb"""


def doctor(
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE", help="host (the default), or adb[:SERIAL]. May be repeated."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Run the demo model by each backend of the engine, and tell which work; exit 1 when none does."""
    from edgekit.doctor import examine

    found = examine(on or ["host"], progress_for(quiet=quiet or as_json))
    if as_json:
        print_json(found.to_json())
    else:
        place = None
        for backend in found.backends:
            if backend.place != place:
                place = backend.place
                release = f", litert-lm {backend.engine}" if backend.engine else ""
                say(f"{place}: {backend.machine}{release}")
            on_device = f", on {backend.device}" if backend.device else ""
            say(f"  {backend.name}  {'works' + on_device if backend.opens else f'no: {backend.reason}'}")
            if backend.remedy:
                say(f"       → {backend.remedy}")
        for problem in found.lost:
            say(problem)
    if not any(backend.opens for backend in found.backends):
        raise typer.Exit(1)
