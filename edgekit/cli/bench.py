"""`edgekit bench`: how fast is a bundle, here and on the device on the cable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.console import (
    DebugOption,
    JsonOption,
    QuietOption,
    output_console,
    print_json,
    progress_for,
    say,
)
from edgekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.benchmark.plan import BenchPlan
    from edgekit.benchmark.report import Bench

EXAMPLES = """Examples:

edgekit bench my-fine-tune

edgekit bench my-fine-tune --on adb --cpus big

edgekit bench my-fine-tune --prefill 32,128,512 --decode 64 --threads 1,2

edgekit bench my-fine-tune --against other-bundle --fail-if "decode < 0.95x"

edgekit bench base --adapter mine --against base --against mine-merged

edgekit bench --on adb --clean"""

WHERE = "Where, and against what"
WHAT = "What is measured"
HOW = "How it is measured"
RESULT = "The result"

BIG = "big"


def bench(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle directory, or a .litertlm file.", show_default=False)
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="host (this machine, the default); adb (the only device), adb:SERIAL or adb:all; app=FILE (a result "
            "that the sample app shared); official=FILE (this machine, by a litert_lm_main). May be repeated.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BASELINE",
            help="A result's JSON; or, measured in turns: another bundle; llama.cpp=MODEL.gguf, or "
            "llama.cpp=MODEL.gguf@INSTALLATION (an environment with llama-cpp-python, or a llama-bench). May be "
            "repeated.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help='Exit 1 when so, as "decode < 0.95x" (of the baseline) or "ttft > 500ms". May be repeated.',
            rich_help_panel=WHERE,
        ),
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="BUNDLE",
            help="An adapter bundle to measure with; several: switching to the others is timed.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Lengths of prompt and output: gallery (256/256, the default), llama (512/128), portal (1024/256).",
            rich_help_panel=WHAT,
        ),
    ] = None,
    prefill: Annotated[
        str | None, typer.Option(help="Tokens of the prompt, as 32,128,512.", rich_help_panel=WHAT)
    ] = None,
    decode: Annotated[str | None, typer.Option(help="Tokens of the output.", rich_help_panel=WHAT)] = None,
    depth: Annotated[
        str | None, typer.Option(help="Tokens in the KV cache before the prompt.", rich_help_panel=WHAT)
    ] = None,
    threads: Annotated[
        str | None, typer.Option(help="Threads of the CPU backend, as 1,2,4.", rich_help_panel=WHAT)
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="cpu (the default), gpu or npu, or several.", rich_help_panel=WHAT)
    ] = None,
    kv_length: Annotated[
        int | None, typer.Option(help="Most tokens of prompt and output together.", rich_help_panel=WHAT)
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="Question whose greedy answer is kept (default: the bundle's first example).",
            rich_help_panel=WHAT,
        ),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option("--runs", "-r", help="Measured runs of each case (default: 5).", rich_help_panel=HOW),
    ] = None,
    warmup: Annotated[
        int | None,
        typer.Option(help="Runs before these, left out of the figures (default: 1).", rich_help_panel=HOW),
    ] = None,
    cold: Annotated[
        bool,
        typer.Option(
            "--cold", help="A new process and an empty engine cache for every run.", rich_help_panel=HOW
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds that one process may take (default: 600).", rich_help_panel=HOW),
    ] = None,
    cooldown: Annotated[
        float | None,
        typer.Option(
            help="Seconds to rest before each process; on a device, the longest wait for it to cool down.",
            rich_help_panel=HOW,
        ),
    ] = None,
    cpus: Annotated[
        str | None,
        typer.Option(help="Cores to pin to, as 4-7 or 0,2; or big: the fastest.", rich_help_panel=HOW),
    ] = None,
    engine: Annotated[
        Path | None,
        typer.Option(help="On adb: directory with an own engine library.", rich_help_panel=HOW),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Directory for reports (default: the bundle's).", rich_help_panel=RESULT
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.", rich_help_panel=RESULT)
    ] = False,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean", help="Only remove what edgekit put on the device of --on adb.", rich_help_panel=WHERE
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure a bundle: latency, speed and memory, here or on a device."""
    if clean:
        _clean(on or [])
        return
    if bundle is None:
        raise typer.BadParameter("name a bundle directory or a .litertlm file")
    from edgekit.benchmark.bench import HERE
    from edgekit.benchmark.bench import bench as run
    from edgekit.benchmark.runner import RunnerOptions

    changes: dict[str, Any] = {
        "prefill": _numbers("--prefill", prefill),
        "decode": _numbers("--decode", decode),
        "depth": _numbers("--depth", depth),
        "threads": _numbers("--threads", threads),
        "backend": None if backend is None else tuple(word.strip() for word in backend.split(",")),
        "kv_length": kv_length,
        "check_prompt": prompt,
        "runs": runs,
        "warmup": warmup,
        "cold": cold or None,
        "timeout": timeout,
        "cooldown": cooldown,
        "cpus": None if cpus == BIG else _numbers("--cpus", cpus),
    }
    report = run(
        bundle,
        on=on or HERE,
        against=against or (),
        adapters=adapter or (),
        plan=_plan(preset, {name: value for name, value in changes.items() if value is not None}),
        options=RunnerOptions(engine=engine, big_cores=cpus == BIG),
        fail_if=fail_if or (),
        reports=output,
        progress=progress_for(quiet=quiet or as_json),
    )
    if as_json:
        print_json(report.to_json())
    elif markdown:
        _print_markdown(report)
    else:
        _print(report, quiet=quiet)
    report.raise_if_failed()


def _plan(preset: str | None, changes: dict[str, Any]) -> BenchPlan | None:
    """The plan that the options ask for; None when none of them asks for anything."""
    from edgekit.benchmark.bench import DEFAULT_PRESET
    from edgekit.benchmark.plan import preset_plan

    return None if preset is None and not changes else preset_plan(preset or DEFAULT_PRESET, **changes)


def _print(report: Bench, *, quiet: bool) -> None:
    from edgekit.benchmark.table import COLUMNS, COMPARISON_COLUMNS, comparison_rows, rows, switch_lines

    console = output_console()
    console.print(_table(COLUMNS, rows(report.results)))
    if report.comparisons:
        console.print()
        console.print(_table(COMPARISON_COLUMNS, comparison_rows(report.comparisons)))
    for line in switch_lines(report.results):
        say(line)
    if quiet:
        return
    for note in dict.fromkeys(
        f"{result.target}: {note}" for result in report.results for note in result.notes
    ):
        console.print(f"note: {note}")
    for path in report.files:
        console.print(f"wrote {path}", soft_wrap=True)


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table

    from edgekit.benchmark.table import TEXT_COLUMNS

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right", overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def _print_markdown(report: Bench) -> None:
    from edgekit.benchmark.table import (
        COLUMNS,
        COMPARISON_COLUMNS,
        comparison_rows,
        markdown,
        rows,
        switch_lines,
    )

    say(markdown(COLUMNS, rows(report.results)))
    if report.comparisons:
        say(f"\n{markdown(COMPARISON_COLUMNS, comparison_rows(report.comparisons))}")
    for line in switch_lines(report.results):
        say(f"\n{line}")


def _clean(on: Sequence[str]) -> None:
    """Remove what edgekit put on the devices that are meant."""
    from edgekit import figures
    from edgekit.device import Device, choose_devices, clean, find_adb, list_devices

    adb = find_adb()
    for place in on or ["adb"]:
        name, _, serial = place.partition(":")
        if name != "adb":
            raise InputError(
                "only a device is cleaned", where=f"--on {place}", remedy="name it: --on adb[:SERIAL]"
            )
        for found in choose_devices(list_devices(adb), serial or None):
            freed = clean(Device(adb, found.serial))
            output_console().print(f"{found.serial}: freed {figures.size(freed)}")


def _numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    """Read 1,2,4 or 4-7. Raises InputError, naming the option."""
    if text is None:
        return None
    numbers: list[int] = []
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(
                f"{word.strip()!r} is no number", where=option, remedy="write them as 32,128,512"
            )
        numbers += range(int(first), int(last) + 1) if dash else (int(first),)
    return tuple(numbers)
