"""Figures in words: the same number reads the same in every report."""

from __future__ import annotations

import math


def number(value: float, digits: int = 4) -> str:
    """Write a figure with so many significant digits; very small and very large ones as 1.2e-06."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.0f}" if 10**digits <= abs(value) < 1e9 else f"{value:.{digits}g}"
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def percent(value: float) -> str:
    """Write a share: 97.3%, and 100% only when it is all of it."""
    if not math.isfinite(value):
        return number(value)
    text = f"{value * 100:.1f}"
    if 0 < abs(value) < 0.01:
        text = f"{value * 100:.2g}"
    elif text == "100.0" and value < 1:
        text = ">99.9"
    return f"{text.removesuffix('.0')}%".replace("-", MINUS)


def percent_points(value: float) -> str:
    """Write a difference of shares, with its sign."""
    return f"{signed(value * 100, 1)} pp"


def signed(value: float, digits: int = 2) -> str:
    """Write a difference, with its sign."""
    if not math.isfinite(value):
        return number(value)
    return f"{value:+.{digits}f}".replace("-", MINUS)


def decibels(value: float) -> str:
    """Write a ratio: 41.2 dB, or exact when there is no noise at all."""
    return (
        "exact" if value == math.inf else f"{number(value, 3)} dB" if math.isfinite(value) else number(value)
    )


def duration(seconds: float) -> str:
    """Write a time: 0.4 s, 12 s, 3 min 20 s."""
    if not math.isfinite(seconds):
        return number(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def milliseconds(seconds: float) -> str:
    """Write a time that is always short: 312 ms, 4.25 ms."""
    return f"{number(seconds * 1000, 3)} ms"


def size(count: float) -> str:
    """Write a size in decimal units, as phones and app stores do: 12 bytes, 200 MB, 271.6 MB."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 0.99995 * 10**power:  # 999,990 bytes are no 1000 kB
            return f"{count / 10**power:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count:.0f} bytes"


MINUS = "\N{MINUS SIGN}"
