"""The page of `edgekit vocab`: what each size of the vocabulary covers and weighs."""

from __future__ import annotations

from edgekit.conversion.trim.survey import Survey
from edgekit.figures import percent, size
from edgekit.html import svg
from edgekit.html.page import (
    Badge,
    Block,
    Cell,
    Column,
    Facts,
    Page,
    Plot,
    Plots,
    Prose,
    Section,
    Table,
    Tile,
    Verdict,
    render_page,
)


def render_html(survey: Survey) -> str:
    """Return the survey as one self-contained HTML page. The same survey gives the same bytes."""
    return render_page(vocabulary_page(survey))


def vocabulary_page(survey: Survey) -> Page:
    """Describe the page: what it says, not how it looks."""
    return Page(
        kind="Vocabulary",
        title=survey.checkpoint,
        verdict=_verdict(survey),
        facts=Facts(_subject(survey)),
        tiles=_tiles(survey),
        sections=[
            Section("sizes", "Sizes", [Prose(_EXPLANATION), _table(survey)]),
            *([Section("words", "Words", _words(survey))] if survey.respelled or survey.open_words else []),
            Section("plots", "Plots", [Plots([_coverage(survey), _weight(survey)])]),
        ],
    )


_EXPLANATION = (
    "Coverage is the share of the texts' tokens whose piece is kept: at 100% every text is cut as before. Unseen "
    "texts are rows that were held out of the counting; what is not covered there is spelled in smaller pieces or"
    " bytes: more tokens, and not as trained. In an answer that is mostly an error, in a prompt often not. Sizes "
    "are of weights and tokenizer."
)
_OPEN = (
    "Answers repeat words of their prompts, such as {}. Names and places that no text holds are spelled in pieces that "
    "the model has not learned."
)


def _verdict(survey: Survey) -> Verdict:
    chosen = next((entry for entry in survey.sizes[:-1] if entry.pieces == survey.proposal), None)
    needs = f"The task needs {survey.needed:,} of {survey.rows:,} pieces"
    if not any(entry.fits for entry in survey.sizes[:-1]):
        return Verdict("warning", f"{needs}: none of these sizes holds them")
    if chosen is None:
        return Verdict(
            "warning", f"{needs}, but none of these sizes can be proposed by the rows that were held out"
        )
    first = next(iter(chosen.bytes))
    saved = survey.sizes[-1].bytes[first] - chosen.bytes[first]
    return Verdict("neutral", f"{needs}; keeping {chosen.pieces:,} saves {size(saved)} at {first}")


def _words(survey: Survey) -> list[Block]:
    blocks: list[Block] = []
    if survey.open_words:
        blocks.append(Prose(_OPEN.format(", ".join(survey.open_words))))
    if survey.respelled and survey.respelled_at is not None:
        rows = [(entry.word, " ".join(entry.before), " ".join(entry.after)) for entry in survey.respelled]
        columns = (Column("Word"), Column("In the whole vocabulary"), Column("Spelled"))
        blocks.append(Table(f"Words as {survey.respelled_at:,} pieces spell them", columns, rows))
    return blocks


def _subject(survey: Survey) -> list[tuple[str, str]]:
    pairs = [("Texts", ", ".join(survey.corpora)), ("Vocabulary", f"{survey.rows:,} pieces")]
    pairs += [("Held out", survey.held_out)] if survey.held_out is not None else []
    return pairs + ([("Preferred languages", ", ".join(survey.languages))] if survey.languages else [])


def _tiles(survey: Survey) -> list[Tile]:
    return [
        Tile("Texts", f"{survey.texts:,}", f"{survey.tokens:,} tokens"),
        Tile("Different pieces", f"{survey.met:,}", "in these texts"),
        Tile(
            "Needed",
            f"{survey.needed:,}",
            "with what they are merged from",
        ),
    ]


def _table(survey: Survey) -> Table:
    recipes = list(survey.sizes[-1].bytes)
    columns = [
        Column("Pieces", numeric=True),
        Column("Coverage", numeric=True),
        Column("Unseen texts", numeric=True),
        Column("Answers cut otherwise", numeric=True),
    ]
    columns += [Column(name, numeric=True) for name in recipes]
    rows: list[tuple[Cell, ...]] = []
    for entry in survey.sizes:
        whole = entry.pieces == survey.rows
        fits = Badge("neutral", "whole") if whole else Badge("passed", "fits") if entry.fits else _TOO_SMALL
        cells = [
            f"{entry.pieces:,}",
            percent(entry.coverage),
            "—" if entry.unseen is None else percent(entry.unseen),
            "—" if entry.cut is None else f"{entry.cut.answers:,} of {entry.cut.rows:,}",
            *(size(entry.bytes[name]) for name in recipes),
        ]
        rows.append((*cells, fits))
    return Table("Vocabularies by size", [*columns, Column("The task's pieces")], rows)


_TOO_SMALL = Badge("warning", "too small")


def _coverage(survey: Survey) -> Plot:
    line = svg.Line(
        "share of the tokens",
        [point.pieces for point in survey.reach],
        [point.share * 100 for point in survey.reach],
    )
    return Plot(
        svg.line_chart(
            [line],
            title="What the most frequent pieces make up",
            x_label="pieces, the most frequent first",
            y_label="percent of all tokens",
            description="Share of the texts' tokens over the number of pieces.",
            whole_x=True,
        ),
        "Where the line turns flat, rare pieces begin: each costs a row and is seldom used.",
    )


def _weight(survey: Survey) -> Plot:
    labels = [_thousands(entry.pieces) for entry in survey.sizes]
    bars = [
        svg.Bars(name, [entry.bytes[name] / 1e6 for entry in survey.sizes]) for name in survey.sizes[-1].bytes
    ]
    return Plot(
        svg.bar_chart(
            labels,
            bars,
            title="Weights and tokenizer",
            y_label="MB",
            description="Size by vocabulary and recipe.",
        ),
        "Below each group the pieces of the vocabulary.",
    )


def _thousands(pieces: int) -> str:
    return f"{pieces // 1000}k" if pieces % 1000 == 0 else f"{pieces:,}"
