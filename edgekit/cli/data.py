"""`edgekit data`: look at rows before they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json

EXAMPLES = """Examples:

edgekit data check eval.jsonl

edgekit data check eval.jsonl ./my-fine-tune --train train.jsonl

edgekit data check answers.csv --field prompt=question --field expected=reply"""

_WIDE = 600

data = typer.Typer(
    help="Look at rows before they are used.", epilog=EXAMPLES, no_args_is_help=True, rich_markup_mode=None
)


@data.callback()
def _group() -> None:
    """Look at rows before they are used."""


@data.command()
def check(
    file: Annotated[
        Path, typer.Argument(help="JSONL, JSON, CSV or Parquet, also .gz or .zst, or a `datasets` directory.")
    ],
    checkpoint: Annotated[
        str | None, typer.Argument(help="Show prompts through its chat template, and count tokens.")
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(help="What the model was trained on: its prompts should not be among these."),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Name a column of the data, as prompt=text; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show how a file of rows will be read: its first rows, lengths, labels, duplicates; exit 1 when some are wrong."""
    from edgekit.html.text import printable, shorten
    from edgekit.text.data import parse_fields
    from edgekit.validation.data_check import check_data, lengths

    found = check_data(file, checkpoint, train=train, fields=parse_fields(field or []))
    if as_json:
        print_json(found.to_json())
        found.raise_if_failed()
        return
    console = output_console()
    identity = found.data
    kinds = {"labels": "labels", "json": "JSON objects", "text": "free text"}
    for row in [] if quiet else found.first:
        answer = "→ no expected output" if row.expected is None else f"→ {row.expected}"
        console.print(f"line {row.line}", style="bold")
        console.print(printable(shorten(row.prompt, _WIDE)))
        console.print(printable(shorten(answer, _WIDE)))
        console.print()
    console.print(f"{identity.used:,} of {identity.rows:,} rows, from {', '.join(identity.columns)}")
    console.print(f"prompts: {lengths(found.prompts, found.unit)}")
    if found.kind is not None:
        said = lengths(found.answers, found.unit)
        console.print(f"expected: {kinds[found.kind]} in {identity.expected:,} rows; {said}")
    if found.labels:
        console.print(
            "labels: " + ", ".join(printable(f"{label.text} {label.rows:,}") for label in found.labels)
        )
    for remark in found.remarks:
        console.print(printable(remark), style="yellow")
    found.raise_if_failed()
