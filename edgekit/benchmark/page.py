"""The page of a benchmark: the figures of every target side by side, then how they spread, then every run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from edgekit.benchmark.plots import plots
from edgekit.benchmark.report import Bench
from edgekit.benchmark.result import BenchResult, CaseResult
from edgekit.benchmark.statistics import decode_after_first, summaries
from edgekit.benchmark.table import (
    COLUMNS,
    COMPARISON_COLUMNS,
    NOTHING,
    TEXT_COLUMNS,
    comparison_rows,
    number,
    rows,
    switch_lines,
)
from edgekit.device.info import Conditions
from edgekit.figures import size
from edgekit.html.page import (
    Block,
    Column,
    Facts,
    Fold,
    Link,
    Page,
    Point,
    Prose,
    Remark,
    Section,
    Table,
    Tile,
    Verdict,
    render_page,
)

_RUN_COLUMNS: Final = (
    "run", "prefill tok/s", "decode tok/s", "after first", "first token ms", "derived ms", "peak MB", "private MB",
)  # fmt: skip


def render_html(report: Bench) -> str:
    """Return the report as one self-contained HTML page. The same report gives the same bytes."""
    return render_page(bench_page(report))


def bench_page(report: Bench) -> Page:
    """Describe the page: what it says, not how it looks."""
    first = report.results[0]
    figures = _table("Medians, and the middle half of the runs", COLUMNS, rows(report.results))
    return Page(
        kind="Benchmark",
        title=first.bundle.title,
        verdict=_verdict(report),
        facts=Facts(_subject(first)),
        tiles=_tiles(first),
        sections=[
            Section(
                "figures", "Figures", [figures, *(Prose(f"{line}.") for line in switch_lines(report.results))]
            ),
            *_comparison(report),
            Section("plots", "Plots", plots(report.results)),
            Section("targets", "Targets", [block for result in report.results for block in _target(result)]),
            Section(
                "runs",
                "Every run",
                [_runs(result, case) for result in report.results for case in result.cases],
            ),
        ],
        footer=f"Made by edgekit {first.tool or 'of an unknown version'}. The figures are in the JSON files beside "
        f"this page (schema {first.schema_version}).",
    )


def _verdict(report: Bench) -> Verdict:
    points = [Point("failed", Link("Figures", "figures"), problem) for problem in report.problems]
    notes = [
        Point("warning", Link(result.target, "targets"), note)
        for result in report.results
        for note in result.notes
    ]
    if report.problems:
        count = len(report.problems)
        return Verdict("failed", f"{count} {'problem' if count == 1 else 'problems'}", [*points, *notes])
    counted = sum(len(case.measured) for result in report.results for case in result.cases)
    return Verdict("passed", f"Measured: {counted} runs", notes)


def _subject(result: BenchResult) -> list[tuple[str, str]]:
    bundle = result.bundle
    pairs = [("model file", f"{bundle.file}, {size(bundle.size)}")]
    pairs += [("SHA-256", bundle.sha256)] if bundle.sha256 else []
    pairs += [("recipe", bundle.recipe)] if bundle.recipe else []
    if (adapter := bundle.adapter) is not None:
        pairs.append(
            ("adapter", f"{adapter.name}: {adapter.file}, {size(adapter.size)}, rank {adapter.rank}")
        )
    pairs += [("KV length", f"{bundle.kv_length:,} tokens")] if bundle.kv_length else []
    pairs.append(("engine", " ".join(filter(None, (result.engine.name, result.engine.version)))))
    return pairs


def _tiles(result: BenchResult) -> list[Tile]:
    """The first case that was measured, in four figures."""
    case = next((case for case in result.cases if case.measured), None)
    if case is None:
        return []
    found = summaries(case)
    note = f"{case.case.name}, {result.target}"
    tiles = (
        ("decode", "decode", 1.0, "tok/s"),
        ("prefill", "prefill", 1.0, "tok/s"),
        ("ttft", "first token", 1e3, "ms"),
        ("rss", "peak memory", 1e-6, "MB"),
    )
    return [
        Tile(label, f"{number(found[name].median * factor)} {unit}", note)
        for name, label, factor, unit in tiles
        if name in found
    ]


def _comparison(report: Bench) -> list[Section]:
    if not report.comparisons:
        return []
    text = "The ratio is now / baseline, of medians; the interval holds 95% of 4,000 bootstrap samples of the runs."
    blocks: list[Block] = [Prose(text)]
    for (name, against), group in groupby(
        report.comparisons, lambda comparison: (comparison.case.name, comparison.against)
    ):
        cells = [row[2:] for row in comparison_rows(list(group))]
        blocks.append(
            _table(f"This run against {against or 'the baseline'}: {name}", COMPARISON_COLUMNS[2:], cells)
        )
    several = len(blocks) > 3
    folded = [
        Fold(block.caption, [block]) if several and isinstance(block, Table) else block for block in blocks
    ]
    return [Section("comparison", "Comparison", folded)]


def _table(caption: str, names: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    return Table(caption, [Column(name, numeric=name not in TEXT_COLUMNS) for name in names], cells)


# ---------------------------------------- targets and runs


def _target(result: BenchResult) -> list[Block]:
    device = result.device
    pairs = [
        ("target", f"{result.target} ({device.kind})"),
        ("device", ", ".join(filter(None, (device.model, device.soc)))),
        ("system", ", ".join(filter(None, (device.os, device.abi)))),
        ("cores", _cores(result)),
        ("memory", size(device.ram_bytes) if device.ram_bytes else ""),
        ("governor", device.governor or ""),
        ("before", _conditions(device.before)),
        ("after", _conditions(device.after)),
        ("engine", " ".join(filter(None, (result.engine.name, result.engine.version)))),
        ("measured by", result.engine.runner),
        ("began", result.began or ""),
        ("engine cache", _caches(result)),
    ]
    blocks: list[Block] = [Facts([(name, value) for name, value in pairs if value])]
    check = result.check
    if check is not None and check.agrees is False:
        blocks.append(
            Remark("failed", f"To {check.prompt!r} it says {check.text!r}, this machine {check.expected!r}.")
        )
    elif check is not None and check.text is not None:
        same = "the same as this machine" if check.agrees else "not compared"
        blocks.append(Prose(f"Asked {check.prompt!r}, it says {check.text!r} (greedy; {same})."))
    return blocks


def _cores(result: BenchResult) -> str:
    device = result.device
    clusters = [
        f"{len(cluster.cpus)}" + (f" at {cluster.max_mhz / 1000:.2f} GHz" if cluster.max_mhz else "")
        for cluster in device.clusters
    ]
    count = "" if device.cores is None else str(device.cores)
    return f"{count} ({' + '.join(clusters)})" if clusters else count


def _caches(result: BenchResult) -> str:
    sizes = [case.cache_bytes for case in result.cases if case.cache_bytes]
    return size(max(sizes)) if sizes else ""


def _conditions(state: Conditions) -> str:
    parts = (
        None if state.battery_percent is None else f"battery {state.battery_percent:.0f}%",
        None if state.charging is None else ("charging" if state.charging else "not charging"),
        None if state.temperature_c is None else f"{state.temperature_c:.1f} °C",
        None if state.thermal_status is None else f"thermal status {state.thermal_status}",
        None if state.cpu_mhz is None else f"{state.cpu_mhz:.0f} MHz",
        None if state.load is None else f"load {state.load:.2f}",
    )
    return ", ".join(part for part in parts if part is not None)


def _runs(result: BenchResult, case: CaseResult) -> Fold:
    cells: list[list[str]] = []
    for run in case.runs:
        after_first = decode_after_first(run)
        figures = (
            (run.prefill_tps, 1.0), (run.decode_tps, 1.0), (after_first, 1.0), (run.ttft, 1e3),
            (run.engine_ttft, 1e3), (run.rss_peak, 1e-6), (run.private, 1e-6),
        )  # fmt: skip
        name = "warm-up" if run.warmup else str(1 + len([row for row in cells if row[0] != "warm-up"]))
        cells.append(
            [name, *(NOTHING if value is None else number(value * factor) for value, factor in figures)]
        )
    blocks: list[Block] = [] if case.failure is None else [Remark("failed", case.failure)]
    starts = [f"{number(1e3 * init.seconds)} ms {'cold' if init.cold else 'warm'}" for init in case.inits]
    if starts:
        blocks.append(Prose(f"Init: {', '.join(starts)}."))
    if cells:
        columns = [Column(name, numeric=True) for name in _RUN_COLUMNS]
        blocks.append(Table(f"{result.target}: {case.case.name}", columns, cells))
    return Fold(f"{result.target}, {result.bundle.title}: {case.case.name}", blocks)
