"""Phones and Linux boards over adb: push, run every process there, take the figures home.

The remote process never outlives us (`device.remote`); besides, it ends itself when its task's time is up.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.benchmark.measure import Rival, measure
from edgekit.benchmark.plan import NO_CACHE, BenchPlan, Files, RunnerTask
from edgekit.benchmark.process import (
    GRACE_SECONDS,
    PREBUILT,
    Outcome,
    answer_here,
    exit_failure,
    outcome,
    took_too_long,
)
from edgekit.benchmark.result import BenchResult, EngineInfo
from edgekit.benchmark.runner import BY_PLAN, NO_OPTIONS, Measured, RunnerKind, RunnerOptions
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.sidecar import SIDECAR_SUFFIX
from edgekit.bundle.subject import Subject
from edgekit.device.adb import Device, DeviceLost, choose_devices, find_adb, list_devices, quote
from edgekit.device.facts import DIRECTORY, Facts, big_cores, cool_down, read_conditions, read_facts
from edgekit.device.info import Conditions, DeviceInfo
from edgekit.device.push import PushFile, push
from edgekit.device.remote import on_each, run_guarded
from edgekit.errors import MissingToolError
from edgekit.figures import size
from edgekit.files.digest import file_digest
from edgekit.progress import SILENT, Progress
from edgekit.runtime.library import LIBRARY, engine_library, engine_version

CACHES = f"{DIRECTORY}/cache"

_UNLIMITED_SECONDS = 24 * 3600.0
_MEMORY_BESIDE_MODEL = 128 << 20


def programs(info: DeviceInfo, engine: Path) -> tuple[PushFile, ...]:
    """Name what a device needs beside the model: the engine's library, the runner, under Android what starts it."""
    runner = PREBUILT / runner_name(info)
    files = (
        PushFile(engine, f"{DIRECTORY}/{LIBRARY}", "755"),
        PushFile(runner, f"{DIRECTORY}/{runner.name}", "755"),
    )
    if info.kind == "android":
        return (*files, PushFile(PREBUILT / "runner.jar", f"{DIRECTORY}/runner.jar"))
    return files


def runner_name(info: DeviceInfo) -> str:
    """Return the runner's file for a device."""
    return f"librunner-android-{info.abi}.so" if info.kind == "android" else f"runner-linux-{info.abi}"


def subject_files(subject: Subject, cache_dir: str = NO_CACHE) -> tuple[tuple[PushFile, ...], Files]:
    """Name a subject's files, and where they go; and what the runner is told of them.

    Every version of a model has a directory of its own, so that two can be compared without pushing them in turns.
    Sidecars lie beside it, each under its digest.
    """
    folder = f"{DIRECTORY}/models/{(subject.info.sha256 or 'unknown')[:16]}"
    model = PushFile(subject.model, f"{folder}/{subject.info.file}")
    own = () if subject.sidecar is None else (subject.sidecar,)
    sidecars = [
        PushFile(path, f"{folder}/{file_digest(path)[:16]}{SIDECAR_SUFFIX}")
        for path in (*own, *(path for _, path in subject.others))
    ]
    names = [file.remote for file in sidecars]
    reads = Files(model.remote, names[0] if names else "", tuple(names[1:]), cache_dir)
    return (model, *sidecars), reads


def runner_command(info: DeviceInfo, task: RunnerTask) -> str:
    """Return the command line, for the device's shell, that runs one task."""
    runner, library = f"{DIRECTORY}/{runner_name(info)}", f"{DIRECTORY}/{LIBRARY}"
    if info.kind == "android":
        words = quote("app_process", "/", "Main", library, runner, task.to_json())
        return f"CLASSPATH={quote(f'{DIRECTORY}/runner.jar')} LD_LIBRARY_PATH={quote(DIRECTORY)} {words}"
    return f"LD_LIBRARY_PATH={quote(DIRECTORY)} {quote(runner, task.to_json())}"


class AdbBoard:
    """A device over adb as a board.

    engine: a directory with an own engine library. progress: told of what is pushed.
    Raises MissingToolError for a device that edgekit has nothing for.
    """

    def __init__(self, device: Device, *, engine: Path | None = None, progress: Progress = SILENT) -> None:
        self.device = device
        self.facts: Facts = read_facts(device)
        self.info: DeviceInfo = self.facts.info
        assert self.info.abi is not None
        self.engine = EngineInfo("LiteRT-LM", None if engine else engine_version(), "edgekit")
        self._library = engine_library(self.info.kind, self.info.abi, own=engine)
        self._progress = progress
        self._number = itertools.count()

    @contextmanager
    def place(self, subject: Subject) -> Iterator[Files]:
        """Push what is not there yet; it stays there for the next time."""
        _check_memory(self.facts, subject.info)
        files, reads = subject_files(subject, f"{CACHES}/{next(self._number)}")
        push(self.device, [*programs(self.info, self._library), *files], progress=self._progress)
        yield reads

    def empty(self, cache_dir: str) -> None:
        """Remove what the engine kept."""
        self.device.checked(f"rm -rf {quote(cache_dir)} && mkdir -p {quote(cache_dir)}")

    def rest(self, seconds: float) -> str | None:
        """Wait, at most so long, until the device is as cool as at the start."""
        return cool_down(self.device, self.facts.conditions, seconds)

    def run(self, task: RunnerTask) -> Outcome:
        """Run one task on the device. Raises DeviceLost when it goes away."""
        seconds = float(task.timeout_s) or _UNLIMITED_SECONDS
        ended = run_guarded(self.device, runner_command(self.info, task), seconds=seconds + GRACE_SECONDS)
        found = outcome(ended.out.splitlines(), ended.err, _failure(ended.code, ended.err, seconds))
        # A shell tells a death by signal as 128 and more; a silent end that is no such death is the connection's.
        signalled = ended.code is not None and 128 < ended.code < 160
        if found.failure is not None and not (signalled and self.device.present()):
            self.device.raise_if_lost(ended.err)
            if ended.code == 0:
                raise DeviceLost("the connection ended in the middle of a run", where=self.device.serial)
        conditions, throttled = read_conditions(self.device)
        runs = found.runs
        if runs:
            runs = (*runs[:-1], replace(runs[-1], temperature_c=conditions.temperature_c))
        notes = (throttled_note(conditions),) if throttled else ()
        return replace(found, runs=runs, cache_bytes=self._bytes(task.cache_dir), notes=notes)

    def conditions(self) -> Conditions:
        """In which state the device is, as far as it tells."""
        return read_conditions(self.device)[0]

    def _bytes(self, cache_dir: str) -> int | None:
        if cache_dir == NO_CACHE:
            return None
        words = self.device.shell(f"du -sk {quote(cache_dir)}").out.split()
        return int(words[0]) * 1024 if words and words[0].isdigit() else None


def throttled_note(conditions: Conditions) -> str:
    """Return what must be known of figures that a throttled device gave."""
    return f"the device was throttled ({conditions.thermal_status or 'its clocks are held down'}): figures are low"


def _failure(code: int | None, log: str, timeout: float) -> str | None:
    """What an exit status of the device's shell says, None for a good one."""
    if code is None:
        return took_too_long(timeout)
    if code == 128 + signal.SIGKILL:
        return "killed on the device: most likely it ran out of memory"
    return exit_failure(128 - code if 128 < code < 160 else code, log, timeout)


def _check_memory(facts: Facts, bundle: BundleIdentity) -> None:
    needed = bundle.size + _MEMORY_BESIDE_MODEL
    if facts.available_bytes is not None and facts.available_bytes < needed:
        raise MissingToolError(
            f"too little memory: the model needs about {size(needed)}, "
            f"{size(facts.available_bytes)} are available",
            where=facts.info.name,
            remedy="close other programs on the device, or convert with a recipe of fewer bits",
        )


def measure_on_device(
    device: Device,
    plan: BenchPlan,
    subjects: Sequence[Subject],
    *,
    options: RunnerOptions = NO_OPTIONS,
    expected: Sequence[str | None] = (),
    progress: Progress = SILENT,
) -> tuple[BenchResult, ...]:
    """Measure on one device, as `measure` does on any board.

    Raises MissingToolError when the device cannot run it at all, DeviceLost when it goes away.
    """
    board = AdbBoard(device, engine=options.engine, progress=progress)
    own = replace(plan, cpus=big_cores(board.info)) if options.big_cores else plan
    results = measure(board, own, subjects, expected=expected, progress=progress)
    if not board.facts.throttled:
        return results
    note = f"{device.serial} was throttled before the first run"
    return tuple(replace(result, notes=(note, *result.notes)) for result in results)


@dataclass(frozen=True)
class AdbRunner:
    """Measures on devices. serial: as adb names one, "all" for every one that is ready, "" for the only one."""

    serial: str
    options: RunnerOptions

    def measure(
        self, plan: BenchPlan, subjects: Sequence[Subject], rivals: Sequence[Rival], progress: Progress
    ) -> Measured:
        """Carry out the plan on each device at once, and ask each what this machine answers, too.

        Raises MissingToolError without adb or the device; when several devices all fail, the first one's error.
        """
        adb = find_adb()
        chosen = choose_devices(list_devices(adb), self.serial or None)
        devices = [Device(adb, found.serial) for found in chosen]
        expected = [answer_here(plan, subject) for subject in subjects]
        inner = progress if len(devices) == 1 else SILENT  # a terminal shows one bar at a time

        def on(device: Device) -> tuple[BenchResult, ...]:
            return measure_on_device(
                device, plan, subjects, options=self.options, expected=expected, progress=inner
            )

        with progress.step(f"measure on {len(devices)} devices") if inner is SILENT else nullcontext():
            found, lost = on_each(devices, on)
        if not found:
            raise lost[0]
        return Measured(found, lost)


KIND = RunnerKind(
    "adb",
    "[:SERIAL]",
    "a phone or board over adb: the only one, the one of that serial number, or all",
    AdbRunner,
    BY_PLAN | {"--engine"},
)
