"""What a figure must not be: the limits of `--fail-if`.

(Not gates, which hold a bundle's quality to a recipe's thresholds: `edgekit.gates`.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edgekit.benchmark.compare import Comparison
from edgekit.benchmark.result import BenchResult
from edgekit.benchmark.statistics import METRIC
from edgekit.errors import InputError
from edgekit.stats import summarize


@dataclass(frozen=True)
class Limit:
    """A value that fails a benchmark when a figure lies beyond it, such as `decode < 0.95x` or `ttft > 500ms`.

    bound: a factor of the baseline when relative, otherwise in the metric's unit (s, tok/s, bytes, J).
    """

    text: str
    metric: str
    sign: Literal["<", ">"]
    bound: float
    relative: bool

    def fails(self, value: float) -> bool:
        """Tell whether a value lies beyond the limit."""
        return value < self.bound if self.sign == "<" else value > self.bound


_LIMIT: Final = re.compile(
    r"\s*(\w+)\s*([<>])\s*([0-9]*\.?[0-9]+(?:e[+-]?\d+)?)\s*(x|ms|us|s|tok/s|kB|MB|GB|J)?\s*", re.I
)


_SCALES: Final = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6},
    "bytes": {"kb": 1e3, "mb": 1e6, "gb": 1e9},
    "tok/s": {"tok/s": 1.0},
    "J": {"j": 1.0},
}


def parse_limit(text: str) -> Limit:
    """Read a limit. Raises InputError, with the words that it knows, when it is none."""
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text!r} is no condition",
            where="--fail-if",
            remedy='write it as "decode < 0.95x" or "ttft > 500ms"',
        )
    name, sign, number, suffix = match[1], match[2], float(match[3]), (match[4] or "").lower()
    if name not in METRIC:
        raise InputError(f"unknown figure {name!r}", where="--fail-if", remedy=f"one of {', '.join(METRIC)}")
    if suffix == "x":
        return Limit(text.strip(), name, _sign(sign), number, relative=True)
    scales = _SCALES[METRIC[name].unit]
    if suffix and suffix not in scales:
        raise InputError(
            f"{name} is not measured in {match[4]}",
            where="--fail-if",
            remedy=f"x, {', '.join(scales)} or no unit",
        )
    return Limit(text.strip(), name, _sign(sign), number * scales.get(suffix, 1.0), relative=False)


def _sign(sign: str) -> Literal["<", ">"]:
    return "<" if sign == "<" else ">"


def broken_limits(
    limits: Sequence[Limit], results: Sequence[BenchResult], comparisons: Sequence[Comparison]
) -> list[str]:
    """Return a sentence for every limit and case whose median (or ratio of medians) lies beyond it.

    A limit that nothing was measured for fails too: a check that did not run must not look like one that passed.
    """
    found: list[str] = []
    for limit in limits:
        measured = 0
        if limit.relative:
            for comparison in comparisons:
                if comparison.metric == limit.metric:
                    measured += 1
                    if limit.fails(comparison.ratio.value):
                        found.append(
                            f"{limit.text}: {comparison.ratio.value:.3f}x for {comparison.case.name}, "
                            f"against {comparison.against}"
                        )
        else:
            for result in results:
                for case in result.cases:
                    summary = summarize(METRIC[limit.metric].of(case))
                    measured += summary is not None
                    if summary is not None and limit.fails(summary.median):
                        found.append(
                            f"{limit.text}: {summary.median:.6g} for {case.case.name} on {result.target}"
                        )
        if not measured:
            found.append(f"{limit.text}: {limit.metric} was not measured")
    return found
