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
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.html.axes import (
    CHARACTER,
    Frame,
    Number,
    empty_plot,
    escaped,
    format_tick,
    mark,
    nice_ticks,
    series_class,
    x_tick,
)
from edgekit.html.axes import SERIES as SERIES  # a page draws no more of them


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
    whole_x: bool = False,
    band_name: str = "",
) -> str:
    """Draw lines with their bands.

    description: what the plot shows, for readers who cannot see it. rules: thresholds. marks: a mark at each value.
    from_zero: the vertical axis begins at 0. whole_x: only whole numbers below the horizontal axis. band_name: what the
    band is, for the legend.
    """
    ys = [v for s in lines for v in (*s.y, *(s.low or ()), *(s.high or ())) if math.isfinite(v)]
    xs = [v for s in lines for v in s.x]
    if not ys:
        return empty_plot(title, description)
    ys += [rule.y for rule in rules if math.isfinite(rule.y)]
    y_ticks = nice_ticks(min([*ys, 0] if from_zero else ys), max(ys))
    legend = [(n, s.name, "mark" if marks else "line") for n, s in enumerate(lines)] if len(lines) > 1 else []
    if band_name and any(s.low for s in lines):
        legend += [(0, lines[0].name, "line")] if not legend else []
        legend.append((0, band_name, "band"))
    frame = Frame.around(
        title, description, x_label, y_label, legend, nice_ticks(min(xs), max(xs), whole=whole_x), y_ticks,
        x_range=(min(xs), max(xs)),
    )  # fmt: skip
    body = [_band(frame, n, s) for n, s in enumerate(lines) if s.low and s.high]
    for n, s in enumerate(lines):
        body.append(f'<path class="line {series_class(n)}" d="{_path(frame, s.x, s.y)}"/>')
        if marks or sum(map(math.isfinite, s.y)) == 1:
            body += [mark(frame.x(x), frame.y(y), n, f"{s.name}: {format_tick(x)}, {_figure(y)}")
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
        return empty_plot(title, description)
    values += [0, *(rule.y for rule in rules if math.isfinite(rule.y))]
    legend = [(n, s.name, "box") for n, s in enumerate(bars)] if len(bars) > 1 else []
    frame = Frame.around(
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
                f'<rect class="bar {series_class(n)}" x="{left:.1f}" y="{top:.1f}" width="{max(width - 1, 1):.1f}" '
                f'height="{max(bottom - top, 0.5):.1f}"><title>{escaped(name)}: {_figure(value)}</title></rect>'
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
        return empty_plot(title, description)
    if diagonal:
        xs = ys = [*xs, *ys]
    x_ticks, y_ticks = nice_ticks(min(xs), max(xs)), nice_ticks(min(ys), max(ys))
    legend = [(n, s.name, "dot") for n, s in enumerate(points)] if len(points) > 1 else []
    frame = Frame.around(
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
            f"{escaped(diagonal)}</text>"
            f'<path class="guide" d="{_path(frame, (start, end), (start, end))}"/>'
        )
    for n, cloud in enumerate(kept):
        # One path of dots without length, each place once: thousands of points stay small.
        dots = dict.fromkeys(f"M{frame.x(x):.1f} {frame.y(y):.1f}h0" for x, y in cloud)
        body.append(f'<path class="dots {series_class(n)}" d="{"".join(dots)}"/>')
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
        return empty_plot(title, description)
    y_ticks = nice_ticks(0, max(entry.count for entry in filled), whole=True)
    frame = Frame.around(title, description, x_label, y_label, [], [], y_ticks, x_range=(0, len(filled)))
    body = []
    for k, entry in enumerate(filled):
        if entry.count:
            height = max(frame.y(0) - frame.y(entry.count), 0.5)
            body.append(
                f'<rect class="bar {series_class(0)}" x="{frame.x(k) + 0.5:.1f}" y="{frame.y(entry.count):.1f}" '
                f'width="{max(frame.x(1) - frame.x(0) - 1, 1):.1f}" height="{height:.1f}">'
                f"<title>{_span(entry, whole)}: {entry.count}</title></rect>"
            )
    single = whole and all(entry.end - entry.start == 1 for entry in filled)
    edges = [entry.start for entry in filled] + ([] if single else [filled[-1].end])
    longest = max(len(format_tick(edge)) for edge in edges)
    every = math.ceil((longest + 2) * CHARACTER / (frame.x(1) - frame.x(0)))
    for k in range(0, len(edges), every):
        x = frame.x(
            k + 0.5 if single else k
        )  # below the bar when it stands for one number, at its edge otherwise
        body.append(x_tick(x, frame.y.start, format_tick(edges[k])))
    return frame.draw(body)


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


def _band(frame: Frame, n: int, line: Line) -> str:
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
    return f'<path class="band {series_class(n)}" d="{"".join(areas)}"/>'


def _path(frame: Frame, xs: Sequence[Number], ys: Sequence[Number]) -> str:
    parts, pen_up = [], True
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            parts.append(f"{'M' if pen_up else 'L'}{frame.x(x):.1f} {frame.y(y):.1f}")
        pen_up = not math.isfinite(y)
    return "".join(parts)


def _rules(frame: Frame, rules: Sequence[Rule]) -> list[str]:
    parts = []
    for rule in rules:
        if not math.isfinite(rule.y):
            continue
        y = frame.y(rule.y)
        parts.append(
            f'<path class="rule" d="M{frame.x.start:.1f} {y:.1f}H{frame.x.end:.1f}"/>'
            f'<text class="rule-name" x="{frame.x.end:.1f}" y="{y - 5:.1f}" text-anchor="end">'
            f"{escaped(rule.name)}</text>"
        )
    return parts


def _group_labels(frame: Frame, labels: Sequence[str], group: float) -> list[str]:
    """Name the groups of a bar chart: every one where there is room, else every second, third, …"""
    fits = max(int(group / CHARACTER), 3)
    longest = min(max(map(len, labels)), 14)
    every = math.ceil(longest / fits) if longest > fits else 1
    if longest <= fits * 1.6:  # slightly too long: shortening beats leaving out
        every = 1
    room = max(fits * every, 3)
    return [
        f'<text x="{frame.x(k + 0.5):.1f}" y="{frame.y.start + 17:.1f}" text-anchor="middle">'
        f"{escaped(label if len(label) <= room else label[: room - 1] + '…')}</text>"
        for k, label in enumerate(labels)
        if k % every == 0
    ]


def _figure(value: Number) -> str:
    return f"{value:.4g}"
