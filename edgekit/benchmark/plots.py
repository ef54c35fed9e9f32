"""The charts of a benchmark: speeds along the axes of its grid, and how the figures spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.benchmark.plan import Case
from edgekit.benchmark.result import BenchResult
from edgekit.benchmark.statistics import latencies, summaries
from edgekit.html import svg
from edgekit.html.page import (
    Block,
    Plot,
    Plots,
)
from edgekit.stats import Summary


def plots(results: Sequence[BenchResult]) -> list[Block]:
    """Chart speeds along the axes of the grid, then how decode, latency and memory spread."""
    speeds = [
        _over(
            "prefill", "Prefill by prompt length", "tokens of the prompt", results, lambda case: case.prefill
        ),
        _over(
            "decode", "Decode by prompt length", "tokens of the prompt", results, lambda case: case.prefill
        ),
        _over(
            "decode",
            "Decode by depth",
            "tokens in the cache before the prompt",
            results,
            lambda case: case.depth,
        ),
        _over("prefill", "Prefill by threads", "threads", results, lambda case: case.threads),
        _over("decode", "Decode by threads", "threads", results, lambda case: case.threads),
    ]
    spread = [
        _decode_bars(results),
        _latency_plot(results),
        _latency_over_time(results),
        _memory_bars(results),
    ]
    return [Plots([Plot(chart) for chart in (*speeds, *spread) if chart is not None])]


def _over(
    metric: str, title: str, x_label: str, results: Sequence[BenchResult], x_of: Callable[[Case], int | None]
) -> str | None:
    """Lines over one axis of the grid, one for each target and combination of the other axes; None without an axis."""
    series: dict[str, list[tuple[int, Summary]]] = {}
    for result in results:
        for case in result.cases:
            summary, x = summaries(case).get(metric), x_of(case.case)
            if summary is not None and x is not None:
                name = f"{_label(result, results)} {_without(case.case, x_label)}".strip()
                series.setdefault(name, []).append((x, summary))
    lines = []
    for name, points in series.items():
        ordered = sorted(points, key=lambda point: point[0])
        if len({x for x, _ in ordered}) > 1:
            lines.append(
                svg.Line(
                    name,
                    [x for x, _ in ordered],
                    [summary.median for _, summary in ordered],
                    [summary.low for _, summary in ordered],
                    [summary.high for _, summary in ordered],
                )
            )
    if not lines:
        return None
    return svg.line_chart(
        lines[: svg.SERIES],
        title=title,
        x_label=x_label,
        y_label="tokens per second",
        marks=True,
        whole_x=True,
        band_name="middle half",
        description="Medians with the middle half of the runs, by target.",
    )


def _without(case: Case, x_label: str) -> str:
    """The case's name without the axis that a plot runs along."""
    words = case.name.split()
    dropped = {"threads": "t", "tokens of the prompt": "pp"}.get(x_label)
    if dropped is None:
        return case.name.partition(" @ ")[0]
    return " ".join(
        word for word in words if not (word.startswith(dropped) and word[len(dropped) :].isdigit())
    )


def _label(result: BenchResult, results: Sequence[BenchResult]) -> str:
    """The target's name, with the model's where one target measured several."""
    return _names(results)[results.index(result)] if len(results) > 1 else ""


def _names(results: Sequence[BenchResult]) -> list[str]:
    targets = [result.target for result in results]
    return [
        f"{result.target} {result.bundle.title}" if targets.count(result.target) > 1 else result.target
        for result in results
    ]


def _shared_cases(results: Sequence[BenchResult]) -> list[Case]:
    cases = dict.fromkeys(case.case for result in results for case in result.cases if case.measured)
    return list(cases)


def _bars(results: Sequence[BenchResult], metric: str, factor: float, title: str, unit: str) -> str | None:
    cases = _shared_cases(results)
    nan = float("nan")
    bars = []
    for result, name in zip(results, _names(results), strict=True):
        found = {case.case: summaries(case).get(metric) for case in result.cases}
        values = [found.get(case) for case in cases]
        bars.append(
            svg.Bars(
                name,
                [nan if value is None else value.median * factor for value in values],
                [nan if value is None else value.low * factor for value in values],
                [nan if value is None else value.high * factor for value in values],
            )
        )
    labels = [case.name for case in cases]
    return svg.bar_chart(labels, bars, title=title, x_label="case", y_label=unit) if cases else None


def _decode_bars(results: Sequence[BenchResult]) -> str | None:
    return _bars(results, "decode", 1.0, "Decode", "tokens per second")


def _memory_bars(results: Sequence[BenchResult]) -> str | None:
    return _bars(results, "rss", 1e-6, "Peak resident memory", "MB")


def _latency_plot(results: Sequence[BenchResult]) -> str | None:
    """How the times between tokens are distributed, over all measured runs of each target."""
    lines = []
    for result, name in zip(results, _names(results), strict=True):
        gaps = sorted(1e3 * gap for case in result.cases for run in case.measured for gap in latencies(run))
        if len(gaps) > 1:
            kept = [gaps[round(share / 100 * (len(gaps) - 1))] for share in range(101)]
            lines.append(svg.Line(name, list(range(101)), kept))
    if not lines:
        return None
    return svg.line_chart(
        lines[: svg.SERIES],
        title="Time between tokens, by percentile",
        x_label="percent of the tokens that come faster",
        y_label="ms",
        description="The higher the right end, the longer the pauses.",
    )


def _latency_over_time(results: Sequence[BenchResult]) -> str | None:
    """The time between tokens along the output: a cache that grows, a device that throttles."""
    lines = []
    for result, name in zip(results, _names(results), strict=True):
        case = next((case for case in result.cases if any(latencies(run) for run in case.measured)), None)
        if case is None:
            continue
        columns = [latencies(run) for run in case.measured]
        length = max(map(len, columns))
        medians = [_middle([gaps[i] for gaps in columns if i < len(gaps)]) for i in range(length)]
        lines.append(svg.Line(name, list(range(2, length + 2)), [1e3 * value for value in medians]))
    if not lines:
        return None
    return svg.line_chart(
        lines[: svg.SERIES],
        title="Time between tokens, along the output",
        x_label="token",
        y_label="ms, median of the runs",
        whole_x=True,
    )


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
