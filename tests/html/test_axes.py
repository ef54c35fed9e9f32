"""Ticks: round numbers that enclose the values, written as on an axis."""

from __future__ import annotations

import itertools
import math

import pytest

from edgekit.html.axes import format_tick, nice_ticks

NAN = math.nan


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.3, [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        (0, 97, [0, 20, 40, 60, 80, 100]),
        (-15, 0, [-15, -10, -5, 0]),
        (0, 1.3e-5, [0, 2e-6, 4e-6, 6e-6, 8e-6, 1e-5, 1.2e-5, 1.4e-5]),
        (5, 5, [2, 3, 4, 5, 6, 7, 8]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    found = nice_ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 4 <= len(found) <= 9
    steps = {float(f"{b - a:.6g}") for a, b in itertools.pairwise(found)}
    assert len(steps) == 1
    assert f"{steps.pop():e}"[0] in "125"
    if len(ticks) == len(found):
        assert found == ticks


def test_ticks_of_whole_numbers_are_whole() -> None:
    assert nice_ticks(0, 2, whole=True) == [0, 1, 2]
    assert nice_ticks(0, 1, 20, whole=True) == [0, 1]


def test_no_ticks_between_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="nan"):
        nice_ticks(0, NAN)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (-2, "−2"), (2500, "2,500"), (1e-6, "1e-6"), (3e7, "3e7"), (-1e-5, "−1e-5")],  # noqa: RUF001
)
def test_tick_labels(value: float, text: str) -> None:
    assert format_tick(value) == text
