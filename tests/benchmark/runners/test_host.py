"""The real engine on this machine, in its child process: figures, failures, order, and what the command makes of them.

The official binding, litert_lm, is the judge of token counts and of the greedy answer.
"""

import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.benchmark import process as runner
from edgekit.benchmark.bench import bench
from edgekit.benchmark.plan import BenchPlan, RunnerTask
from edgekit.benchmark.process import exit_failure, read_events, run_here
from edgekit.benchmark.result import BenchResult, read_result
from edgekit.benchmark.runners.host import Step, measure_host, schedule
from edgekit.benchmark.statistics import latencies, summaries
from edgekit.bundle.subject import open_subject
from edgekit.conversion.convert import convert
from edgekit.errors import BundleError, GateError, InputError, MissingToolError
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from edgekit.text.generation import GREEDY

SMALL = BenchPlan((32,), (16,), threads=(2,), runs=2)
QUESTION = "my screen is too dark"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(demo_path, tmp_path_factory.mktemp("bench") / "demo", check=False).bundle


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    target = tmp_path_factory.mktemp("bench") / "demo-float"
    return convert(demo_path, target, recipe="float32", check=False).bundle


def model_of(bundle: Path) -> str:
    return str(next(bundle.glob("*.litertlm")))


def measure(plan: BenchPlan, *bundles: Path, **options: Any) -> tuple[BenchResult, ...]:
    with ExitStack() as stack:
        return measure_host(plan, [stack.enter_context(open_subject(path)) for path in bundles], **options)


# --- figures -----------------------------------------------------------------------------------------------------


def test_a_run_has_the_lengths_and_times_that_were_asked_for(bundle: Path) -> None:
    (result,) = measure(SMALL, bundle)
    (case,) = result.cases
    assert case.failure is None
    assert [run.warmup for run in case.runs] == [True, False, False]
    assert [init.cold for init in case.inits] == [True, False]
    assert case.cache_bytes and case.cache_bytes > 1_000_000
    for run in case.measured:
        assert (run.prefill_tokens, run.decode_tokens) == (32, 16)
        assert run.stamps[0] == pytest.approx(run.ttft, abs=1e-6)
        assert run.ttft is not None and run.total is not None and 0 < run.ttft < run.total
        assert list(run.stamps) == sorted(run.stamps)
        assert run.rss_peak and run.private and run.rss_peak > run.private > 10_000_000
        # The figure that LiteRT-LM derives: prefill time and one mean decode step.
        assert run.prefill_tps and run.decode_tps
        # It counts in whole nanoseconds.
        derived = 32 / run.prefill_tps + 1 / run.decode_tps
        assert run.engine_ttft == pytest.approx(derived, abs=2e-9)
    assert set(summaries(case)) >= {
        "prefill",
        "decode",
        "decode_after_first",
        "ttft",
        "p50",
        "p95",
        "p99",
        "rss",
    }
    assert result.bundle.sha256 and result.device.cores and result.engine.version


def test_the_engine_hands_out_a_token_one_step_late(bundle: Path) -> None:
    """What `HELD_BACK` says of this release: the last two callbacks come at once, without a step between them."""
    outcome = run_here(
        RunnerTask(model_of(bundle), threads=1, prefill=32, decode=6, warmup=1, runs=5), timeout=60
    )
    seen = [run for run in outcome.runs if len(run.stamps) == 6]
    assert seen, "the model ended its answer: ask for fewer tokens"
    # The median: a machine may be busy for a moment in any one run.
    last = statistics.median(run.stamps[-1] - run.stamps[-2] for run in seen)
    assert last < statistics.median(step for run in seen for step in latencies(run)) / 2


def test_the_cache_is_filled_to_the_depth_before_the_prompt(bundle: Path) -> None:
    plan = BenchPlan((16,), (8,), depth=(0, 300), threads=(2,), runs=1)
    (result,) = measure(plan, bundle)
    assert (result.failures == () and result.notes == ()) or all("seen" in note for note in result.notes)
    assert [run.prefill_tokens for case in result.cases for run in case.runs] == [16] * 4


def test_cold_starts_find_no_engine_cache(bundle: Path) -> None:
    plan = BenchPlan((16,), (8,), threads=(2,), runs=2, cold=True)
    (result,) = measure(plan, bundle)
    assert [init.cold for init in result.cases[0].inits] == [True, True]
    assert len(result.cases[0].measured) == 2


def test_the_greedy_answer_is_the_bindings_own(bundle: Path) -> None:
    plan = BenchPlan((16,), (4,), threads=(2,), runs=1, check_prompt=QUESTION)
    (result,) = measure(plan, bundle)
    with (
        ask(Path(model_of(bundle)), threads=2) as session,
        session.talk(Decoding(sampler=GREEDY, max_tokens=plan.check_tokens)) as chat,
    ):
        expected = chat.say(QUESTION).text
    assert result.check is not None and result.check.text == expected and "brightness" in expected


# --- failures ----------------------------------------------------------------------------------------------------


def test_a_prompt_above_the_kv_length_is_a_failure_of_its_case_alone(bundle: Path) -> None:
    plan = BenchPlan((16, 300), (8,), threads=(2,), runs=1, kv_length=128)
    (result,) = measure(plan, bundle)
    fits, exceeds = result.cases
    assert fits.failure is None and len(fits.measured) == 1
    assert exceeds.failure is not None
    assert "too long" in exceeds.failure and "KV length" in exceeds.failure
    assert exceeds.runs == ()


def test_an_output_that_does_not_fit_is_a_failure(bundle: Path) -> None:
    (result,) = measure(BenchPlan((100,), (60,), threads=(2,), runs=1, kv_length=128), bundle)
    assert "KV length" in str(result.cases[0].failure)


def test_a_native_abort_is_reported_and_ends_nothing_else(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when memory ends, the engine throws and nothing catches: the process aborts in the middle of its runs."""
    here = runner.host_runner()
    aborting = tmp_path / here.name
    aborting.write_text(f'#!/bin/sh\n(sleep 0.3; kill -ABRT $$) >/dev/null 2>&1 &\nexec "{here}" "$@"\n')
    aborting.chmod(0o755)
    monkeypatch.setattr(runner, "PREBUILT", tmp_path)
    plan = replace(SMALL, prefill=(32, 64), runs=500)
    report = bench(bundle, plan=plan, reports=tmp_path / "reports")
    cases = report.results[0].cases
    assert len(cases) == 2
    for case in cases:
        assert "the engine's process was ended by SIGABRT" in str(case.failure)
    with pytest.raises(GateError):
        report.check()
    assert "SIGABRT" in report.files[1].read_text()


def test_a_process_that_takes_too_long_ends_itself(bundle: Path) -> None:
    task = RunnerTask(model_of(bundle), threads=1, prefill=32, decode=3500, runs=200, timeout_s=1)
    outcome = run_here(task, timeout=1)
    assert outcome.failure == "not finished after 1 s"
    assert outcome.init_seconds is not None


def test_a_corrupt_model_is_a_failure_with_the_engines_reason(tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "cut.litertlm"
    path.write_bytes(Path(model_of(bundle)).read_bytes()[:100_000])
    (result,) = measure(SMALL, path)
    assert str(result.cases[0].failure).startswith("the engine says: ")
    with pytest.raises(BundleError, match="no such file"):
        measure(SMALL, tmp_path / "absent.litertlm")


@pytest.mark.parametrize(
    "task",
    [
        "",
        "{",
        "{}",
        '{"model": 3}',
        '{"model": "m", "unknown": 1}',
        '{"model": "m", "threads": -1}',
        '{"model": "m"',
    ],
)
def test_the_runner_refuses_what_is_no_task(task: str) -> None:
    done = _run_runner(task)
    assert done.returncode == 1
    assert [event["event"] for event in read_events(done.stdout.splitlines())] == ["start", "error"]


def test_the_runner_reads_a_task_from_a_file_and_every_letter(tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "task.json"
    question = 'skjermen er "for" lys \\ \u97f3\u91cf \U0001f600\n'
    task = RunnerTask(model_of(bundle), check_prompt=question, check_tokens=4)
    path.write_text(json.dumps(json.loads(task.to_json()), indent=2))
    done = _run_runner(str(path))
    assert done.returncode == 0, done.stdout
    with (
        ask(Path(model_of(bundle))) as session,
        session.talk(Decoding(sampler=GREEDY, max_tokens=4)) as chat,
    ):
        expected = chat.say(question).text
    (answer,) = [event for event in read_events(done.stdout.splitlines()) if event["event"] == "check"]
    assert "".join(part["text"] for part in answer["message"]["content"]) == expected


def _run_runner(argument: str) -> "subprocess.CompletedProcess[str]":
    from edgekit.benchmark.process import engine_directory, host_runner

    return subprocess.run(
        [str(host_runner()), argument],
        env={"LD_LIBRARY_PATH": str(engine_directory())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_exit_statuses_in_words() -> None:
    assert exit_failure(0, "anything", 1) is None
    assert exit_failure(-14, "", 2.5) == "not finished after 2.5 s"
    log = "I0000 noise\nF0000 00:00 7 numbers.cc:3] Check failed: no CPUs\n"
    assert exit_failure(-6, log, 1) == "the engine's process was ended by SIGABRT: Check failed: no CPUs"
    assert exit_failure(71, "", 1) == "the runner ended with status 71"


# --- order -------------------------------------------------------------------------------------------------------


def test_two_bundles_take_turns() -> None:
    plan = BenchPlan((16, 32), (8,), runs=3)
    short, long = plan.cases()
    turns = [(step.side, step.case) for step in schedule(plan, 2) if step.runs]
    assert turns == [(0, short), (1, short)] * 3 + [(0, long), (1, long)] * 3
    opened = [step for step in schedule(plan, 2) if not step.runs]
    assert [(step.side, step.cold) for step in opened] == [(0, True), (1, True)]


def test_the_processes_really_run_in_turns(bundle: Path, float_bundle: Path) -> None:
    order: list[Step] = []
    plan = BenchPlan((16,), (8,), threads=(2,), runs=3)
    ours, theirs = measure(plan, bundle, float_bundle, observe=order.append)
    assert [step.side for step in order] == [0, 1] * 4
    assert len(ours.cases[0].measured) == len(theirs.cases[0].measured) == 3
    assert ours.bundle.recipe == "int8" and theirs.bundle.recipe == "float32"


# --- the call and the command ------------------------------------------------------------------------------------


def test_reports_are_written_into_the_bundle_and_read_back(bundle: Path) -> None:
    report = bench(bundle, plan=SMALL)
    names = [path.relative_to(bundle).as_posix() for path in report.files]
    assert names == ["reports/bench-host.json", "reports/bench-host.html"]
    assert read_result(report.files[0]) == report.results[0]
    page = report.files[1].read_text()
    assert (
        "<svg" in page
        and "cpu t2 pp32 tg16" in page
        and "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    )
    assert report.problems == ()


def test_against_a_baselines_json_and_gates_both_ways(tmp_path: Path, bundle: Path) -> None:
    baseline = bench(bundle, plan=SMALL, reports=tmp_path).files[0]
    passes = bench(bundle, plan=SMALL, compare_with=baseline, fail_if=["decode < 0.01x"], reports=tmp_path)
    fails = bench(bundle, plan=SMALL, compare_with=baseline, fail_if=["decode < 100x"], reports=tmp_path)
    passes.check()
    with pytest.raises(GateError, match="decode < 100x: "):
        fails.check()
    assert {"decode", "prefill", "ttft"} <= {comparison.metric for comparison in passes.comparisons}


def test_an_imported_result_stands_in_for_a_measurement(
    tmp_path: Path, bundle: Path, float_bundle: Path
) -> None:
    values = json.loads(bench(bundle, plan=SMALL, reports=tmp_path).files[0].read_text())
    values |= {"target": "Pixel 9", "device": {"kind": "android", "name": "Pixel 9", "soc": "Tensor G4"}}
    phone = tmp_path / "phone.json"
    phone.write_text(json.dumps(values))
    report = bench(bundle, imports=[phone], reports=tmp_path / "out")
    assert [path.name for path in report.files] == ["bench-Pixel_9.json", "bench-Pixel_9.html"]
    assert report.results[0].device.soc == "Tensor G4"
    other = bench(float_bundle, imports=[phone], reports=tmp_path / "out")
    assert "another model file" in other.results[0].notes[-1]


def test_what_contradicts_is_refused_before_anything_is_measured(bundle: Path) -> None:
    with pytest.raises(InputError, match="needs a baseline"):
        bench(bundle, fail_if=["decode < 0.9x"])
    with pytest.raises(InputError, match="exclude each other"):
        bench(bundle, runner="x", device="y")
    with pytest.raises(InputError, match="for a device"):
        bench(bundle, engine="x")
    with pytest.raises(InputError, match="need edgekit's own runner"):
        bench(bundle, runner="x", plan=replace(SMALL, cold=True))
    with pytest.raises(InputError, match="write it as"):
        bench(bundle, peer="vllm=x")


def test_a_peer_that_is_not_installed_is_a_missing_tool(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="llama-bench is not on PATH"):
        bench(bundle, plan=SMALL, peer=f"llama.cpp={model}", reports=tmp_path)


def command(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edgekit", "bench", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


FEW = ("--prefill", "16", "--decode", "8", "--threads", "2", "--runs", "1")


def test_the_command_in_its_forms(tmp_path: Path, bundle: Path, float_bundle: Path) -> None:
    shown = command(bundle, *FEW, "-o", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "cpu t2 pp16 tg8" in shown.stdout and "bench-host.html" in shown.stdout
    pasted = command(bundle, *FEW, "-o", tmp_path, "--markdown")
    assert pasted.stdout.startswith("| target | model | case |")
    told = json.loads(command(bundle, *FEW, "-o", tmp_path, "--json", "--compare", float_bundle).stdout)
    assert [result["bundle"]["recipe"] for result in told["results"]] == ["int8", "float32"]
    assert {"decode", "ttft"} <= {comparison["metric"] for comparison in told["comparisons"]}
    assert told["problems"] == []


def test_exit_codes_of_the_command(tmp_path: Path, bundle: Path) -> None:
    gate = command(bundle, *FEW, "-o", tmp_path, "--fail-if", "decode < 1e9")
    assert gate.returncode == 1 and "decode < 1e9" in gate.stderr
    broken = command(bundle, *FEW, "--kv-length", "8", "-o", tmp_path)
    assert broken.returncode == 1 and "KV length" in broken.stderr
    assert command(tmp_path / "absent").returncode == 2
    assert command(bundle, "--prefill", "many").returncode == 2
    assert command(bundle, "--prefill", "16", "--import", "phone.json").returncode == 2
    assert command(bundle, "--peer", f"llama.cpp={bundle}").returncode == 2
