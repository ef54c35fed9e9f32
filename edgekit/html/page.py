"""A report page: what it consists of, and how it becomes one HTML file.

A verb describes its report with the dataclasses below; the template knows how each looks. The page needs nothing but
itself: styles and plots are inside, there is no script, and its Content-Security-Policy forbids the browser to fetch or
run anything, whatever a model's output contains. Text is escaped by Jinja's autoescape, kept from reordering its
surroundings (`dir="auto"`, `<bdi>`), and rid of characters that HTML cannot hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from edgekit.html.text import printable, shorten

_LONGEST = 1200  # characters of any one text: an engine's message, or a model's answer, may go on for pages

Outcome: TypeAlias = Literal["passed", "failed", "warning", "skipped", "neutral"]


@dataclass(frozen=True)
class Verdict:
    """The first thing a reader sees. points: what lies behind it, one sentence each."""

    outcome: Outcome
    headline: str
    points: Sequence[Point] = ()


@dataclass(frozen=True)
class Point:
    """A reason for the verdict. subject: leads to the section that tells more. remedy: what usually helps."""

    outcome: Outcome
    subject: Link
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Tile:
    """A key figure. value: as written, with its unit. note: one short line below it."""

    label: str
    value: str
    note: str = ""
    outcome: Outcome = "neutral"


@dataclass(frozen=True)
class Column:
    """numeric: figures, aligned right. code: identifiers, in a fixed-width font and unbroken."""

    name: str
    numeric: bool = False
    code: bool = False


@dataclass(frozen=True)
class Badge:
    """A cell that shows an outcome, in words and colour."""

    outcome: Outcome
    text: str


@dataclass(frozen=True)
class Link:
    """A cell that leads to a section of the same page."""

    text: str
    section: str


Cell: TypeAlias = str | Badge | Link


@dataclass(frozen=True)
class Table:
    """Rows of cells below a caption; the first cell of a row is its heading.

    On a narrow page each row becomes a small block of its own, or, with scroll=True (many rows of figures to compare),
    the table stays one and scrolls in its box.
    """

    kind: ClassVar = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    scroll: bool = False


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    kind: ClassVar = "prose"
    text: str


@dataclass(frozen=True)
class Remark:
    """A paragraph that stands out: why a check failed or was skipped. remedy: what to do about it."""

    kind: ClassVar = "remark"
    outcome: Outcome
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar = "facts"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Tiles:
    """Key figures side by side."""

    kind: ClassVar = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Plot:
    """svg: from `edgekit.html.svg`, trusted as it is. caption: what it shows and how to read it."""

    svg: str
    caption: str = ""

    @property
    def markup(self) -> Markup:
        """The SVG as the template puts it in."""
        return Markup(self.svg)  # noqa: S704 - made by edgekit.html.svg, which escapes all text


@dataclass(frozen=True)
class Plots:
    """Plots side by side, below one another where the page is narrow."""

    kind: ClassVar = "plots"
    plots: Sequence[Plot]


@dataclass(frozen=True)
class Run:
    """A piece of text. mark: it is where two texts begin to differ. quiet: it is the same in both."""

    text: str
    mark: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Passage:
    """What one side said."""

    label: str
    runs: Sequence[Run]


@dataclass(frozen=True)
class Comparison:
    """Passages side by side, below a heading and what led to them. prompt: None where there is none to show."""

    kind: ClassVar = "comparison"
    title: str
    note: str
    prompt: str | None
    passages: Sequence[Passage]


@dataclass(frozen=True)
class Fold:
    """Blocks behind a line to click."""

    kind: ClassVar = "fold"
    summary: str
    blocks: Sequence[Block]


Block: TypeAlias = Table | Prose | Remark | Facts | Tiles | Plots | Comparison | Fold


@dataclass(frozen=True)
class Section:
    """ident: unique on the page, for links. badge: its outcome beside the heading."""

    ident: str
    title: str
    blocks: Sequence[Block]
    badge: Badge | None = None


@dataclass(frozen=True)
class Page:
    """kind: what the page reports, above the title. facts: what was examined, below it. footer: how it came about."""

    kind: str
    title: str
    verdict: Verdict
    sections: Sequence[Section]
    facts: Facts = Facts(())
    tiles: Sequence[Tile] = ()
    footer: str = ""


def render_page(page: Page) -> str:
    """Return the page as one HTML document. The same page gives the same bytes."""
    return _template().render(page=page)


@cache
def _template() -> Template:
    loader = PackageLoader("edgekit.html")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_fit,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, _, _ = loader.get_source(environment, "page.css")
    environment.globals["style"] = Markup(style)  # noqa: S704 - our own file
    return environment.get_template("page.html.jinja")


def _fit(value: object) -> object:
    # What macros return is finished HTML already; everything else passes here before it is escaped.
    if isinstance(value, str) and not isinstance(value, Markup):
        return shorten(printable(value), _LONGEST)
    return value
