"""The benchmark of a bundle on a device: push, run every case in a process of its own, take the figures home.

The remote process never outlives us: it is started under a shell that kills it when its own input ends, and adbd ends
that input whenever adb, the cable or this program goes away. Besides, the runner ends itself after the plan's timeout.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgekit.benchmark.plan import (
    BenchPlan,
    Case,
    Files,
    RunnerTask,
    check_task,
    init_task,
    run_task,
    switch_task,
)
from edgekit.benchmark.process import Outcome, exit_failure, outcome
from edgekit.benchmark.result import BenchResult, CaseResult, Check, EngineInfo, Init, Run, Switching
from edgekit.benchmark.runners.host import Step, keeps_inputs, schedule, sidecar_notes
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.sidecar import SIDECAR_SUFFIX
from edgekit.bundle.subject import Subject
from edgekit.device.adb import Device, DeviceLost, quote
from edgekit.device.facts import DIRECTORY, Facts, read_conditions, read_facts
from edgekit.device.info import Conditions, DeviceInfo
from edgekit.device.push import PushFile, push
from edgekit.errors import EdgekitError, MissingToolError
from edgekit.figures import size
from edgekit.files.digest import file_digest
from edgekit.progress import SILENT, Progress
from edgekit.runtime.library import LIBRARY, engine_library, engine_version

PREBUILT = Path(__file__).parents[1] / "native" / "prebuilt"
CACHE = f"{DIRECTORY}/cache"

_GRACE_SECONDS = 20.0
_LOOK_SECONDS = 0.5
_COOLER_SECONDS = 5.0
_WARMER_BY = 3.0
_MEMORY_BESIDE_MODEL = 128 << 20


@dataclass(frozen=True)
class Installation:
    """What is pushed, as the device names it. reads: what the runner is told of it."""

    info: DeviceInfo
    engine: str
    runner: str
    reads: Files
    files: tuple[PushFile, ...]


def plan_installation(info: DeviceInfo, subject: Subject, engine: Path) -> Installation:
    """Name the files that a device needs, and where they go; nothing is pushed yet.

    Every version of a model has a directory of its own, so that two can be compared without pushing them in turns.
    Sidecars lie beside it, each under its digest.
    """
    bundle = subject.info
    folder = f"{DIRECTORY}/models/{(bundle.sha256 or 'unknown')[:16]}"
    android = info.kind == "android"
    runner = f"librunner-android-{info.abi}.so" if android else f"runner-linux-{info.abi}"
    files = [
        PushFile(engine, f"{DIRECTORY}/{LIBRARY}", "755"),
        PushFile(PREBUILT / runner, f"{DIRECTORY}/{runner}", "755"),
        PushFile(subject.model, f"{folder}/{bundle.file}"),
    ]
    own = () if subject.sidecar is None else (subject.sidecar,)
    sidecars = [
        PushFile(path, f"{folder}/{file_digest(path)[:16]}{SIDECAR_SUFFIX}")
        for path in (*own, *(path for _, path in subject.others))
    ]
    if android:
        files.append(PushFile(PREBUILT / "runner.jar", f"{DIRECTORY}/runner.jar"))
    names = [file.remote for file in sidecars]
    reads = Files(files[2].remote, names[0] if names else "", tuple(names[1:]), CACHE)
    return Installation(info, files[0].remote, files[1].remote, reads, (*files, *sidecars))


def runner_command(installed: Installation, task: RunnerTask) -> str:
    """The command line, for the device's shell, that runs one task."""
    if installed.info.kind == "android":
        words = quote("app_process", "/", "Main", installed.engine, installed.runner, task.to_json())
        return f"CLASSPATH={quote(f'{DIRECTORY}/runner.jar')} LD_LIBRARY_PATH={quote(DIRECTORY)} {words}"
    return f"LD_LIBRARY_PATH={quote(DIRECTORY)} {quote(installed.runner, task.to_json())}"


def guarded(command: str) -> str:
    """A script that runs a command, and kills it when the script's own input ends."""
    return (
        f"cd {quote(DIRECTORY)} || exit 66\n"
        "exec 3<&0\n"
        f"{command} </dev/null 3<&- &\n"
        "runner=$!\n"
        "(while read -r _; do :; done; kill -9 $runner) <&3 >/dev/null 2>&1 &\n"
        "guard=$!\n"
        "exec 3<&-\n"
        "wait $runner\n"
        "code=$?\n"
        "kill -9 $guard 2>/dev/null\n"
        "exit $code"
    )


def run_on_device(
    plan: BenchPlan,
    subject: Subject,
    device: Device,
    *,
    engine: Path | None = None,
    expected: str | None = None,
    progress: Progress = SILENT,
) -> BenchResult:
    """Measure a bundle on a device.

    subject: what is measured; its sidecars are pushed as the model is. engine: a directory with an own engine library.
    expected: this machine's greedy answer to the plan's check prompt, to hold the device's against.
    A case that the engine fails is kept with its reason, and the next one runs.
    Raises MissingToolError when the device cannot run it at all, DeviceLost when it goes away.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    facts = read_facts(device)
    assert facts.info.abi is not None
    library = engine_library(facts.info.kind, facts.info.abi, own=engine)
    installed = plan_installation(facts.info, subject, library)
    _check_memory(facts, subject.info)
    push(device, installed.files, progress=progress)
    notes: list[str] = [f"{device.serial} was throttled before the first run"] if facts.throttled else []
    measured = _Measured()
    steps = schedule(plan, apart=keeps_inputs(subject))
    with progress.step(f"measure on {device.serial}", len(steps), "processes") as advance:
        for step in steps:
            if step.case not in measured.failures:
                note = cool_down(device, facts.conditions, plan.cooldown)
                _take(plan, step, device, installed, measured)
                notes.extend(f"{step.case.name}: {text}" for text in (note, _throttled_note(device)) if text)
            advance(1)
    switching = _switch(plan, subject, device, installed) if subject.others else None
    check = _check(plan, device, installed, expected) if plan.check_prompt else None
    after, _ = read_conditions(device)
    return BenchResult(
        target=device.serial,
        device=replace(facts.info, before=facts.conditions, after=after),
        bundle=subject.info,
        engine=EngineInfo("LiteRT-LM", None if engine else engine_version(), "edgekit"),
        plan=plan,
        cases=measured.results(plan),
        check=check,
        switching=switching,
        notes=tuple(dict.fromkeys((*notes, *sidecar_notes(subject, plan)))),
        began=began,
        tool=version("edgekit"),
    )


def run_on_devices(
    devices: Sequence[Device], measure: Callable[[Device], BenchResult]
) -> tuple[tuple[BenchResult, ...], tuple[EdgekitError, ...]]:
    """Measure on several devices at once; gives the results in their order, and the errors of those that failed.

    An interrupt ends the remote processes of all, and is raised.
    """
    ends: dict[Device, BenchResult | BaseException] = {}
    stop = threading.Event()

    def work(device: Device) -> None:
        _STOP.set(stop)
        try:
            ends[device] = measure(device)
        except BaseException as error:
            ends[device] = error

    # Daemons: a device that has stopped answering must not keep the program from ending.
    threads = [threading.Thread(target=work, args=(device,), daemon=True) for device in devices]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(timeout=_COOLER_SECONDS)
        raise
    found = [ends[device] for device in devices]
    for end in found:
        if isinstance(end, BaseException) and not isinstance(end, EdgekitError):
            raise end
    return (
        tuple(end for end in found if isinstance(end, BenchResult)),
        tuple(end for end in found if isinstance(end, EdgekitError)),
    )


class _Stopped(EdgekitError):  # noqa: N818 - named after what happened
    """The program has been interrupted while this device was measured."""


_STOP: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait for a process; None when it has not ended in time. Raises when the program is to stop."""
    stop = _STOP.get()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if stop is not None and stop.is_set():
            raise _Stopped("interrupted")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_LOOK_SECONDS)
    return None


def cool_down(
    device: Device, start: Conditions, limit: float, *, sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Wait, at most `limit` seconds, until a device is as cool as at the start; returns a note when it is not.

    Cool is: Android speaks of no throttling, and the temperature is at most 3 °C above the start's.
    """
    waited = 0.0
    while limit > 0:
        now, throttled = read_conditions(device)
        hot = (
            now.temperature_c is not None
            and start.temperature_c is not None
            and now.temperature_c > start.temperature_c + _WARMER_BY
        )
        if not hot and not throttled:
            return None
        if waited >= limit:
            degrees = "" if now.temperature_c is None else f" ({now.temperature_c:.0f} °C)"
            return f"still warm after {limit:g} s of rest{degrees}"
        pause = min(_COOLER_SECONDS, limit - waited)
        sleep(pause)
        waited += pause
    return None


def run_task_on(device: Device, installed: Installation, task: RunnerTask, timeout: float) -> Outcome:
    """Run one task on a device.

    Raises DeviceLost when the device goes away. Whatever ends this function, the remote process ends too.
    """
    process = device.start(guarded(runner_command(installed, task)))
    assert process.stdin and process.stdout and process.stderr
    streams: tuple[list[bytes], list[bytes]] = ([], [])
    readers = [
        threading.Thread(target=_pump, args=(stream, into), daemon=True)
        for stream, into in zip((process.stdout, process.stderr), streams, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        code = _wait(process, timeout + _GRACE_SECONDS)  # the runner's own alarm comes first
    finally:
        _end(process)
    for reader in readers:
        reader.join(timeout=1)
    out, log = (b"".join(stream).decode(errors="replace") for stream in streams)
    # A shell tells a death by signal as 128 and more; a silent end that is no such death is the connection's.
    signalled = code is not None and 128 < code < 160
    found = outcome(out.splitlines(), log, _failure(code, log, timeout))
    if found.failure is not None and not (signalled and device.present()):
        device.raise_if_lost(log)
        if code == 0:
            raise DeviceLost("the connection ended in the middle of a run", where=device.serial)
    return found


def _failure(code: int | None, log: str, timeout: float) -> str | None:
    """What an exit status of the device's shell says, None for a good one."""
    if code is None:
        return f"not finished after {timeout:g} s"
    if code == 128 + signal.SIGKILL:
        return "killed on the device: most likely it ran out of memory"
    return exit_failure(128 - code if 128 < code < 160 else code, log, timeout)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the remote script's input, which ends whatever still runs there, and see adb off."""
    assert process.stdin and process.stdout and process.stderr
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(timeout=_COOLER_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pump(stream: Any, into: list[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while block := stream.read1(1 << 16):
            into.append(block)


@dataclass
class _Measured:
    """What the processes of a plan have measured so far."""

    inits: dict[Case, list[Init]] = field(default_factory=dict)
    runs: dict[Case, list[Run]] = field(default_factory=dict)
    failures: dict[Case, str] = field(default_factory=dict)
    cache_bytes: dict[Case, int | None] = field(default_factory=dict)

    def results(self, plan: BenchPlan) -> tuple[CaseResult, ...]:
        return tuple(
            CaseResult(
                case,
                tuple(self.inits.get(case, ())),
                tuple(self.runs.get(case, ())),
                self.failures.get(case),
                self.cache_bytes.get(case),
            )
            for case in plan.cases()
        )


def _take(plan: BenchPlan, step: Step, device: Device, installed: Installation, into: _Measured) -> None:
    """Run one process of the schedule, and keep what it measured."""
    if step.cold:
        _clear_cache(device)
    case = step.case
    if step.runs:
        task = run_task(plan, case, installed.reads, warmup=step.warmup, runs=step.runs)
    else:
        task = init_task(plan, case, installed.reads)
    found = run_task_on(device, installed, task, plan.timeout)
    if found.init_seconds is not None:
        into.inits.setdefault(case, []).append(Init(step.cold, found.init_seconds))
    if found.failure is not None:
        into.failures[case] = found.failure
    runs = list(found.runs)
    if runs:
        runs[-1] = replace(runs[-1], temperature_c=read_conditions(device)[0].temperature_c)
    into.runs.setdefault(case, []).extend(runs)
    into.cache_bytes[case] = _cache_bytes(device)


def _check(plan: BenchPlan, device: Device, installed: Installation, expected: str | None) -> Check:
    assert plan.check_prompt is not None
    found = run_task_on(device, installed, check_task(plan, installed.reads), plan.timeout)
    return Check(plan.check_prompt, found.answer, expected, found.failure)


def _switch(plan: BenchPlan, subject: Subject, device: Device, installed: Installation) -> Switching:
    found = run_task_on(device, installed, switch_task(plan, installed.reads), plan.timeout)
    return Switching(subject.names, found.switches, found.failure)


def _clear_cache(device: Device) -> None:
    device.checked(f"rm -rf {quote(CACHE)} && mkdir -p {quote(CACHE)}")


def _cache_bytes(device: Device) -> int | None:
    words = device.shell(f"du -sk {quote(CACHE)}").out.split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _throttled_note(device: Device) -> str | None:
    conditions, throttled = read_conditions(device)
    if not throttled:
        return None
    return f"the device was throttled ({conditions.thermal_status or 'its clocks are held down'}): figures are low"


def _check_memory(facts: Facts, bundle: BundleIdentity) -> None:
    needed = bundle.size + _MEMORY_BESIDE_MODEL
    if facts.available_bytes is not None and facts.available_bytes < needed:
        raise MissingToolError(
            f"too little memory: the model needs about {size(needed)}, "
            f"{size(facts.available_bytes)} are available",
            where=facts.info.name,
            remedy="close other programs on the device, or convert with a recipe of fewer bits",
        )
