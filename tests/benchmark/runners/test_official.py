"""Other people's tools: the text of Google's binaries, the JSON of llama-bench. Neither runs here.

The samples below are written after the formats as the projects document them, with figures of our own; a script in the
tool's place shows that the command line and the process are handled, not that a real build was seen.
"""

import json
from pathlib import Path

import pytest

from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.runners.llama_cpp import measure_llama, parse_peer, read_llama_bench
from edgekit.benchmark.runners.official import measure_official, official_command, parse_output
from edgekit.device.info import DeviceInfo
from edgekit.errors import InputError, MissingToolError

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


def tool(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


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
def test_a_binary_that_fails_is_a_failure(tmp_path: Path, body: str, reason: str) -> None:
    runner = tool(tmp_path / "litert_lm_main", body)
    assert reason in str(measure_official(runner, PLAN, CASE, Path("m")).failure)


def test_a_binary_that_is_not_there_is_a_missing_tool(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError):
        measure_official(tmp_path / "absent", PLAN, CASE, Path("m"))


# --- llama.cpp ---------------------------------------------------------------------------------------------------


def entry(prompt: int, output: int, *speeds: float) -> dict[str, object]:
    return {
        "model_type": "gemma3 270M Q8_0",
        "n_threads": 4,
        "n_prompt": prompt,
        "n_gen": output,
        "n_depth": 0,
        "avg_ts": sum(speeds) / len(speeds),
        "samples_ts": list(speeds),
    }


def test_samples_of_prompt_and_output_become_runs() -> None:
    outputs = [json.dumps([entry(256, 0, 470.0, 480.0)]), json.dumps([entry(0, 128, 52.0, 54.0)])]
    measured = read_llama_bench(CASE, outputs)
    assert [(run.prefill_tps, run.decode_tps) for run in measured.measured] == [(470.0, 52.0), (480.0, 54.0)]


@pytest.mark.parametrize("output", ["", "{}", "[{}]", "[]", "null"])
def test_output_that_is_not_as_documented_is_a_failure(output: str) -> None:
    assert read_llama_bench(CASE, [output]).failure is not None


def test_llama_bench_is_asked_for_the_same_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, values in (("pp", entry(256, 0, 470.0)), ("tg", entry(0, 128, 52.0))):
        (tmp_path / name).write_text(json.dumps([values]))
    tool(
        tmp_path / "llama-bench",
        'echo "$@" >> "$0.calls"; case "$*" in *"-p 0 "*) cat "${0%/*}/tg";; *) cat "${0%/*}/pp";; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    measured = measure_llama(PLAN, parse_peer(f"llama.cpp={model}"), DeviceInfo("host", "host"))
    assert measured.failures == ()
    prompt, output = (tmp_path / "llama-bench.calls").read_text().splitlines()
    assert "-p 256 -n 0 -d 0" in prompt and "-t 4" in prompt
    assert "-p 0 -n 128 -d 256" in output


def test_only_llama_cpp_is_a_peer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        parse_peer(f"llama.cpp={tmp_path / 'absent.gguf'}")
