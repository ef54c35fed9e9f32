"""Small plots as inline SVG: lines with a band, grouped bars, scatter plots, histograms.

Why our own and no plotting library: a report must follow the reader's light or dark colour scheme, stay legible at the
width of a phone, and come out the same, byte for byte, from the same figures; and installing edgekit must stay light.
matplotlib would add 100 MB with its dependencies, and bakes colours and sizes into its SVG; pygal
fetches a script from the network unless told otherwise and draws no bands; Plotly and Vega put megabytes of JavaScript
into each page. Four kinds of plot need little more than the choice of round tick marks.

Every function is pure, takes numbers and returns one `<svg>` element. Colours come from the page
(`templates/page.css`): the n-th series has class `s<n>`, and text, grid and axes have classes too. Values that are not
finite are left out, and a line has a gap there. Text is escaped here. Sizes are in SVG units; a page scales a plot to
the width it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import escape

from edgekit.figures import MINUS
from edgekit.html.text import printable

Number = int | float

WIDTH = 440
HEIGHT = 280
_CHARACTER = 6.6  # average width of a character at 12 units: text cannot be measured without a font
_LINE = 17
SERIES = 8  # as many colours and marks as there are
_TICKS = 5
# Marks differ in shape, not in colour alone; paths around (0, 0).
_MARKS = (
    "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",
    "M-2.9-2.9h5.8v5.8h-5.8z",
    "M0-3.8L3.7 2.8h-7.4z",
    "M0-4.2L4.2 0 0 4.2-4.2 0z",
    "M0 3.8L3.7-2.8h-7.4z",
    "M-1.3-3.7h2.6v2.4h2.4v2.6h-2.4v2.4h-2.6v-2.4h-2.4v-2.6h2.4z",
    "M-3.8-1.7h7.6v3.4h-7.6z",
    "M-1.7-3.8h3.4v7.6h-3.4z",
)


@dataclass(frozen=True)
class Line:
    """A line: y over x, both of the same length, ascending x. low, high: a band around it, such as an interval."""

    name: str
    x: Sequence[Number]
    y: Sequence[Number]
    low: Sequence[Number] | None = None
    high: Sequence[Number] | None = None


@dataclass(frozen=True)
class Bars:
    """One bar for each label of the plot. low, high: an interval around each, drawn as a whisker."""

    name: str
    values: Sequence[Number]
    low: Sequence[Number] | None = None
    high: Sequence[Number] | None = None


@dataclass(frozen=True)
class Points:
    """A cloud of points; x and y of the same length."""

    name: str
    x: Sequence[Number]
    y: Sequence[Number]


@dataclass(frozen=True)
class Bin:
    """How many values are at least `start` and below `end`."""

    start: Number
    end: Number
    count: int


@dataclass(frozen=True)
class Rule:
    """A horizontal line across the plot, such as a threshold."""

    y: Number
    name: str


@dataclass(frozen=True)
class _Scale:
    """Maps values from `first`..`last` to positions from `start`..`end`."""

    first: float
    last: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: Number) -> float:
        first, last, at = (
            (math.log10(self.first), math.log10(self.last), math.log10(value))
            if self.log
            else (self.first, self.last, value)
        )
        return self.start + (at - first) / (last - first) * (self.end - self.start)


def nice_ticks(low: Number, high: Number, count: int = _TICKS, *, whole: bool = False) -> list[float]:
    """Return about `count` round numbers (steps of 1, 2 or 5 times a power of ten) that enclose low..high.

    whole: only whole numbers. Equal ends are spread apart. Raises ValueError for ends that are not finite.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"no ticks between {low} and {high}")
    if low > high:
        low, high = high, low
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        spread = abs(low) / 2 or 1
        low, high = low - (0 if low == 0 else spread), high + spread
    power = 10.0 ** math.floor(math.log10((high - low) / max(count, 1)))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    step = min(steps, key=lambda step: abs(math.ceil(high / step) - math.floor(low / step) - count))
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    # Rounding hides what binary fractions add: 3 * 0.1 is not 0.3.
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def log_ticks(low: Number, high: Number) -> list[float]:
    """Return powers of ten that enclose low..high, both above zero, thinned to at most eight."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    last = max(last, first + 1)
    step = math.ceil((last - first) / 7)
    return [float(f"1e{k}") for k in range(first, last + step, step)]


def format_tick(value: Number) -> str:
    """Write a number as on an axis: 0.05, 2,500, 1e-6; a real minus sign."""
    if value == 0:
        return "0"
    size = abs(value)
    if 1e-3 <= size < 1e6:
        text = f"{value:,.6g}" if size < 1000 else f"{value:,.0f}"
    else:
        digits, _, power = f"{value:.3g}".partition("e")
        text = f"{digits}e{int(power)}" if power else digits
    return text.replace("-", MINUS, 1) if value < 0 else text


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    description: str = "",
    rules: Sequence[Rule] = (),
    marks: bool = False,
    from_zero: bool = True,
    log_y: bool = False,
    whole_x: bool = False,
    band_name: str = "",
) -> str:
    """Draw lines with their bands.

    description: what the plot shows, for readers who cannot see it. rules: thresholds. marks: a mark at each value.
    from_zero: the vertical axis begins at 0. log_y: it is logarithmic instead, and values up to 0 are left out.
    whole_x: only whole numbers below the horizontal axis. band_name: what the band is, for the legend.
    """
    lines = [_finite_line(line, positive=log_y) for line in lines]
    ys = [v for s in lines for v in (*s.y, *(s.low or ()), *(s.high or ())) if math.isfinite(v)]
    xs = [v for s in lines for v in s.x]
    if not ys:
        return _empty(title, description)
    ys += [rule.y for rule in rules if math.isfinite(rule.y) and (rule.y > 0 or not log_y)]
    y_ticks = (
        log_ticks(min(ys), max(ys)) if log_y else nice_ticks(min([*ys, 0] if from_zero else ys), max(ys))
    )
    legend = [(n, s.name, "mark" if marks else "line") for n, s in enumerate(lines)] if len(lines) > 1 else []
    if band_name and any(s.low for s in lines):
        legend += [(0, lines[0].name, "line")] if not legend else []
        legend.append((0, band_name, "band"))
    frame = _Frame.around(
        title, description, x_label, y_label, legend, nice_ticks(min(xs), max(xs), whole=whole_x), y_ticks, log_y=log_y,
        x_range=(min(xs), max(xs)),
    )  # fmt: skip
    body = [_band(frame, n, s) for n, s in enumerate(lines) if s.low and s.high]
    for n, s in enumerate(lines):
        body.append(f'<path class="line {_series(n)}" d="{_path(frame, s.x, s.y)}"/>')
        if marks or sum(map(math.isfinite, s.y)) == 1:
            body += [_mark(frame.x(x), frame.y(y), n, f"{s.name}: {format_tick(x)}, {_figure(y)}")
                     for x, y in zip(s.x, s.y, strict=True) if math.isfinite(y)]  # fmt: skip
    return frame.draw([*body, *_rules(frame, rules)])


def bar_chart(
    labels: Sequence[str],
    bars: Sequence[Bars],
    *,
    title: str,
    y_label: str,
    x_label: str = "",
    description: str = "",
    rules: Sequence[Rule] = (),
) -> str:
    """Draw bars, grouped when there are several series: one group for each label.

    The vertical axis always holds 0. See `line_chart` for the rest.
    """
    values = [v for s in bars for v in (*s.values, *(s.low or ()), *(s.high or ())) if math.isfinite(v)]
    if not values or not labels:
        return _empty(title, description)
    values += [0, *(rule.y for rule in rules if math.isfinite(rule.y))]
    legend = [(n, s.name, "box") for n, s in enumerate(bars)] if len(bars) > 1 else []
    frame = _Frame.around(
        title,
        description,
        x_label,
        y_label,
        legend,
        [],
        nice_ticks(min(values), max(values)),
        x_range=(0, len(labels)),
    )
    group = frame.x(1) - frame.x(0)
    width = min(group * 0.8 / len(bars), 48)
    body = []
    for n, s in enumerate(bars):
        for k, value in enumerate(s.values):
            if not math.isfinite(value):
                continue
            left = frame.x(k + 0.5) + (n - len(bars) / 2) * width
            top, bottom = sorted((frame.y(value), frame.y(0)))
            name = f"{labels[k]}, {s.name}" if s.name else labels[k]
            body.append(
                f'<rect class="bar {_series(n)}" x="{left:.1f}" y="{top:.1f}" width="{max(width - 1, 1):.1f}" '
                f'height="{max(bottom - top, 0.5):.1f}"><title>{_text(name)}: {_figure(value)}</title></rect>'
            )
            if s.low and s.high and math.isfinite(s.low[k]) and math.isfinite(s.high[k]):
                middle = left + (width - 1) / 2
                body.append(
                    f'<path class="whisker" d="M{middle:.1f} {frame.y(s.low[k]):.1f}V{frame.y(s.high[k]):.1f}"/>'
                )
    return frame.draw([*body, *_rules(frame, rules), *_group_labels(frame, labels, group)])


def scatter_chart(
    points: Sequence[Points],
    *,
    title: str,
    x_label: str,
    y_label: str,
    description: str = "",
    diagonal: str = "",
) -> str:
    """Draw clouds of points. diagonal: the name of the line y = x; both axes then have one range."""
    kept = [
        [(x, y) for x, y in zip(s.x, s.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
        for s in points
    ]
    xs, ys = [x for cloud in kept for x, _ in cloud], [y for cloud in kept for _, y in cloud]
    if not xs:
        return _empty(title, description)
    if diagonal:
        xs = ys = [*xs, *ys]
    x_ticks, y_ticks = nice_ticks(min(xs), max(xs)), nice_ticks(min(ys), max(ys))
    legend = [(n, s.name, "dot") for n, s in enumerate(points)] if len(points) > 1 else []
    frame = _Frame.around(
        title,
        description,
        x_label,
        y_label,
        legend,
        x_ticks,
        y_ticks,
        x_range=(x_ticks[0], x_ticks[-1]),
        height=340,
    )
    body = []
    if diagonal:
        start, end = x_ticks[0], x_ticks[-1]
        name = start + (end - start) * 0.12  # near the lower end: the likely tokens crowd the upper one
        body.append(
            f'<text class="guide-name" x="{frame.x(name) - 6:.1f}" y="{frame.y(name) - 6:.1f}" text-anchor="middle">'
            f"{_text(diagonal)}</text>"
            f'<path class="guide" d="{_path(frame, (start, end), (start, end))}"/>'
        )
    for n, cloud in enumerate(kept):
        # One path of dots without length, each place once: thousands of points stay small.
        dots = dict.fromkeys(f"M{frame.x(x):.1f} {frame.y(y):.1f}h0" for x, y in cloud)
        body.append(f'<path class="dots {_series(n)}" d="{"".join(dots)}"/>')
    return frame.draw(body)


def histogram_chart(
    bins: Sequence[Bin], *, title: str, x_label: str, y_label: str, description: str = "", whole: bool = False
) -> str:
    """Draw how often values fall into ranges, each as wide as the next, whatever it spans.

    bins: ascending; what lies between two of them counts as empty. whole: the values are whole numbers, so that a
    range from 3 to 4 (exclusive) is called 3.
    """
    filled = _without_gaps(bins)
    if not sum(entry.count for entry in filled):
        return _empty(title, description)
    y_ticks = nice_ticks(0, max(entry.count for entry in filled), whole=True)
    frame = _Frame.around(title, description, x_label, y_label, [], [], y_ticks, x_range=(0, len(filled)))
    body = []
    for k, entry in enumerate(filled):
        if entry.count:
            height = max(frame.y(0) - frame.y(entry.count), 0.5)
            body.append(
                f'<rect class="bar {_series(0)}" x="{frame.x(k) + 0.5:.1f}" y="{frame.y(entry.count):.1f}" '
                f'width="{max(frame.x(1) - frame.x(0) - 1, 1):.1f}" height="{height:.1f}">'
                f"<title>{_span(entry, whole)}: {entry.count}</title></rect>"
            )
    single = whole and all(entry.end - entry.start == 1 for entry in filled)
    edges = [entry.start for entry in filled] + ([] if single else [filled[-1].end])
    longest = max(len(format_tick(edge)) for edge in edges)
    every = math.ceil((longest + 2) * _CHARACTER / (frame.x(1) - frame.x(0)))
    for k in range(0, len(edges), every):
        x = frame.x(
            k + 0.5 if single else k
        )  # below the bar when it stands for one number, at its edge otherwise
        body.append(_x_tick(x, frame.y.start, format_tick(edges[k])))
    return frame.draw(body)


def count_in_bins(values: Iterable[Number], count: int = 20, *, whole: bool = False) -> list[Bin]:
    """Count values in about `count` ranges with round edges. whole: the values are whole numbers."""
    kept = [value for value in values if math.isfinite(value)]
    if not kept:
        return []
    edges = nice_ticks(min(kept), max(kept) + 1 if whole else max(kept), count, whole=whole)
    step = edges[1] - edges[0]
    counts = [0] * (len(edges) - 1)
    for value in kept:
        # The last edge belongs to the last range.
        counts[min(max(int((value - edges[0]) / step + 1e-9), 0), len(counts) - 1)] += 1
    return [Bin(left, right, n) for left, right, n in zip(edges, edges[1:], counts, strict=False)]


def _without_gaps(bins: Sequence[Bin]) -> list[Bin]:
    filled: list[Bin] = []
    for entry in bins:
        if filled and entry.start > filled[-1].end:
            filled.append(Bin(filled[-1].end, entry.start, 0))
        filled.append(entry)
    return filled


def _span(entry: Bin, whole: bool) -> str:
    first, last = format_tick(entry.start), format_tick(entry.end - 1 if whole else entry.end)
    return first if first == last else f"{first} to {last}"


def _x_tick(x: float, y: float, text: str) -> str:
    return (
        f'<path class="axis" d="M{x:.1f} {y:.1f}v4"/>'
        f'<text x="{x:.1f}" y="{y + 17:.1f}" text-anchor="middle">{text}</text>'
    )


@dataclass(frozen=True)
class _Frame:
    """Title, legend and axes around a plot; x and y map values to places inside."""

    title: str
    description: str
    x_label: str
    y_label: str
    legend: Sequence[tuple[int, str, str]]
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    x: _Scale
    y: _Scale
    height: int

    @classmethod
    def around(
        cls,
        title: str,
        description: str,
        x_label: str,
        y_label: str,
        legend: Sequence[tuple[int, str, str]],
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        *,
        x_range: tuple[float, float],
        log_y: bool = False,
        height: int = HEIGHT,
    ) -> _Frame:
        rows = 1 + max((row for *_, row in _legend_places(legend)), default=-1)
        top = 24 + 18 + rows * _LINE + 8  # title, the vertical axis' label, legend
        height += rows * _LINE
        left = 14 + max(len(format_tick(tick)) for tick in y_ticks) * _CHARACTER
        first, last = x_range if x_range[0] < x_range[1] else (x_range[0] - 1, x_range[1] + 1)
        x = _Scale(first, last, left, WIDTH - 16)
        return cls(
            title, description, x_label, y_label, legend, [t for t in x_ticks if first <= t <= last], y_ticks, x,
            _Scale(y_ticks[0], y_ticks[-1], height - 46, top, log_y), height,
        )  # fmt: skip

    def draw(self, body: Iterable[str]) -> str:
        """Return the whole plot; body: what lies inside, in places already."""
        left, right, bottom = self.x.start, self.x.end, self.y.start
        parts = [f'<text class="title" x="4" y="16">{_text(self.title)}</text>']
        for n, name, shape, place, row in _legend_places(self.legend):
            parts.append(_legend_entry(4 + place, 36 + row * _LINE, n, name, shape))
        # The vertical axis' label stands above it, upright: easier to read than a turned one, and no narrower plot.
        parts.append(f'<text class="label" x="4" y="{self.y.end - 12:.0f}">{_text(self.y_label)}</text>')
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(
                f'<path class="grid" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
                f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{format_tick(tick)}</text>'
            )
        parts += [_x_tick(self.x(tick), bottom, format_tick(tick)) for tick in self.x_ticks]
        zero = self.y(0) if not self.y.log and self.y.first < 0 <= self.y.last else bottom
        parts.append(f'<path class="axis" d="M{left:.1f} {zero:.1f}H{right:.1f}"/>')
        parts.append(
            f'<text class="label" x="{(left + right) / 2:.1f}" y="{self.height - 8}" text-anchor="middle">'
            f"{_text(self.x_label)}</text>"
        )
        return _svg(self.title, self.description, self.height, [*parts, *body])


def _svg(title: str, description: str, height: int, parts: Iterable[str]) -> str:
    label = f"{title.rstrip('.')}. {description}" if description else title
    attributes = f'class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_text(label)}"'
    return f"<svg {attributes}>{''.join(parts)}</svg>"


def _empty(title: str, description: str) -> str:
    return _svg(
        title,
        description or "Nothing to plot.",
        90,
        [
            f'<text class="title" x="4" y="16">{_text(title)}</text>',
            f'<text class="label" x="{WIDTH / 2}" y="58" text-anchor="middle">nothing to plot</text>',
        ],
    )


def _legend_places(legend: Sequence[tuple[int, str, str]]) -> list[tuple[int, str, str, float, int]]:
    """Lay the legend out in rows: (series, name, shape, x, row)."""
    placed, x, row = [], 0.0, 0
    for n, name, shape in legend:
        width = 24 + len(name) * _CHARACTER + 14
        if x and x + width > WIDTH:
            x, row = 0.0, row + 1
        placed.append((n, name, shape, x, row))
        x += width
    return placed


def _legend_entry(x: float, y: float, n: int, name: str, shape: str) -> str:
    sign = {
        "line": f'<path class="line {_series(n)}" d="M{x:.1f} {y - 4:.1f}h18"/>',
        "band": f'<path class="band {_series(n)}" d="M{x:.1f} {y - 9:.1f}h18v10h-18z"/>',
        "box": f'<path class="bar {_series(n)}" d="M{x + 4:.1f} {y - 9:.1f}h10v10h-10z"/>',
        "dot": f'<path class="dots key {_series(n)}" d="M{x + 9:.1f} {y - 4:.1f}h0"/>',
        "mark": f'<path class="line {_series(n)}" d="M{x:.1f} {y - 4:.1f}h18"/>' + _mark(x + 9, y - 4, n),
    }[shape]
    return f'{sign}<text x="{x + 24:.1f}" y="{y}">{_text(name)}</text>'


def _mark(x: float, y: float, n: int, hint: str = "") -> str:
    inside = f"<title>{_text(hint)}</title>" if hint else ""
    place = f"translate({x:.1f} {y:.1f})"
    return (
        f'<path class="mark {_series(n)}" transform="{place}" d="{_MARKS[n % len(_MARKS)]}">{inside}</path>'
    )


def _band(frame: _Frame, n: int, line: Line) -> str:
    """One filled area for each stretch without gaps."""
    stretch: list[tuple[Number, Number, Number]] = []
    areas = []
    for x, low, high in [*zip(line.x, line.low or (), line.high or (), strict=True), (0, math.nan, math.nan)]:
        if math.isfinite(low) and math.isfinite(high):
            stretch.append((x, low, high))
        elif stretch:
            there = "L".join(f"{frame.x(x):.1f} {frame.y(high):.1f}" for x, _, high in stretch)
            back = "L".join(f"{frame.x(x):.1f} {frame.y(low):.1f}" for x, low, _ in reversed(stretch))
            areas.append(f"M{there}L{back}z")
            stretch = []
    return f'<path class="band {_series(n)}" d="{"".join(areas)}"/>'


def _path(frame: _Frame, xs: Sequence[Number], ys: Sequence[Number]) -> str:
    parts, pen_up = [], True
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            parts.append(f"{'M' if pen_up else 'L'}{frame.x(x):.1f} {frame.y(y):.1f}")
        pen_up = not math.isfinite(y)
    return "".join(parts)


def _rules(frame: _Frame, rules: Sequence[Rule]) -> list[str]:
    parts = []
    for rule in rules:
        if not math.isfinite(rule.y) or (frame.y.log and rule.y <= 0):
            continue
        y = frame.y(rule.y)
        parts.append(
            f'<path class="rule" d="M{frame.x.start:.1f} {y:.1f}H{frame.x.end:.1f}"/>'
            f'<text class="rule-name" x="{frame.x.end:.1f}" y="{y - 5:.1f}" text-anchor="end">{_text(rule.name)}</text>'
        )
    return parts


def _group_labels(frame: _Frame, labels: Sequence[str], group: float) -> list[str]:
    """Name the groups of a bar chart: every one where there is room, else every second, third, …"""
    fits = max(int(group / _CHARACTER), 3)
    longest = min(max(map(len, labels)), 14)
    every = math.ceil(longest / fits) if longest > fits else 1
    if longest <= fits * 1.6:  # slightly too long: shortening beats leaving out
        every = 1
    room = max(fits * every, 3)
    return [
        f'<text x="{frame.x(k + 0.5):.1f}" y="{frame.y.start + 17:.1f}" text-anchor="middle">'
        f"{_text(label if len(label) <= room else label[: room - 1] + '…')}</text>"
        for k, label in enumerate(labels)
        if k % every == 0
    ]


def _finite_line(line: Line, *, positive: bool) -> Line:
    """Turn what a logarithmic axis cannot show into gaps."""
    if not positive:
        return line

    def clean(values: Sequence[Number] | None) -> Sequence[Number] | None:
        return None if values is None else [v if v > 0 else math.nan for v in values]

    return Line(line.name, line.x, clean(line.y) or (), clean(line.low), clean(line.high))


def _figure(value: Number) -> str:
    return f"{value:.4g}"


def _series(n: int) -> str:
    return f"s{n % SERIES + 1}"


def _text(text: str) -> str:
    return str(escape(printable(text)))
