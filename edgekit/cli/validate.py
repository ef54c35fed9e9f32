"""`edgekit validate`: does the bundle still say what the fine-tune said?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgekit import figures
from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json, progress_for

if TYPE_CHECKING:
    from edgekit.validation.report import Parity

EXAMPLES = """Examples:

edgekit validate my-fine-tune-int8 ./my-fine-tune --data eval.jsonl

edgekit validate my-fine-tune-int4 --against my-fine-tune-int8

edgekit validate my-fine-tune-int8 ./my-fine-tune --runtime 0.11.0 --max-kl 0.05 --min-task 0.95

edgekit validate base ./my-lora --base ./base-checkpoint --adapter my-lora-adapter --data eval.jsonl

edgekit validate base ./my-lora --base ./base-checkpoint --adapter my-lora-adapter --against my-lora-int8"""

_STYLES = {"passed": "green", "failed": "bold red", "warned": "yellow", "skipped": "dim"}


def validate(
    bundle: Annotated[Path, typer.Argument(help="A bundle directory, or a .litertlm file.")],
    checkpoint: Annotated[
        str | None,
        typer.Argument(help="The checkpoint or LoRA adapter that it was made from: a directory or a Hub id."),
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(
            help="An adapter bundle to lay over a base; the checkpoint is the LoRA it was made from."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Another bundle to hold it against, instead of a checkpoint; "
            "with --adapter and a checkpoint: the adapter merged into its base, to compare both ways."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Rows: JSONL, JSON, CSV, Parquet or a `datasets` directory, as `edgekit data check` shows them "
            "(default: built in)."
        ),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Name a column of the data, as prompt=text; may be repeated.")
    ] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be used, instead of stopping.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Rows to use, the first ones; 0 for all.")] = 100,
    positions: Annotated[
        int, typer.Option(min=1, help="Tokens of answers whose logits are compared, at most.")
    ] = 2000,
    max_tokens: Annotated[int, typer.Option(min=1, help="The most tokens of an answer.")] = 128,
    base: Annotated[
        str | None, typer.Option(help="Base model of an adapter (default: the one the adapter names).")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="Try other releases of the engine as well: 0.11.0,0.14.0.")
    ] = None,
    backend: Annotated[
        Literal["cpu", "gpu"],
        typer.Option(
            help="gpu: let the bundle answer on the GPU, and hold what it makes of answers to the processor."
        ),
    ] = "cpu",
    max_kl: Annotated[float | None, typer.Option(help="Gate: mean KL divergence, in nats.")] = None,
    min_top1: Annotated[
        float | None, typer.Option(help="Gate: share of positions with the same top token.")
    ] = None,
    min_task: Annotated[float | None, typer.Option(help="Gate: the task metric of the bundle.")] = None,
    max_task_drop: Annotated[
        float | None, typer.Option(help="Gate: how far the task metric may fall below the reference's.")
    ] = None,
    max_loop: Annotated[
        float | None, typer.Option(help="Gate: share of answers that end in a loop, beyond the reference's.")
    ] = None,
    min_exact: Annotated[
        float | None, typer.Option(help="Gate: share of answers equal to the reference's.")
    ] = None,
    max_sqnr_loss: Annotated[
        float | None, typer.Option(help="Gate: decibels that a tensor may fall short of its scheme.")
    ] = None,
    max_removed_mass: Annotated[
        float | None,
        typer.Option(help="Gate: mean probability of the reference on tokens that a trimmed bundle lacks."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Thresholds: [validate] of this file (default: ./edgekit.toml).")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit XML file for CI systems.")] = None,
    no_report: Annotated[
        bool,
        typer.Option("--no-report", help="Write no reports into the bundle's, or the adapter's, directory."),
    ] = False,
    json_schema: Annotated[
        bool,
        typer.Option(
            "--json-schema",
            is_eager=True,
            callback=lambda asked: _print_schema(asked),
            help="Print the JSON Schema of validate.json and of --json, and exit.",
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Hold a bundle, or a base with an adapter, against the checkpoint it was made from; exit 1 when a check fails."""
    from edgekit.gates import Thresholds, find_config
    from edgekit.runtime.releases import parse_versions
    from edgekit.text.data import parse_fields
    from edgekit.validation.validate import validate as run

    parity = run(
        bundle,
        checkpoint,
        adapter=adapter,
        against=against,
        data=data,
        fields=parse_fields(field or []),
        skip_bad_rows=skip_bad_rows,
        limit=limit or None,
        positions=positions,
        max_tokens=max_tokens,
        base=base,
        runtimes=parse_versions(runtime or ""),
        backend=backend,
        thresholds=Thresholds(
            max_kl=max_kl,
            min_top1=min_top1,
            max_task_drop=max_task_drop,
            min_task=min_task,
            max_loop=max_loop,
            min_exact=min_exact,
            max_sqnr_loss=max_sqnr_loss,
            max_removed_mass=max_removed_mass,
        ),
        config=config or find_config(Path.cwd()),
        junit=junit,
        report=not no_report,
        progress=progress_for(quiet=quiet or as_json),
    )
    if as_json:
        print_json(parity.to_json())
    else:
        print_report(parity)
    parity.raise_if_failed()


def _print_schema(asked: bool) -> None:
    if asked:
        from edgekit.validation.report import report_schema

        print_json(report_schema())
        raise typer.Exit


def print_report(parity: Parity) -> None:
    """Print the checks as a table."""
    from rich.table import Table
    from rich.text import Text

    console = output_console()
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in parity.checks:
        status = Text(check.status, style=_STYLES[check.status])
        table.add_row(status, check.title, Text(check.summary))
    console.print(table)
    if parity.against_merged is not None:
        for text in filter(None, (parity.against_merged.summary, parity.against_merged.note)):
            console.print(f"beside the merged bundle: {text}", highlight=False, markup=False)
    for row in parity.data.skipped[:5]:
        console.print(f"left out line {row.line}: {row.reason}", highlight=False, markup=False)
    if parity.data.unread:
        names = ", ".join(parity.data.unread)
        console.print(
            f"columns that were not read: {names} (edgekit data check)", highlight=False, markup=False
        )
    used = f"{parity.data.used} of {parity.data.rows} rows of {parity.data.source}"
    console.print(
        f"{parity.headline}  ({used}, {figures.duration(parity.seconds)})", highlight=False, markup=False
    )
