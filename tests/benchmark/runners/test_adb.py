"""Benchmarks on a Linux device over real adb and a real adbd: what works, and everything that goes wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.benchmark.plan import SWITCHES, BenchPlan, RunnerTask
from edgekit.benchmark.process import answer_here
from edgekit.benchmark.report import result_json
from edgekit.benchmark.result import BenchResult, read_result
from edgekit.benchmark.runner import NO_OPTIONS
from edgekit.benchmark.runners import adb as remote
from edgekit.benchmark.runners.adb import AdbBoard, AdbRunner, measure_on_device
from edgekit.bundle.subject import open_subject
from edgekit.device.adb import Device, DeviceLost, choose_devices, list_devices
from edgekit.device.push import push
from edgekit.errors import MissingToolError
from edgekit.progress import SILENT
from tests.device.rig import PATIENCE, Board, Lab, interrupted, wait_for

pytestmark = pytest.mark.slow

PLAN = BenchPlan(prefill=(32,), decode=(8,), runs=3, threads=(1,), check_prompt="my screen is too dark")
LONG = BenchPlan(prefill=(128,), decode=(128,), runs=20_000)
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def board(lab: Lab) -> Board:
    return lab.board()


@pytest.fixture
def doomed(lab: Lab) -> Board:
    """A device of the test's own, to lose."""
    return lab.board()


def measure(device: Device, model: Path, plan: BenchPlan = PLAN, expected: str | None = None) -> BenchResult:
    with open_subject(model) as subject:
        (result,) = measure_on_device(device, plan, [subject], expected=[expected])
    return result


def test_a_bundle_is_measured_on_the_device(board: Board, demo_bundle: Path) -> None:
    with open_subject(demo_bundle) as subject:
        here = answer_here(PLAN, subject)
    assert here is not None
    result = measure(board.device, demo_bundle, expected=here)
    assert result.failures == ()
    assert (result.target, result.device.kind, result.device.abi) == (board.serial, "linux", "x86_64")
    assert result.device.cores == os.cpu_count()
    (case,) = result.cases
    assert [run.warmup for run in case.runs] == [True, False, False, False]
    assert all(run.prefill_tokens == 32 and run.decode_tokens == 8 for run in case.runs)
    assert [init.cold for init in case.inits] == [True, False]
    assert (case.cache_bytes or 0) > 1_000_000
    assert result.check is not None
    assert result.check.agrees
    assert BenchResult.from_json(json.loads(json.dumps(result_json(result)))) == result


def test_an_unchanged_bundle_is_not_pushed_again(
    board: Board, demo_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = pushed(monkeypatch)
    with open_subject(demo_bundle) as subject:
        for _ in range(2):
            with AdbBoard(board.device).place(subject):
                pass
    assert sent[1] == 0


def test_an_adapter_is_measured_and_switched_on_the_device(
    board: Board, adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    with open_subject(adapter_ready_bundle, [sentiment_adapter, triage_adapter]) as subject:
        here = answer_here(PLAN, subject)
        assert here is not None and '"sentiment"' in here
        (result,) = measure_on_device(board.device, PLAN, [subject], expected=[here])
    assert result.failures == ()
    assert result.bundle.title == "sentiment on settings-navigator"
    assert result.check is not None and result.check.agrees
    assert result.switching is not None
    assert result.switching.adapters == ("sentiment", "support-triage")
    assert len(result.switching.switches) == SWITCHES
    folder = board.data / "local/tmp/edgekit/models" / str(result.bundle.sha256)[:16]
    adapter = result.bundle.adapter
    assert adapter is not None
    assert (folder / f"{adapter.sha256[:16]}.lora.tflite").stat().st_size == adapter.size
    assert BenchResult.from_json(json.loads(json.dumps(result_json(result)))) == result


def test_a_base_that_takes_adapters_has_an_empty_sidecar_on_the_device(
    board: Board, adapter_ready_bundle: Path, demo_bundle: Path
) -> None:
    """Without one its inputs would be what the memory held: here it says what the plain bundle says."""
    with open_subject(demo_bundle) as plain:
        expected = answer_here(PLAN, plain)
    assert expected is not None
    result = measure(board.device, adapter_ready_bundle, expected=expected)
    assert result.failures == ()
    assert result.bundle.adapter is None


def test_a_fast_but_wrong_device_is_noticed(board: Board, demo_bundle: Path) -> None:
    result = measure(board.device, demo_bundle, expected="something else")
    assert "greedy check" in result.failures[0]


def test_the_runner_is_pinned_to_the_cores_that_were_asked_for(board: Board, demo_bundle: Path) -> None:
    nowhere = BenchPlan(prefill=(8,), decode=(4,), runs=1, cpus=(900,))
    (case,) = measure(board.device, demo_bundle, nowhere).cases
    assert "pin" in (case.failure or "")
    (case,) = measure(
        board.device, demo_bundle, BenchPlan(prefill=(8,), decode=(4,), runs=1, cpus=(0,))
    ).cases
    assert case.failure is None


def test_a_failing_case_is_told_with_the_engine_s_reason(board: Board, demo_bundle: Path) -> None:
    too_long = BenchPlan(prefill=(64, 8), decode=(4,), runs=1, kv_length=32)
    long, short = measure(board.device, demo_bundle, too_long).cases
    assert long.failure
    assert short.failure is None
    assert len(short.measured) == 1


def test_a_native_death_and_an_exit_status_are_told(board: Board, demo_bundle: Path) -> None:
    with open_subject(demo_bundle) as subject:
        there = AdbBoard(board.device)
        with there.place(subject) as files:
            task = RunnerTask(files.model, timeout_s=20)

    def run(command: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
        monkeypatch.setattr(remote, "runner_command", lambda info, task: command)
        return there.run(task).failure

    with pytest.MonkeyPatch.context() as patch:
        assert "status 7: no such thing" in (run("sh -c 'echo no such thing >&2; exit 7'", patch) or "")
        assert "SIGABRT" in (run("sh -c 'kill -ABRT $$'", patch) or "")
        assert "out of memory" in (run("sh -c 'kill -KILL $$'", patch) or "")


def test_a_run_that_takes_too_long_ends_there_too(board: Board, demo_bundle: Path) -> None:
    hurried = BenchPlan(**{**vars(LONG), "timeout": 1.0})
    (case,) = measure(board.device, demo_bundle, hurried).cases
    assert "after 1 s" in (case.failure or "")
    wait_for(lambda: not board.running("runner-linux"), "the end of the remote process")


def test_too_little_room_is_said_before_anything_is_sent(lab: Lab, demo_bundle: Path) -> None:
    small = lab.board(room="20m")
    with pytest.raises(
        MissingToolError, match=r"no space is left on the device: 1[\d.]+ MB are needed"
    ) as raised:
        measure(small.device, demo_bundle)
    assert "--clean" in (raised.value.remedy or "")
    assert list((small.data / "local/tmp/edgekit").glob("*.part")) == []
    small.kill()


def test_an_android_that_is_too_old_is_refused(lab: Lab, demo_bundle: Path) -> None:
    answers = "case $1 in *sdk) echo 23;; *release) echo 6.0;; *abi) echo arm64-v8a;; esac"
    old = lab.board(room="8m", scripts={"getprop": answers})
    with pytest.raises(MissingToolError, match=r"Android 6.0 \(API level 23\) is too old"):
        measure(old.device, demo_bundle)
    old.kill()


def test_too_little_memory_is_said_before_anything_is_sent(board: Board, demo_bundle: Path) -> None:
    with open_subject(demo_bundle) as subject:
        huge = replace(subject, info=replace(subject.info, size=10**15))
    with pytest.raises(MissingToolError, match="too little memory: the model needs about 1000"):
        measure_on_device(board.device, PLAN, [huge])


def test_a_device_lost_while_measuring_is_said_and_then_listed_offline(
    lab: Lab, doomed: Board, demo_bundle: Path
) -> None:
    with pytest.raises(DeviceLost, match="the device is gone"):
        interrupted(
            lambda: measure(doomed.device, demo_bundle, LONG),
            when=lambda: doomed.running("runner-linux"),
            then=doomed.kill,
        )

    def offline() -> bool:
        return any(d.serial == doomed.serial and d.state == "offline" for d in list_devices(lab.adb))

    wait_for(offline, "the state offline")
    with pytest.raises(MissingToolError, match="the device is offline"):
        choose_devices(list_devices(lab.adb), doomed.serial)
    lab.run("disconnect", doomed.serial)


def test_a_pulled_cable_ends_the_remote_process(lab: Lab, doomed: Board, demo_bundle: Path) -> None:
    with pytest.raises(DeviceLost):
        interrupted(
            lambda: measure(doomed.device, demo_bundle, LONG),
            when=lambda: doomed.running("runner-linux"),
            then=lambda: lab.run("disconnect", doomed.serial),
        )
    wait_for(lambda: not doomed.running("runner-linux"), "the end of the remote process")
    doomed.kill()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_or_killed_program_leaves_no_remote_process(
    board: Board, demo_bundle: Path, sent: signal.Signals
) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.benchmark.runners.test_adb import *; "
        "measure(Device(Path(sys.argv[1]), sys.argv[2]), Path(sys.argv[3]), LONG)"
    )
    arguments = [str(board.lab.adb), board.serial, str(demo_bundle)]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=REPOSITORY, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: board.running("runner-linux"), "the remote process")
    process.send_signal(sent)
    assert process.wait(timeout=PATIENCE) != 0
    wait_for(lambda: not board.running("runner-linux"), "the end of the remote process")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_the_command_line_stopped_on_two_devices_leaves_nothing_running(
    lab: Lab, board: Board, doomed: Board, demo_bundle: Path, sent: signal.Signals
) -> None:
    process = subprocess.Popen(
        edgekit_bench(demo_bundle, "--on", "adb:all", "--runs", "20000"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    for each in (board, doomed):
        wait_for(lambda each=each: each.running("runner-linux"), "the remote process")
    process.send_signal(sent)
    assert process.wait(timeout=PATIENCE) in (130, -sent)
    for each in (board, doomed):
        wait_for(lambda each=each: not each.running("runner-linux"), "the end of the remote process")
    doomed.kill()
    lab.run("disconnect", doomed.serial)


def test_the_command_line_measures_reports_and_cleans(
    board: Board, demo_bundle: Path, tmp_path: Path
) -> None:
    short = ("--prefill", "16", "--decode", "8", "--runs", "2", "--cpus", "big")
    words = edgekit_bench(
        demo_bundle.parent, "--on", f"adb:{board.serial}", *short, "--output", str(tmp_path)
    )
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert board.serial in done.stdout
    (written,) = tmp_path.glob("*.json")
    result = read_result(written)
    assert result.plan.cpus == tuple(range(os.cpu_count() or 1))
    assert result.check is not None
    assert result.check.agrees
    cleaned = subprocess.run(
        edgekit_bench("--on", f"adb:{board.serial}", "--clean"), capture_output=True, text=True, check=False
    )
    assert cleaned.returncode == 0, cleaned.stderr
    assert not (board.data / "local/tmp/edgekit").exists()


def test_the_command_line_exits_3_without_the_device(lab: Lab, demo_bundle: Path) -> None:
    done = subprocess.run(
        edgekit_bench(demo_bundle, "--on", "adb:nobody"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "no device has the serial nobody" in done.stderr


def edgekit_bench(*words: object) -> list[str]:
    return [sys.executable, "-m", "edgekit", "bench", *map(str, words)]


def test_two_devices_are_measured_at_once_and_bundles_in_turns(
    lab: Lab, board: Board, doomed: Board, demo_bundle: Path, float_bundle: Path
) -> None:
    listed = [d for d in list_devices(lab.adb) if d.serial in (board.serial, doomed.serial)]
    with pytest.raises(MissingToolError, match="2 devices are connected"):
        choose_devices(listed, None, {})
    plan = replace(PLAN, runs=2)
    with open_subject(demo_bundle) as ours, open_subject(float_bundle) as theirs:
        measured = AdbRunner("all", NO_OPTIONS).measure(plan, [ours, theirs], (), SILENT)
    assert measured.lost == ()
    assert {target[0].target for target in measured.targets} == {board.serial, doomed.serial}
    for target in measured.targets:
        assert [result.bundle.recipe for result in target] == ["int8", "float32"]
        assert [len(result.cases[0].measured) for result in target] == [2, 2]
        assert all(result.failures == () for result in target)
    doomed.kill()
    lab.run("disconnect", doomed.serial)


def pushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Keep how many bytes each push had to send."""
    sent: list[int] = []

    def counted(*arguments: Any, **options: Any) -> int:
        sent.append(push(*arguments, **options))
        return sent[-1]

    monkeypatch.setattr(remote, "push", counted)
    return sent
