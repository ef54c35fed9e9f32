"""Figures of runs against what a hand computes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.benchmark.result import Switch, Switching
from edgekit.benchmark.statistics import (
    METRIC,
    decode_after_first,
    latencies,
    percentile,
    summaries,
    switch_summary,
)
from tests.benchmark.results import result, run


def test_latencies_leave_out_the_token_that_was_held_back() -> None:
    assert latencies(run()) == pytest.approx([0.02, 0.02, 0.02])


def test_decode_after_the_first_token_counts_the_steps_between_first_and_last_callback() -> None:
    # 5 tokens take 5 steps; the first callback comes after step 2, the last after step 5: 3 steps in 0.06 s.
    assert decode_after_first(run()) == pytest.approx(50.0)
    assert decode_after_first(replace(run(), stamps=())) is None
    assert decode_after_first(replace(run(), decode_tokens=2)) is None


def test_a_percentile_lies_between_neighbours() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 95) == pytest.approx(4.8)
    assert percentile([], 95) is None


def test_warm_up_runs_count_nowhere() -> None:
    found = summaries(result(40.0, 50.0, 60.0).cases[0])
    assert (found["decode"].count, found["decode"].median) == (3, 50.0)
    assert (found["init_cold"].median, found["init_warm"].median) == (0.4, 0.1)
    assert found["p50"].median == pytest.approx(0.02)
    assert found["rss"].median == 1000


def test_a_switch_lasts_until_the_other_adapter_has_been_fed() -> None:
    switches = tuple(Switch(0.001, first, 0.0005) for first in (0.002, 0.003, 0.004, 0.9))
    summary = switch_summary(Switching(("a", "b"), switches))
    assert summary is not None
    assert (summary.count, summary.switch, summary.word) == (4, pytest.approx(0.0045), 0.0005)
    assert summary.low is not None and summary.high is not None
    assert 0.003 <= summary.low < summary.switch < summary.high
    one = switch_summary(Switching(("a", "b"), switches[:1]))
    assert one is not None and (one.switch, one.low, one.high) == (pytest.approx(0.003), None, None)
    assert switch_summary(Switching(("a", "b"), (), "not finished")) is None


def test_every_metric_says_which_way_is_good() -> None:
    assert {name for name, metric in METRIC.items() if metric.better == "higher"} == {
        "prefill",
        "decode",
        "decode_after_first",
    }
