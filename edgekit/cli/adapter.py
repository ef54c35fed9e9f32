"""`edgekit adapter`: a LoRA adapter becomes a sidecar beside a base bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import figures
from edgekit.cli.console import (
    AnswerRegexOption,
    AnswerSchemaOption,
    DebugOption,
    ExampleOption,
    JsonOption,
    QuietOption,
    TurnsOption,
    print_json,
    progress_for,
    say,
)

if TYPE_CHECKING:
    from edgekit.conversion.adapter.making import AdapterBundle

EXAMPLES = """Examples:

edgekit convert google/gemma-3-270m-it --adapters 16 -o base

edgekit adapter ./my-lora --base-bundle base --answer-schema answer.json

edgekit chat base --adapter my-lora-adapter"""


def adapter(
    source: Annotated[
        str,
        typer.Argument(
            metavar="ADAPTER",
            help="A LoRA adapter as PEFT saves it: a directory, or a Hub id (org/name[@revision]).",
        ),
    ],
    base_bundle: Annotated[
        Path,
        typer.Option(help="The bundle that it is to run on, from `edgekit convert BASE --adapters 16`."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Directory of the adapter bundle (default: NAME-adapter)."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the adapter and its file (default: the directory's).")
    ] = None,
    system_prompt: Annotated[
        str | None, typer.Option(help="A system message that every conversation begins with.")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="greedy, or temperature=0.7,top_k=40,top_p=0.9 (default: the adapter's, else the base's)."
        ),
    ] = None,
    answer_schema: AnswerSchemaOption = None,
    answer_regex: AnswerRegexOption = None,
    turns: TurnsOption = None,
    example: ExampleOption = None,
    reduce_rank: Annotated[
        bool,
        typer.Option("--reduce-rank", help="Cut a rank above the base's to it (SVD), and tell what is lost."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter bundle that is there.")] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not open base and adapter in the engine and generate.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Turn a LoRA adapter into a sidecar of a few megabytes that a base bundle applies at run time."""
    from edgekit.conversion.adapter.making import adapter as run
    from edgekit.conversion.options import TextOptions

    result = run(
        source,
        base_bundle,
        output,
        name=name,
        system_prompt=system_prompt,
        text=TextOptions(sampler, answer_schema, answer_regex, example or (), turns=turns),
        reduce_rank=reduce_rank,
        force=force,
        check=not no_check,
        progress=progress_for(quiet=quiet or as_json),
    )
    if as_json:
        print_json(result.to_json())
        return
    _print_result(result, base_bundle)


def _print_result(result: AdapterBundle, base_bundle: Path) -> None:
    manifest = result.manifest
    trained = manifest.source.rank
    padded = f"rank {trained}" if trained == manifest.rank else f"rank {trained} as {manifest.rank}"
    say(
        f"{result.sidecar}  {figures.size(manifest.sidecar.size)}  {padded} on {', '.join(manifest.targets)}, "
        f"for {manifest.base.name}  ({figures.duration(result.seconds)})"
    )
    for note in manifest.notes:
        say(f"note: {note}")
    base, directory = shlex.quote(str(base_bundle)), shlex.quote(str(result.directory))
    say(f"next: edgekit chat {base} --adapter {directory}")
