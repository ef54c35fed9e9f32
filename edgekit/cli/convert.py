"""`edgekit convert`: a checkpoint becomes a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.conversion.convert import Conversion
    from edgekit.conversion.options import Calibrate, Trim

EXAMPLES = """Examples:

edgekit convert ./my-fine-tune

edgekit convert ./my-lora --base google/gemma-3-270m-it --recipe int4

edgekit convert google/gemma-3-270m-it --adapters 16

edgekit convert me/my-fine-tune@main --answer-schema answer.json

edgekit convert ./my-fine-tune --vocab-from train.jsonl --vocab-keep 32000"""


def convert(
    checkpoint: Annotated[
        str,
        typer.Argument(help="A checkpoint or LoRA adapter: a directory, or a Hub id (org/name[@revision])."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Bundle directory (default: named after the checkpoint)."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="How weights are quantized: a name from `edgekit recipes`, or a TOML file.")
    ] = "int8",
    kv_length: Annotated[
        int | None,
        typer.Option(
            help="The most tokens that prompt and answer may have together (default: 4096, or the model's maximum)."
        ),
    ] = None,
    form: Annotated[
        Literal["dynamic", "static"],
        typer.Option(
            help="dynamic (grows with the conversation; CPU only) or static (fixed shapes; GPU and CPU)."
        ),
    ] = "dynamic",
    kv_layout: Annotated[
        Literal["full", "window"],
        typer.Option(
            help="What sliding layers remember: full (everything) or window (the last positions only; far less "
            "memory in long conversations; LiteRT-LM 0.18 on)."
        ),
    ] = "full",
    kv_precision: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(
            help="Precision of keys and values: float16 takes half the memory and more time, int8 a quarter, and "
            "less time in long conversations."
        ),
    ] = "float32",
    adapters: Annotated[
        str | None,
        typer.Option(
            metavar="RANK[:attention]",
            help="Make a base for adapters of rank 16 or 32, each a few megabytes (see `edgekit adapter`). With "
            ":attention they leave the MLP alone, which is faster at every step.",
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base model of an adapter (default: the one the adapter names).")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the bundle and its model file (default: the checkpoint's).")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="greedy, or temperature=0.7,top_k=40,top_p=0.9 (default: greedy with an answer format, else the "
            "checkpoint's, else Gemma's)."
        ),
    ] = None,
    answer_schema: AnswerSchemaOption = None,
    answer_regex: AnswerRegexOption = None,
    tools: Annotated[
        Path | None,
        typer.Option(
            help="Functions that the model was trained to call (OpenAI's layout or Mobile Actions'); its calls are "
            "held to them."
        ),
    ] = None,
    tool_choice: Annotated[
        Literal["auto", "required", "none"],
        typer.Option(help="Whether the model may call (auto), must, or must not."),
    ] = "auto",
    file_format: Annotated[
        Literal["litertlm", "tflite"],
        typer.Option("--format", help="litertlm (a bundle for LiteRT-LM) or tflite (the bare graph)."),
    ] = "litertlm",
    vocab_from: Annotated[
        list[Path] | None,
        typer.Option(
            help="Texts of the task (JSONL, CSV, plain text): keep only the pieces they need; may be repeated."
        ),
    ] = None,
    vocab_keep: Annotated[
        int | None, typer.Option(help="How many pieces to keep with --vocab-from (default: 32000).")
    ] = None,
    vocab_lang: Annotated[
        str | None,
        typer.Option(help="Languages whose pieces to prefer among those that no text needs, as en,nb."),
    ] = None,
    vocab_field: Annotated[
        list[str] | None,
        typer.Option(help="Name a column of --vocab-from's data, as prompt=text; may be repeated."),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Round by what the weights are multiplied with, seen on a built-in text: closer to the checkpoint, "
            "and some 25 s more. Recipes of 4 bits do so by themselves.",
        ),
    ] = False,
    calibrate_on: Annotated[
        list[Path] | None,
        typer.Option(help="Calibrate on the task's train file instead (as --vocab-from); may be repeated."),
    ] = None,
    calibrate_field: Annotated[
        list[str] | None,
        typer.Option(help="Name a column of --calibrate-on's data, as prompt=text; may be repeated."),
    ] = None,
    turns: TurnsOption = None,
    example: ExampleOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is there.")] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not open the result in the engine and generate.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert a fine-tuned Gemma 3 checkpoint into a quantized bundle for LiteRT-LM."""
    from edgekit.conversion.convert import convert as run
    from edgekit.conversion.options import GraphOptions, TextOptions

    result = run(
        checkpoint,
        output,
        recipe=recipe,
        base=base,
        name=name,
        graph=GraphOptions(form, kv_layout, kv_precision, kv_length, adapters),
        text=TextOptions(sampler, answer_schema, answer_regex, example or (), tools, tool_choice, turns),
        trim=_trim(vocab_from, vocab_keep, vocab_lang, vocab_field),
        calibrate=_calibrate(calibrate_on, calibrate_field, always=calibrate),
        file_format=file_format,
        force=force,
        check=not no_check,
        progress=progress_for(quiet=quiet or as_json),
    )
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result)


def _trim(
    texts: list[Path] | None, keep: int | None, languages: str | None, fields: list[str] | None
) -> Trim | None:
    """Make one of the --vocab options; None when none was given."""
    from edgekit.conversion.options import Trim
    from edgekit.conversion.trim.choice import DEFAULT_KEEP
    from edgekit.text.data import parse_fields

    if not texts:
        for option, given in (("keep", keep is not None), ("lang", languages), ("field", fields)):
            if given:
                raise InputError(
                    "says how to trim the vocabulary, but there is no text that says what the task needs",
                    where=f"--vocab-{option}",
                    remedy="add --vocab-from with the task's training data",
                )
        return None
    return Trim(
        tuple(texts),
        DEFAULT_KEEP if keep is None else keep,
        split_languages(languages),
        parse_fields(fields or []),
    )


def _calibrate(texts: list[Path] | None, fields: list[str] | None, *, always: bool) -> Calibrate | None:
    """Make one of the --calibrate options; None when none was given."""
    from edgekit.conversion.options import Calibrate
    from edgekit.text.data import parse_fields

    if fields and not texts:
        raise InputError(
            "names a column, but there is no data",
            where="--calibrate-field",
            remedy="add --calibrate-on with the task's training data",
        )
    return Calibrate(tuple(texts or ()), parse_fields(fields or [])) if always or texts else None


def split_languages(text: str | None) -> tuple[str, ...]:
    """Read `--vocab-lang en,nb`."""
    return tuple(dict.fromkeys(part.strip().lower() for part in (text or "").split(",") if part.strip()))


def print_result(result: Conversion) -> None:
    """Say what was written, and what to type next."""
    manifest = result.manifest
    say(
        f"{result.model}  {figures.size(manifest.model.size)}  {manifest.recipe.name}, "
        f"{manifest.graph.form}, up to {manifest.kv_length:,} tokens  ({figures.duration(result.seconds)})"
    )
    if manifest.vocabulary is not None:
        say(f"vocabulary: {manifest.architecture.vocab_size:,} of {manifest.vocabulary.rows:,} pieces kept")
    if (calling := manifest.calling) is not None:
        names = ", ".join(tool.name for tool in calling.tools)
        say(f"calls {len(calling.tools)} tools ({calling.dialect}, {calling.choice}): {names}")
    if result.check is not None:
        say(f"opened by the engine; it said: {result.check.text!r}")
    use = manifest.recipe.calibration
    if use is not None:
        say(f"calibrated on {use.tokens:,} tokens of {', '.join(use.texts)}")
    for note in manifest.notes:
        say(f"note: {note}")
    _print_tried(result)


def _print_tried(result: Conversion) -> None:
    """Say what came of answers that were held against the checkpoint, and what to type next."""
    from edgekit.conversion.doubt import looks_wrong

    bundle = shlex.quote(str(result.bundle))
    for each in result.tried:
        share = figures.percent(each.agreement)
        say(f"tried {each.prompt[:60]!r}: {each.answer!r}; the checkpoint would say {share} of its tokens")
    if any(each.doubtful for each in result.tried):
        say("warning: the checkpoint would hardly say that: quantizing has changed the model too much")
        say(f"next: edgekit validate {bundle}, or convert with --recipe int8 --calibrate")
    elif any(looks_wrong(each.answer) for each in result.tried):
        say("warning: the answer looks wrong, and the checkpoint itself would say so: see to its training")
        say(f"next: edgekit validate {bundle}")
    elif result.manifest.model.file.endswith(".litertlm"):
        say(f"next: edgekit chat {bundle}")
