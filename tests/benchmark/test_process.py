"""One runner process with the real engine: what it does with a task, and how each of its ends is told."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.benchmark.plan import SWITCHES, BenchPlan, RunnerTask, switch_task
from edgekit.benchmark.process import (
    engine_directory,
    exit_failure,
    files_here,
    host_runner,
    read_events,
    run_here,
)
from edgekit.benchmark.statistics import latencies
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.subject import open_subject
from tests.benchmark.greedy import greedy

pytestmark = pytest.mark.slow


def run_runner(argument: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(host_runner()), argument],
        env={"LD_LIBRARY_PATH": str(engine_directory())},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_engine_hands_out_a_token_one_step_late(demo_bundle: Path) -> None:
    """What `HELD_BACK` says of this release: the last two callbacks come at once, without a step between them."""
    task = RunnerTask(str(demo_bundle), threads=1, prefill=32, decode=6, warmup=1, runs=5, timeout_s=300)
    seen = [run for run in run_here(task).runs if len(run.stamps) == 6]
    assert seen, "the model ended its answer: ask for fewer tokens"
    # The median: a machine may be busy for a moment in any one run.
    last = statistics.median(run.stamps[-1] - run.stamps[-2] for run in seen)
    assert last < statistics.median(step for run in seen for step in latencies(run)) / 2


def test_a_process_that_takes_too_long_ends_itself(demo_bundle: Path) -> None:
    for seconds in (1, 8, 64):  # a busy machine may need more than the first to open the model
        task = RunnerTask(str(demo_bundle), threads=1, prefill=32, decode=3500, runs=5_000, timeout_s=seconds)
        outcome = run_here(task)
        assert outcome.failure == f"not finished after {seconds} s"
        if outcome.init_seconds is not None:
            return
    pytest.fail("what it said before its end is lost")


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
    done = run_runner(task)
    assert done.returncode == 1
    assert [event["event"] for event in read_events(done.stdout.splitlines())] == ["start", "error"]


def test_the_runner_reads_a_task_from_a_file_and_every_letter(tmp_path: Path, demo_bundle: Path) -> None:
    path = tmp_path / "task.json"
    question = 'skjermen er "for" lys \\ \u97f3\u91cf \U0001f600\n'
    task = RunnerTask(str(demo_bundle), check_prompt=question, check_tokens=4)
    path.write_text(json.dumps(json.loads(task.to_json()), indent=2))
    done = run_runner(str(path))
    assert done.returncode == 0, done.stdout
    (answer,) = [event for event in read_events(done.stdout.splitlines()) if event["event"] == "check"]
    assert "".join(part["text"] for part in answer["message"]["content"]) == greedy(
        demo_bundle, question, max_tokens=4
    )


def test_a_sidecar_that_is_not_there_is_a_failure(adapter_ready_bundle: Path, tmp_path: Path) -> None:
    model = str(open_bundle(adapter_ready_bundle).model_path)
    absent = RunnerTask(model, sidecar=str(tmp_path / "none"), prefill=16, decode=4, runs=1, timeout_s=300)
    assert "No such file" in str(run_here(absent).failure)
    alone = RunnerTask(model, switches=3, timeout_s=300)
    assert "switching needs sidecar and others" in str(run_here(alone).failure)


def test_switching_is_timed_between_all_that_were_named(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    with open_subject(adapter_ready_bundle, [sentiment_adapter, triage_adapter]) as subject:
        task = switch_task(BenchPlan((16,), (8,), threads=(1,), timeout=300), files_here(subject))
        assert len(task.others.splitlines()) == 1
        outcome = run_here(task)
    assert outcome.failure is None
    assert len(outcome.switches) == SWITCHES
    assert min(min(switch.session, switch.first, switch.again) for switch in outcome.switches) > 0


def test_exit_statuses_in_words() -> None:
    assert exit_failure(0, "anything", 1) is None
    assert exit_failure(-14, "", 2.5) == "not finished after 2.5 s"
    log = "I0000 noise\nF0000 00:00 7 numbers.cc:3] Check failed: no CPUs\n"
    assert exit_failure(-6, log, 1) == "the engine's process was ended by SIGABRT: Check failed: no CPUs"
    assert exit_failure(71, "", 1) == "the runner ended with status 71"


@given(st.text(), st.integers(0, 60))
def test_a_line_that_death_cut_off_is_no_event(text: str, cut: int) -> None:
    whole = json.dumps({"event": "run", "text": text})
    assert read_events(["noise", whole, whole[: min(cut, len(whole) - 1)]]) == [
        {"event": "run", "text": text}
    ]
