"""`edgekit bench`: how fast is a bundle, here and on the device on the cable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json, progress_for
from edgekit.cli.renamed import Command
from edgekit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.benchmark.outcome import BenchReport
    from edgekit.benchmark.plan import BenchPlan

EXAMPLES = """Examples:

edgekit bench my-fine-tune

edgekit bench my-fine-tune --prefill 32,128,512 --decode 64 --threads 1,2

edgekit bench my-fine-tune --compare other-bundle --fail-if "decode < 0.95x"

edgekit bench my-fine-tune --device

edgekit bench base --adapter mine --compare base --compare mine-merged"""

ANY_DEVICE = "any"


class BenchCommand(Command):
    """The command with `--device [SERIAL]`: without a serial, the option means the only device there is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare --device its value, then parse as usual."""
        bare = [
            number
            for number, word in enumerate(args)
            if word == "--device" and (number + 1 == len(args) or args[number + 1].startswith("-"))
        ]
        words = [f"--device={ANY_DEVICE}" if number in bare else word for number, word in enumerate(args)]
        return super().parse_args(ctx, words)


def bench(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle directory, or a .litertlm file.", show_default=False)
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(help="An adapter bundle to measure with; several: switching to the others is timed."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Lengths: gallery (256/256), llama (512/128) or portal (1024/256).")
    ] = "gallery",
    prefill: Annotated[str | None, typer.Option(help="Tokens of the prompt, as 32,128,512.")] = None,
    decode: Annotated[str | None, typer.Option(help="Tokens of the output.")] = None,
    depth: Annotated[str | None, typer.Option(help="Tokens in the KV cache before the prompt.")] = None,
    threads: Annotated[str | None, typer.Option(help="Threads of the CPU backend, as 1,2,4.")] = None,
    backend: Annotated[str, typer.Option(help="cpu, gpu or npu, or several.")] = "cpu",
    kv_length: Annotated[int | None, typer.Option(help="Most tokens of prompt and output together.")] = None,
    runs: Annotated[int, typer.Option("--runs", "-r", help="Measured runs of each case.")] = 5,
    warmup: Annotated[int, typer.Option(help="Runs before these, left out of the figures.")] = 1,
    cold: Annotated[
        bool, typer.Option("--cold", help="A new process and an empty engine cache for every run.")
    ] = False,
    prompt: Annotated[
        str | None,
        typer.Option(help="Question whose greedy answer is kept (default: the bundle's first example)."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that one process may take.")] = 600.0,
    cooldown: Annotated[
        float, typer.Option(help="Seconds to rest before each process; on a device, the longest wait.")
    ] = 0.0,
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            help="A result's JSON, or another bundle to measure in turns: A B A B. May be repeated."
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None, typer.Option(help='Exit 1 when so, as "decode < 0.95x" or "ttft > 500ms".')
    ] = None,
    peer: Annotated[
        str | None,
        typer.Option(help="llama.cpp=MODEL.gguf: measure it with llama-bench at the same lengths."),
    ] = None,
    runner: Annotated[
        Path | None, typer.Option(help="A litert_lm_main or litert_lm_advanced_main to measure with.")
    ] = None,
    imports: Annotated[
        list[Path] | None, typer.Option("--import", help="A result measured elsewhere, as by the sample app.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="[SERIAL]", help="Measure over adb: the only device, SERIAL, or all."),
    ] = None,
    serial: Annotated[str | None, typer.Option("--serial", "-s", help="The device, as adb's own -s.")] = None,
    engine: Annotated[
        Path | None, typer.Option(help="Directory with an engine library for the device.")
    ] = None,
    cpus: Annotated[
        str | None, typer.Option(help="Cores to pin to, as 4-7 or 0,2; or big: a device's fastest.")
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Only remove what edgekit put on the device.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory for reports (default: the bundle's).")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure a bundle: latency, speed and memory, here or on a device."""
    target = _device(device, serial)
    if clean:
        _clean(target or "")
        return
    if bundle is None:
        raise typer.BadParameter("name a bundle directory or a .litertlm file")
    from edgekit.benchmark.bench import bench as run
    from edgekit.benchmark.plan import preset_plan

    changes: dict[str, Any] = {
        "prefill": _numbers("--prefill", prefill),
        "decode": _numbers("--decode", decode),
        "depth": _numbers("--depth", depth),
        "threads": _numbers("--threads", threads),
        "cpus": None if cpus == "big" else _numbers("--cpus", cpus),
    }
    given = [f"--{name}" for name, value in changes.items() if value is not None]
    if imports and given:
        raise InputError(
            f"{given[0]} has no effect on an imported result", where="--import", remedy="leave it out"
        )
    plan: BenchPlan = preset_plan(
        preset,
        backend=tuple(word.strip() for word in backend.split(",")),
        kv_length=kv_length,
        runs=runs,
        warmup=warmup,
        cold=cold,
        check_prompt=prompt,
        timeout=timeout,
        cooldown=cooldown,
        **{name: value for name, value in changes.items() if value is not None},
    )
    report = run(
        bundle,
        adapters=adapter or (),
        plan=plan,
        compare_with=compare,
        fail_if=fail_if or (),
        peer=peer,
        runner=runner,
        imports=imports or (),
        device=target,
        engine=engine,
        big_cores=cpus == "big",
        reports=output,
        progress=progress_for(quiet=quiet or as_json),
    )
    if as_json:
        print_json(report.to_json())
    elif markdown:
        _print_markdown(report)
    else:
        _print(report, quiet=quiet)
    report.check()


def _print(report: BenchReport, *, quiet: bool) -> None:
    from edgekit.benchmark.table import COLUMNS, COMPARISON_COLUMNS, comparison_rows, rows, switch_lines

    console = output_console()
    console.print(_table(COLUMNS, rows(report.results)))
    if report.comparisons:
        console.print()
        console.print(_table(COMPARISON_COLUMNS, comparison_rows(report.comparisons)))
    for line in switch_lines(report.results):
        print(line)
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


def _print_markdown(report: BenchReport) -> None:
    from edgekit.benchmark.table import (
        COLUMNS,
        COMPARISON_COLUMNS,
        comparison_rows,
        markdown,
        rows,
        switch_lines,
    )

    print(markdown(COLUMNS, rows(report.results)))
    if report.comparisons:
        print(f"\n{markdown(COMPARISON_COLUMNS, comparison_rows(report.comparisons))}")
    for line in switch_lines(report.results):
        print(f"\n{line}")


def _device(device: str | None, serial: str | None) -> str | None:
    """The device that the options mean: None for this machine, "" for the only one there is."""
    if serial is not None and device not in (None, ANY_DEVICE, serial):
        raise InputError(
            f"--device {device} and -s {serial} name different devices", remedy="use one of them"
        )
    if serial is not None:
        return serial
    return "" if device == ANY_DEVICE else device


def _clean(serial: str) -> None:
    from edgekit import figures
    from edgekit.device import Device, choose_devices, clean, find_adb, list_devices

    adb = find_adb()
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
