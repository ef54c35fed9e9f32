"""Figures against what a hand computes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.benchmark.compare import compare, failed_gates, parse_gate
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import (
    BenchResult,
    CaseResult,
    Check,
    EngineInfo,
    Init,
    Run,
    Switch,
    Switching,
    read_result,
)
from edgekit.benchmark.statistics import (
    METRIC,
    decode_after_first,
    latencies,
    median_interval,
    median_ratio,
    percentile,
    summaries,
    summarize,
    switch_summary,
)
from edgekit.bundle.identity import BundleIdentity
from edgekit.device.info import DeviceInfo
from edgekit.errors import InputError

PLAN = BenchPlan((8,), (5,), threads=(2,), runs=3)
CASE = PLAN.cases()[0]


def run(first: float = 0.1, step: float = 0.02, warmup: bool = False, decode: float = 50.0) -> Run:
    """A run of 5 tokens as the engine hands them out: each with the next step, the last two at once."""
    stamps = (first, first + step, first + 2 * step, first + 3 * step, first + 3 * step)
    return Run(warmup, 8, 5, first, first + 3 * step, stamps, 80.0, decode, 0.09, 1000, 500)


def result(*decodes: float, target: str = "host") -> BenchResult:
    runs = (run(warmup=True, decode=1.0), *(run(decode=speed) for speed in decodes))
    case = CaseResult(CASE, (Init(True, 0.4), Init(False, 0.1)), runs, cache_bytes=12)
    return BenchResult(
        target,
        DeviceInfo("host", target),
        BundleIdentity("demo", "demo.litertlm", 10, "ab" * 32),
        EngineInfo("LiteRT-LM", "0.18.1", "edgekit"),
        PLAN,
        (case,),
        Check("hi", "there"),
    )


def test_latencies_leave_out_the_token_that_was_held_back() -> None:
    assert latencies(run()) == pytest.approx([0.02, 0.02, 0.02])


def test_decode_after_the_first_token_counts_the_steps_between_first_and_last_callback() -> None:
    # 5 tokens take 5 steps; the first callback comes after step 2, the last after step 5: 3 steps in 0.06 s.
    assert decode_after_first(run()) == pytest.approx(50.0)
    assert decode_after_first(replace(run(), stamps=())) is None
    assert decode_after_first(replace(run(), decode_tokens=2)) is None


def test_a_summary_by_hand() -> None:
    summary = summarize([4.0, 1.0, 3.0, 2.0])
    assert summary is not None
    assert (summary.count, summary.median, summary.low, summary.high) == (4, 2.5, 1.75, 3.25)
    assert (summary.minimum, summary.maximum, summary.mean) == (1.0, 4.0, 2.5)
    assert summary.deviation == pytest.approx((5 / 3) ** 0.5)
    assert summarize([]) is None
    single = summarize([7.0])
    assert single is not None and single.deviation == 0.0
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 95) == pytest.approx(4.8)


def test_warm_up_runs_count_nowhere() -> None:
    found = summaries(result(40.0, 50.0, 60.0).cases[0])
    assert (found["decode"].count, found["decode"].median) == (3, 50.0)
    assert (found["init_cold"].median, found["init_warm"].median) == (0.4, 0.1)
    assert found["p50"].median == pytest.approx(0.02)
    assert found["rss"].median == 1000


def test_the_ratio_of_medians_and_its_interval() -> None:
    ratio = median_ratio([11.0, 12.0, 13.0], [10.0, 10.0, 10.0], paired=False)
    assert ratio is not None
    assert ratio.value == pytest.approx(1.2)
    assert ratio.low is not None and ratio.high is not None
    assert 1.1 <= ratio.low <= 1.2 <= ratio.high <= 1.3
    single = median_ratio([2.0], [1.0, 1.0], paired=True)
    assert single is not None and (single.value, single.low, single.paired) == (2.0, None, False)
    assert median_ratio([1.0], [0.0], paired=False) is None
    assert median_ratio([], [1.0], paired=False) is None


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


def test_the_interval_of_a_median_holds_it_and_shrinks_with_more_values() -> None:
    few = median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    many = median_interval([1.0, 2.0, 3.0, 4.0, 5.0] * 40)
    assert few is not None and many is not None
    assert few[0] < 3.0 < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert median_interval([1.0]) is None


def test_pairs_cancel_what_slows_both_sides() -> None:
    """A machine that is twice as slow every other round: the ratio of each round is 1.1 all the same."""
    generator = np.random.default_rng(1)
    old = [100.0 * (1 + round_number % 2) + generator.normal() for round_number in range(20)]
    new = [1.1 * value for value in old]
    paired, apart = median_ratio(new, old, paired=True), median_ratio(new, old, paired=False)
    assert paired is not None and apart is not None
    assert (paired.low, paired.high) == (pytest.approx(1.1), pytest.approx(1.1))
    assert apart.low is not None and apart.high is not None and apart.high - apart.low > 0.5


def test_a_difference_within_the_interval_is_no_difference() -> None:
    noisy = compare(result(40.0, 50.0, 60.0), result(41.0, 51.0, 59.0), interleaved=True)
    clear = compare(result(80.0, 81.0, 82.0), result(40.0, 41.0, 42.0), interleaved=True)
    assert [c.verdict for c in noisy if c.metric == "decode"] == ["same"]
    assert [c.verdict for c in clear if c.metric == "decode"] == ["better"]


def test_other_cases_cannot_be_compared() -> None:
    other = replace(result(1.0), cases=(replace(result(1.0).cases[0], case=replace(CASE, prefill=9)),))
    with pytest.raises(InputError, match="no case in common"):
        compare(result(1.0), other, interleaved=False)


# --- gates -------------------------------------------------------------------------------------------------------


def test_gates_in_words() -> None:
    gate = parse_gate("decode < 0.95x")
    assert (gate.metric, gate.sign, gate.bound, gate.relative) == ("decode", "<", 0.95, True)
    assert parse_gate("ttft>500ms").bound == 0.5
    assert parse_gate("rss > 300 MB").bound == 300e6
    assert parse_gate("decode < 40").bound == 40.0


@pytest.mark.parametrize("text", ["decode", "decode = 3", "speed < 3", "decode < 3 ms", "decode < fast", ""])
def test_what_is_no_gate_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_gate(text)
    assert caught.value.where == "--fail-if"


def test_a_relative_gate_both_ways() -> None:
    slower = compare(result(44.0, 45.0, 46.0), result(50.0, 50.0, 50.0), interleaved=True)
    assert failed_gates([parse_gate("decode < 0.95x")], [], slower) == [
        "decode < 0.95x: 0.900x for cpu t2 pp8 tg5, against demo"
    ]
    assert failed_gates([parse_gate("decode < 0.85x")], [], slower) == []


def test_an_absolute_gate_both_ways() -> None:
    measured = [result(44.0, 45.0, 46.0)]
    assert failed_gates([parse_gate("decode < 46")], measured, []) == [
        "decode < 46: 45 for cpu t2 pp8 tg5 on host"
    ]
    assert failed_gates([parse_gate("decode < 45")], measured, []) == []


def test_a_gate_that_nothing_was_measured_for_fails() -> None:
    assert failed_gates([parse_gate("energy > 3")], [result(1.0)], []) == [
        "energy > 3: energy was not measured"
    ]


# --- the schema --------------------------------------------------------------------------------------------------


def test_a_result_survives_json_with_every_run() -> None:
    before = result(40.0, 50.0, 60.0)
    values = json.loads(json.dumps(before.to_json(), allow_nan=False))
    assert values["schema_version"] == 1
    assert values["cases"][0]["summary"]["decode"]["median"] == 50.0
    assert len(values["cases"][0]["runs"]) == 4
    assert BenchResult.from_json(values) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("schema_version"), "schema_version is missing"),
        (lambda values: values.update(schema_version=2), "newer edgekit"),
        (
            lambda values: values["cases"][0]["runs"][0].pop("warmup"),
            r"cases\[0\]\.runs\[0\]\.warmup is missing",
        ),
        (lambda values: values["device"].update(kind="toaster"), "device.kind must be 'android' or 'host'"),
        (lambda values: values["cases"][0]["runs"][0].update(ttft=True), "ttft must be a number, not true"),
    ],
)
def test_a_damaged_result_names_its_key(change: object, message: str) -> None:
    values = result(1.0).to_json()
    change(values)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        BenchResult.from_json(values)


def test_a_file_that_is_no_result_is_named(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "result.json"
    for text, message in (("{", "is not JSON"), ("[]", "not an object")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_result(path)
    with pytest.raises(InputError, match="no such file"):
        read_result(path.with_name("absent.json"))


def test_a_failure_of_each_kind_is_told() -> None:
    failed = replace(result(1.0).cases[0], failure="it crashed")
    told = replace(result(1.0), cases=(failed,), check=Check("hi", "a", "b")).failures
    assert told == ("cpu t2 pp8 tg5: it crashed", "greedy check: says 'a', expected 'b'")


def test_every_metric_says_which_way_is_good() -> None:
    assert {name for name, metric in METRIC.items() if metric.better == "higher"} == {
        "prefill",
        "decode",
        "decode_after_first",
    }
