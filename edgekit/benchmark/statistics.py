"""What the runs say: figures of each run, medians with their spread, ratios with their intervals.

The definitions are those of docs/reference/bench.md. Warm-up runs are left out everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from edgekit.benchmark.result import CaseResult, Run, Switching

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD_BACK: Final = 1
"""Steps by which the engine's callbacks lag: it hands out a token's text when it has computed the next token."""

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 4000


@dataclass(frozen=True)
class Summary:
    """Values in short: how many, the median, the middle half (25th to 75th percentile), and the rest.

    deviation: the sample's standard deviation, 0 for a single value.
    """

    count: int
    median: float
    low: float
    high: float
    minimum: float
    maximum: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class Ratio:
    """A quotient of two medians with its 95% bootstrap interval; low and high are None where a side has one value only.

    paired: both sides ran in turns, round by round.
    """

    value: float
    low: float | None
    high: float | None
    paired: bool


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
    """A figure that can be named in a gate.

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
    import numpy as np

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


def summarize(values: Sequence[float]) -> Summary | None:
    """Return values in short; None of nothing."""
    if not values:
        return None
    import numpy as np

    low, median, high = (float(value) for value in np.percentile(values, (25, 50, 75)))
    return Summary(
        count=len(values),
        median=median,
        low=low,
        high=high,
        minimum=float(min(values)),
        maximum=float(max(values)),
        mean=float(np.mean(values)),
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
    )


def summaries(result: CaseResult) -> dict[str, Summary]:
    """Return the summary of every metric that a case has values of, by name."""
    found = {metric.name: summarize(metric.of(result)) for metric in METRICS}
    return {name: summary for name, summary in found.items() if summary is not None}


def switch_summary(switching: Switching) -> SwitchSummary | None:
    """Return the switches in short; None when there were none."""
    import numpy as np

    if not switching.switches:
        return None
    whole = [switch.session + switch.first for switch in switching.switches]
    low, high = median_interval(whole) or (None, None)
    word = float(np.median([switch.again for switch in switching.switches]))
    return SwitchSummary(len(whole), float(np.median(whole)), low, high, word)


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95% percentile-bootstrap interval of a median, seeded; None for less than two values."""
    import numpy as np

    if len(values) < 2:
        return None
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(_medians(values, drawn), (tail, 100 - tail))
    return float(low), float(high)


def median_ratio(new: Sequence[float], old: Sequence[float], *, paired: bool) -> Ratio | None:
    """Return median(new) / median(old) with a 95% percentile-bootstrap interval; None without values above 0.

    paired: the values of one index ran in turn, so rounds are drawn together and a slow moment hits both sides;
    otherwise the sides are drawn apart. The generator is seeded: the same runs give the same interval.
    """
    import numpy as np

    if not new or not old or np.median(old) <= 0:
        return None
    paired = paired and len(new) == len(old)
    value = float(np.median(new) / np.median(old))
    if min(len(new), len(old)) < 2:
        return Ratio(value, None, None, paired)
    generator = np.random.default_rng(0)
    drawn_new = generator.integers(len(new), size=(RESAMPLES, len(new)))
    drawn_old = drawn_new if paired else generator.integers(len(old), size=(RESAMPLES, len(old)))
    ratios = _medians(new, drawn_new) / _medians(old, drawn_old)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(ratios, (tail, 100 - tail))
    return Ratio(value, float(low), float(high), paired)


def _medians(values: Sequence[float], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    import numpy as np

    medians: NDArray[np.float64] = np.median(np.asarray(values, np.float64)[drawn], axis=1)
    return medians
