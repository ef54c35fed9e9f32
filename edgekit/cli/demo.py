"""`edgekit demo`: the main job on the bundled demo model, without network or weights of your own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import figures
from edgekit.cli.console import (
    DebugOption,
    JsonOption,
    QuietOption,
    output_console,
    print_json,
    progress_for,
    say,
)

if TYPE_CHECKING:
    from edgekit.demo import Demo


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Bundle directory, with --adapters the beginning of three; replaced if there.",
        ),
    ] = Path("edgekit-demo"),
    recipe: Annotated[str, typer.Option(help="A recipe from `edgekit recipes`.")] = "int8",
    adapters: Annotated[
        bool, typer.Option("--adapters", help="One base doing three jobs: it takes two adapters at run time.")
    ] = False,
    tools: Annotated[
        bool, typer.Option("--tools", help="A model that calls functions: nine things that a phone can do.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert the bundled settings navigator, load it in the engine, and let it answer."""
    from edgekit.demo import show_adapters, show_one, show_tools

    if adapters and tools:
        raise typer.BadParameter("--adapters and --tools are two demos: name one")
    show = show_tools if tools else show_adapters if adapters else show_one
    made = show(output, recipe, progress_for(quiet=quiet or as_json))
    if as_json:
        print_json(made.to_json())
    elif adapters:
        _print_adapters(made)
    else:
        _print_one(made)


def _print_one(made: Demo) -> None:
    from edgekit.cli.convert import print_result

    print_result(made.conversion)
    _print_answers(made)
    bundle = shlex.quote(str(made.conversion.bundle))
    if made.conversion.manifest.calling is not None:
        say(f"next: edgekit chat {bundle} --tools")
    say(f"next: edgekit package {bundle} --to apk")


def _print_adapters(made: Demo) -> None:
    base = made.conversion
    files = [(base.model, base.manifest.model.size, base.seconds)]
    files += [(a.sidecar, a.manifest.sidecar.size, a.seconds) for a in made.adapters]
    for path, size, seconds in files:
        say(f"{path}  {figures.size(size)}  ({figures.duration(seconds)})")
    _print_answers(made)
    words = [str(base.bundle)]
    for bundle in made.adapters:
        words += ["--adapter", str(bundle.directory)]
    say(f"next: edgekit chat {shlex.join(words)}")
    say(f"  or: edgekit package {shlex.join(words)} --to apk")


def _print_answers(made: Demo) -> None:
    """Show who answered what to what; without a column for who, where it is always the same."""
    from rich.table import Table

    from edgekit.cli.calls import written

    table = Table(box=None, pad_edge=False)
    several, calling = bool(made.adapters), made.conversion.manifest.calling
    for column in (*(("",) if several else ()), "you say", "it answers", "tokens/s"):
        table.add_column(column)
    for answer in made.answers:
        speed = f"{answer.reply.stats.decode_tokens_per_second:.0f}"
        table.add_row(
            *((answer.speaker,) if several else ()), answer.prompt, written(answer.reply.text, calling), speed
        )
    output_console().print(table)
