"""`edgekit vocab`: which part of the vocabulary a task needs, before any conversion."""

from __future__ import annotations

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
from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.conversion.trim.survey import Survey

EXAMPLES = """Examples:

edgekit vocab ./my-fine-tune --from train.jsonl --check eval.jsonl

edgekit vocab ./my-fine-tune --from train.jsonl --from notes.txt --lang en,nb --keep 12000,24000"""

_BAR = 24


def vocab(
    checkpoint: Annotated[
        str, typer.Argument(help="A checkpoint or LoRA adapter: a directory, or a Hub id.")
    ],
    texts: Annotated[
        list[Path],
        typer.Option("--from", help="Texts of the task: JSONL, CSV, plain text; may be repeated."),
    ],
    check: Annotated[
        list[Path] | None,
        typer.Option(
            help="Rows that are not in --from, by which sizes are judged (default: every tenth of its texts); "
            "may be repeated."
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Sizes to look at, as 12000,24000 (default: 8000 to 64000, with --check up to 192000)."
        ),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="Languages whose pieces to prefer among those no text needs, as en,nb.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Recipes to tell sizes for (default: int8,int4,int4-all).")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Name a column of the data, as prompt=text; may be repeated.")
    ] = None,
    answer_schema: Annotated[
        Path | None, typer.Option(help="A JSON schema whose text must survive as well.")
    ] = None,
    answer_regex: Annotated[
        str | None, typer.Option(help="A regular expression whose text must survive as well.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Base model of an adapter (default: the one the adapter names).")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", "-o", help="Write the table and plots as an HTML page.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Tell what a trimmed vocabulary would cover and weigh, at several sizes."""
    from edgekit.cli.convert import split_languages
    from edgekit.conversion.trim.survey import RECIPES, survey_vocabulary
    from edgekit.text.data import parse_fields

    result = survey_vocabulary(
        checkpoint,
        texts,
        check=check or (),
        keep=_sizes(keep),
        languages=split_languages(lang),
        recipes=RECIPES if recipe is None else [name.strip() for name in recipe.split(",")],
        answer_schema=answer_schema,
        answer_regex=answer_regex,
        base=base,
        fields=parse_fields(field or []),
        progress=progress_for(quiet=quiet or as_json),
    )
    if report is not None:
        from edgekit.conversion.trim.page import render_html
        from edgekit.files.whole import write_whole

        write_whole(report, render_html(result))
    if as_json:
        print_json(result.to_json())
        return
    print_survey(result)
    if report is not None:
        say(f"wrote {report}")


def print_survey(survey: Survey) -> None:
    """Print the sizes as a table, with a bar for the size of the first recipe."""
    from rich.table import Table

    recipes = list(survey.sizes[-1].bytes)
    say(
        f"{survey.texts:,} texts, {survey.tokens:,} tokens: {survey.met:,} of {survey.rows:,} pieces; "
        f"with all that they need, {survey.needed:,}"
    )
    table = Table(box=None, pad_edge=False)
    cut = [] if survey.held_out is None else ["cut otherwise"]
    for name in ("pieces", "coverage", "unseen texts", *cut, *recipes):
        table.add_column(name, justify="right")
    table.add_column("")
    table.add_column("")
    largest = survey.sizes[-1].bytes[recipes[0]]
    for size in survey.sizes:
        bar = "█" * max(1, round(size.bytes[recipes[0]] / largest * _BAR))
        table.add_row(
            f"{size.pieces:,}",
            share(size.coverage),
            "" if size.unseen is None else share(size.unseen),
            *([f"{size.cut.answers:,} of {size.cut.rows:,}"] if size.cut is not None else []),
            *(figures.size(size.bytes[name]) for name in recipes),
            bar,
            "whole" if size.pieces == survey.rows else "" if size.fits else "too small",
        )
    output_console().print(table)
    for line in advice(survey):
        say(line)


def advice(survey: Survey) -> list[str]:
    """Say what the table means: what is spelled otherwise, what is open, and which size to take."""
    from edgekit.conversion.trim.held import LEAST_COVERAGE

    lines = []
    if survey.held_out is not None:
        lines.append(
            f"cut otherwise: answers of {survey.held_out} in other pieces than the model was trained on"
        )
    if survey.respelled and survey.respelled_at is not None:
        words = (f"{entry.word} as {' '.join(map(_piece, entry.after))}" for entry in survey.respelled[:5])
        lines.append(f"with {survey.respelled_at:,} pieces it would spell {', '.join(words)}")
    if survey.open_words:
        words = (f"{word!r}" for word in survey.open_words[:3])
        lines.append(
            f"warning: answers repeat words of their prompts, such as {', '.join(words)}: "
            "names and places that no text holds are spelled in pieces that the model has not learned"
        )
    if survey.proposal is not None:
        languages = f" --vocab-lang {','.join(survey.languages)}" if survey.languages else ""
        lines.append(f"next: edgekit convert … --vocab-from … --vocab-keep {survey.proposal}{languages}")
        return lines
    if survey.held_out is None:
        why = "too few texts to hold some of them out"
    elif survey.open_words and not survey.checked:
        why = "the texts do not tell which other names and places users will write"
    else:
        why = f"each loses more than 1% of the answers or less than {LEAST_COVERAGE:.0%} of the pieces"
    tries = [] if survey.checked else ["--check eval.jsonl, rows that are not among the texts"]
    tries += [] if survey.languages else ["--lang en, the languages of your users"]
    remedy = f"; try {'; and '.join(tries)}" if tries else "; keep the whole vocabulary"
    lines.append(f"no size is proposed: {why}{remedy}")
    return lines


def _piece(text: str) -> str:
    """A piece for people: without the sign for a space."""
    return text.removeprefix("▁") or "▁"


def share(value: float) -> str:
    """Write a share so that only all of it is 100%."""
    return "100%" if value == 1 else f"{min(value, 0.9999):.2%}"


def _sizes(text: str | None) -> tuple[int, ...]:
    """Read `--keep 12000,24000`."""
    if text is None:
        return ()
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not word.isdecimal():
            raise InputError(f"{word!r} is no number", where="--keep", remedy="write them as 12000,24000")
    return tuple(map(int, words))
