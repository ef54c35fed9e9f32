"""Axes, ticks, legends and the frame around a plot; what is drawn inside is the matter of `svg`."""

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
CHARACTER = 6.6  # average width of a character at 12 units: text cannot be measured without a font
SERIES = 8  # as many colours and marks as there are
_LINE = 17
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
class Scale:
    """Maps values from `first`..`last` to positions from `start`..`end`."""

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: Number) -> float:
        """Return the position of a value."""
        return self.start + (value - self.first) / (self.last - self.first) * (self.end - self.start)


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


def x_tick(x: float, y: float, text: str) -> str:
    """Draw a tick below the horizontal axis, with its text."""
    return (
        f'<path class="axis" d="M{x:.1f} {y:.1f}v4"/>'
        f'<text x="{x:.1f}" y="{y + 17:.1f}" text-anchor="middle">{text}</text>'
    )


@dataclass(frozen=True)
class Frame:
    """Title, legend and axes around a plot; x and y map values to places inside."""

    title: str
    description: str
    x_label: str
    y_label: str
    legend: Sequence[tuple[int, str, str]]
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    x: Scale
    y: Scale
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
        height: int = HEIGHT,
    ) -> Frame:
        """Leave room for the title, the legend and the ticks. height: of the plot without its legend."""
        rows = 1 + max((row for *_, row in _legend_places(legend)), default=-1)
        top = 24 + 18 + rows * _LINE + 8  # title, the vertical axis' label, legend
        height += rows * _LINE
        left = 14 + max(len(format_tick(tick)) for tick in y_ticks) * CHARACTER
        first, last = x_range if x_range[0] < x_range[1] else (x_range[0] - 1, x_range[1] + 1)
        x = Scale(first, last, left, WIDTH - 16)
        return cls(
            title, description, x_label, y_label, legend, [t for t in x_ticks if first <= t <= last], y_ticks, x,
            Scale(y_ticks[0], y_ticks[-1], height - 46, top), height,
        )  # fmt: skip

    def draw(self, body: Iterable[str]) -> str:
        """Return the whole plot; body: what lies inside, in places already."""
        left, right, bottom = self.x.start, self.x.end, self.y.start
        parts = [f'<text class="title" x="4" y="16">{escaped(self.title)}</text>']
        for n, name, shape, place, row in _legend_places(self.legend):
            parts.append(_legend_entry(4 + place, 36 + row * _LINE, n, name, shape))
        # The vertical axis' label stands above it, upright: easier to read than a turned one, and no narrower plot.
        parts.append(f'<text class="label" x="4" y="{self.y.end - 12:.0f}">{escaped(self.y_label)}</text>')
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(
                f'<path class="grid" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
                f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{format_tick(tick)}</text>'
            )
        parts += [x_tick(self.x(tick), bottom, format_tick(tick)) for tick in self.x_ticks]
        zero = self.y(0) if self.y.first < 0 <= self.y.last else bottom
        parts.append(f'<path class="axis" d="M{left:.1f} {zero:.1f}H{right:.1f}"/>')
        parts.append(
            f'<text class="label" x="{(left + right) / 2:.1f}" y="{self.height - 8}" text-anchor="middle">'
            f"{escaped(self.x_label)}</text>"
        )
        return element(self.title, self.description, self.height, [*parts, *body])


def element(title: str, description: str, height: int, parts: Iterable[str]) -> str:
    """Return the `<svg>` element of a plot; title and description are what a screen reader says."""
    label = f"{title.rstrip('.')}. {description}" if description else title
    attributes = f'class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escaped(label)}"'
    return f"<svg {attributes}>{''.join(parts)}</svg>"


def empty_plot(title: str, description: str) -> str:
    """Draw that there is nothing to plot."""
    return element(
        title,
        description or "Nothing to plot.",
        90,
        [
            f'<text class="title" x="4" y="16">{escaped(title)}</text>',
            f'<text class="label" x="{WIDTH / 2}" y="58" text-anchor="middle">nothing to plot</text>',
        ],
    )


def _legend_places(legend: Sequence[tuple[int, str, str]]) -> list[tuple[int, str, str, float, int]]:
    """Lay the legend out in rows: (series, name, shape, x, row)."""
    placed, x, row = [], 0.0, 0
    for n, name, shape in legend:
        width = 24 + len(name) * CHARACTER + 14
        if x and x + width > WIDTH:
            x, row = 0.0, row + 1
        placed.append((n, name, shape, x, row))
        x += width
    return placed


def _legend_entry(x: float, y: float, n: int, name: str, shape: str) -> str:
    sign = {
        "line": f'<path class="line {series_class(n)}" d="M{x:.1f} {y - 4:.1f}h18"/>',
        "band": f'<path class="band {series_class(n)}" d="M{x:.1f} {y - 9:.1f}h18v10h-18z"/>',
        "box": f'<path class="bar {series_class(n)}" d="M{x + 4:.1f} {y - 9:.1f}h10v10h-10z"/>',
        "dot": f'<path class="dots key {series_class(n)}" d="M{x + 9:.1f} {y - 4:.1f}h0"/>',
        "mark": f'<path class="line {series_class(n)}" d="M{x:.1f} {y - 4:.1f}h18"/>' + mark(x + 9, y - 4, n),
    }[shape]
    return f'{sign}<text x="{x + 24:.1f}" y="{y}">{escaped(name)}</text>'


def mark(x: float, y: float, n: int, hint: str = "") -> str:
    """Draw the mark of the n-th series. hint: shown when the pointer rests on it."""
    inside = f"<title>{escaped(hint)}</title>" if hint else ""
    place = f"translate({x:.1f} {y:.1f})"
    return f'<path class="mark {series_class(n)}" transform="{place}" d="{_MARKS[n % len(_MARKS)]}">{inside}</path>'


def series_class(n: int) -> str:
    """Return the class of the n-th series, which has its colour."""
    return f"s{n % SERIES + 1}"


def escaped(text: str) -> str:
    """Return a text as it may stand inside SVG."""
    return str(escape(printable(text)))
