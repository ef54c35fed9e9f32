"""What the runs say: the figures of each run, and their medians with their spread.

The definitions are those of docs/how-to/slow.md. Warm-up runs are left out everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from edgekit.benchmark.result import CaseResult, Run, Switching
from edgekit.stats import Summary, median_interval, summarize

HELD_BACK: Final = 1
"""Steps by which the engine's callbacks lag: it hands out a token's text when it has computed the next token."""


@dataclass(frozen=True)
class SwitchSummary:
    """Switches of adapters in short, seconds, medians.

    switch: until the first word is fed with the other adapter; low, high: its 95% bootstrap interval, None for a single
    switch. word: what feeding a word takes without a switch. count: how many switches.
    """

    count: int
    switch: float
    low: float | None
    high: float | None
    word: float


@dataclass(frozen=True)
class Metric:
    """A figure that can be named in a limit.

    label: for people. better: which way is good. of: the values of a case, one for each run or start.
    """

    name: str
    label: str
    unit: Literal["s", "tok/s", "bytes", "J"]
    better: Literal["higher", "lower"]
    of: Callable[[CaseResult], list[float]]


def latencies(run: Run) -> list[float]:
    """Return the times between the callbacks of one run, seconds.

    The last is left out: the token held back comes together with the one before it, without a step between them.
    """
    gaps = [after - before for before, after in zip(run.stamps, run.stamps[1:], strict=False)]
    return gaps[:-1]


def decode_after_first(run: Run) -> float | None:
    """Return the decode speed without the first token: the steps between the first and the last callback.

    The first callback comes after the step of the first token and those that it is held back for, so this many tokens
    are left out: None when there are not more, or when the run has no stamps.
    """
    steps = run.decode_tokens - 1 - HELD_BACK
    if not run.stamps or run.ttft is None or run.total is None or steps < 1 or run.total <= run.ttft:
        return None
    return steps / (run.total - run.ttft)


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile, interpolated between neighbours; None of nothing."""
    return float(np.percentile(values, percent)) if values else None


def _of_runs(figure: Callable[[Run], float | None]) -> Callable[[CaseResult], list[float]]:
    def values(result: CaseResult) -> list[float]:
        return [
            value for run in result.measured if (value := figure(run)) is not None and math.isfinite(value)
        ]

    return values


def _latency(percent: float) -> Callable[[CaseResult], list[float]]:
    return _of_runs(lambda run: percentile(latencies(run), percent))


def _inits(cold: bool) -> Callable[[CaseResult], list[float]]:
    return lambda result: [init.seconds for init in result.inits if init.cold == cold]


METRICS: Final[tuple[Metric, ...]] = (
    Metric("prefill", "prefill", "tok/s", "higher", _of_runs(lambda run: run.prefill_tps)),
    Metric("decode", "decode", "tok/s", "higher", _of_runs(lambda run: run.decode_tps)),
    Metric("decode_after_first", "decode after the first token", "tok/s", "higher", _of_runs(decode_after_first)),
    Metric("ttft", "time to first token", "s", "lower", _of_runs(lambda run: run.ttft)),
    Metric("engine_ttft", "time to first token as LiteRT-LM derives it", "s", "lower",
           _of_runs(lambda run: run.engine_ttft)),
    Metric("p50", "inter-token latency p50", "s", "lower", _latency(50)),
    Metric("p95", "inter-token latency p95", "s", "lower", _latency(95)),
    Metric("p99", "inter-token latency p99", "s", "lower", _latency(99)),
    Metric("init_cold", "init, no engine cache", "s", "lower", _inits(True)),
    Metric("init_warm", "init, engine cache there", "s", "lower", _inits(False)),
    Metric("rss", "peak resident memory", "bytes", "lower", _of_runs(lambda run: run.rss_peak)),
    Metric("private", "private memory", "bytes", "lower", _of_runs(lambda run: run.private)),
    Metric("energy", "energy per run", "J", "lower", _of_runs(lambda run: run.energy_j)),
)  # fmt: skip
METRIC: Final[Mapping[str, Metric]] = {metric.name: metric for metric in METRICS}


def summaries(result: CaseResult) -> dict[str, Summary]:
    """Return the summary of every metric that a case has values of, by name."""
    found = {metric.name: summarize(metric.of(result)) for metric in METRICS}
    return {name: summary for name, summary in found.items() if summary is not None}


def switch_summary(switching: Switching) -> SwitchSummary | None:
    """Return the switches in short; None when there were none."""
    if not switching.switches:
        return None
    whole = [switch.session + switch.first for switch in switching.switches]
    switch = median_interval(whole)
    word = float(np.median([switch.again for switch in switching.switches]))
    return SwitchSummary(len(whole), switch.value, switch.low, switch.high, word)
