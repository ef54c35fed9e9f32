"""Google's own binaries, which do not run here.

The samples below are written after the formats as the project documents them, with figures of our own; a script in the
tool's place shows that the command line and the process are handled, not that a real build was seen.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.runners.official import (
    OfficialRunner,
    measure_official,
    official_command,
    parse_output,
)
from edgekit.errors import MissingToolError
from edgekit.progress import SILENT
from tests.benchmark.boards import subject
from tests.benchmark.runners.tools import tool

PLAN = BenchPlan((256,), (128,), threads=(4,), warmup=1, runs=2, kv_length=1024)
CASE = PLAN.cases()[0]

MILLISECONDS = """
BenchmarkInfo:
  Init Phases (3):
    - Executor initialization: 612.40 ms
    - Model assets: 3.10 ms
    - Tokenizer initialization: 88.00 ms
    Total init time: 703.50 ms
--------------------------------------------------
  Time to first token: 0.41 s
--------------------------------------------------
  Prefill Turns (Total 1 turns):
    Prefill Turn 1: Processed 256 tokens in 395.2ms duration.
      Prefill Speed: 647.77 tokens/sec.
--------------------------------------------------
  Decode Turns (Total 1 turns):
    Decode Turn 1: Processed 128 tokens in 2.31s duration.
      Decode Speed: 55.41 tokens/sec.
--------------------------------------------------
"""
SECONDS_AND_TURNS = """
I0000 noise.cc:1] hello
BenchmarkInfo:
  Init Total: 1.25 s
  Time to first token: 512.5 ms
  Prefill Turn 1: Processed 20 tokens in 100ms duration.
    Prefill Speed: 200.00 tokens/sec.
  Prefill Turn 2: Processed 256 tokens in 256ms duration.
    Prefill Speed: 1000.00 tokens/sec.
  Decode Turn 1: Processed 10 tokens in 1s duration.
    Decode Speed: 10.00 tokens/sec.
  Decode Turn 2: Processed 128 tokens in 2s duration.
    Decode Speed: 64.00 tokens/sec.
Peak system ram usage: 512.00MB
"""
MICROSECONDS = """
Init Total: 703500 us
Time to first token: 410000 us
Prefill Speed: 6.5e2 tokens/sec.
Decode Speed: 55 tokens/sec.
"""


def test_an_older_version_in_milliseconds() -> None:
    figures = parse_output(MILLISECONDS)
    assert figures.init == pytest.approx(0.7035)
    assert figures.engine_ttft == pytest.approx(0.41)
    assert (figures.prefill_tps, figures.decode_tps) == (647.77, 55.41)
    assert (figures.prefill_tokens, figures.decode_tokens, figures.memory) == (256, 128, None)


def test_the_last_turn_counts() -> None:
    figures = parse_output(SECONDS_AND_TURNS)
    assert (figures.init, figures.engine_ttft) == (1.25, pytest.approx(0.5125))
    assert (figures.prefill_tps, figures.decode_tps) == (1000.0, 64.0)
    assert (figures.prefill_tokens, figures.decode_tokens, figures.memory) == (256, 128, 512 * 2**20)


def test_microseconds_mean_the_same() -> None:
    figures = parse_output(MICROSECONDS)
    assert (figures.init, figures.engine_ttft) == (pytest.approx(0.7035), pytest.approx(0.41))
    assert (figures.prefill_tps, figures.decode_tps) == (650.0, 55.0)


def test_text_without_figures_has_none() -> None:
    assert parse_output("usage: litert_lm_main --model_path=…") == parse_output("")


@pytest.mark.slow
def test_each_run_is_a_process_with_the_documented_flags(tmp_path: Path) -> None:
    (tmp_path / "sample").write_text(MILLISECONDS)
    runner = tool(tmp_path / "litert_lm_main", 'echo "$@" >> "$0.calls"; cat "$(dirname "$0")/sample"')
    measured = measure_official(runner, PLAN, CASE, Path("m.litertlm"))
    assert [run.warmup for run in measured.runs] == [True, False, False]
    assert measured.failure is None and measured.runs[0].decode_tps == 55.41
    calls = (tmp_path / "litert_lm_main.calls").read_text().splitlines()
    assert calls == [" ".join(official_command(runner, PLAN, CASE, Path("m.litertlm"))[1:])] * 3
    assert "--benchmark_prefill_tokens=256" in calls[0] and "--num_cpu_threads=4" in calls[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo hello", "printed no figures"),
        ("echo 'Decode Speed: 0.0 tokens/sec.'", "decode speed of 0"),
        ("echo 'no such model' >&2; exit 3", "status 3: no such model"),
        ("kill -ABRT $$", "SIGABRT"),
    ],
)
@pytest.mark.slow
def test_a_binary_that_fails_is_a_failure(tmp_path: Path, body: str, reason: str) -> None:
    runner = tool(tmp_path / "litert_lm_main", body)
    assert reason in str(measure_official(runner, PLAN, CASE, Path("m")).failure)


@pytest.mark.slow
def test_a_binary_that_is_not_there_is_a_missing_tool(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError):
        measure_official(tmp_path / "absent", PLAN, CASE, Path("m"))


@pytest.mark.slow
def test_a_plan_is_measured_without_its_question(tmp_path: Path) -> None:
    (tmp_path / "sample").write_text(MILLISECONDS)
    binary = tool(tmp_path / "litert_lm_main", 'cat "$(dirname "$0")/sample"')
    plan = replace(PLAN, prefill=(128, 256), check_prompt="hello")
    ((result,),) = OfficialRunner(binary).measure(plan, [subject()], (), SILENT).targets
    assert (result.target, result.engine.runner, result.plan.check_prompt) == (
        "host, litert_lm_main",
        "litert_lm_main",
        None,
    )
    assert [len(case.measured) for case in result.cases] == [2, 2]
