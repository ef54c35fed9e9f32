"""Figures in words: the same number reads the same everywhere."""

from __future__ import annotations

import math

import pytest

from edgekit import figures


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1234, "1.2 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1 MB"),
        (200_000_000, "200 MB"),
        (271_581_184, "271.6 MB"),
        (4_294_967_296, "4.3 GB"),
        (5e12, "5000 GB"),
    ],
)
def test_sizes_are_decimal_and_never_a_thousand_of_a_unit(count: float, said: str) -> None:
    assert figures.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (math.inf, "∞"),
    ],
)
def test_times(seconds: float, said: str) -> None:
    assert figures.duration(seconds) == said


def test_short_times() -> None:
    assert [figures.milliseconds(s) for s in (0.312, 0.00425, 1.5)] == ["312 ms", "4.25 ms", "1,500 ms"]


def test_numbers_and_shares() -> None:
    numbers = (0, 0.012346, 1234.5, 123456.7, -2.5, 1.2e-9, math.inf, math.nan)
    assert [figures.number(value) for value in numbers] == [
        "0", "0.01235", "1234", "123,457", "−2.5", "1.2e-09", "∞", "not a number",  # noqa: RUF001
    ]  # fmt: skip
    assert [figures.percent(value) for value in (0, 1, 0.9734, 0.99999, 0.00012, -0.0012, 0.5)] == [
        "0%", "100%", "97.3%", ">99.9%", "0.012%", "−0.12%", "50%",  # noqa: RUF001
    ]  # fmt: skip
    assert figures.percent_points(-0.012) == "−1.2 pp"  # noqa: RUF001
    assert [figures.decibels(value) for value in (41.234, math.inf)] == ["41.2 dB", "exact"]
