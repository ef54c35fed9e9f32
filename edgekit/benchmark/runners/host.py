"""This machine: which processes run in which order, and what they measured."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edgekit.benchmark.plan import (
    NO_CACHE,
    BenchPlan,
    Case,
    Files,
    RunnerTask,
    check_task,
    init_task,
    run_task,
    switch_task,
)
from edgekit.benchmark.process import Outcome, engine_directory, host_abi, host_runner, run_here
from edgekit.benchmark.result import BenchResult, CaseResult, Check, EngineInfo, Init, Run, Switching
from edgekit.bundle.subject import Subject
from edgekit.device.info import Cluster, Conditions, DeviceInfo
from edgekit.progress import SILENT, Progress

HOST: Final = "host"
_SYS: Final = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Step:
    """One runner process. side: which bundle. cold: the engine cache is emptied before. runs 0: the model is only
    opened."""

    side: int
    case: Case
    cold: bool
    warmup: int
    runs: int


def schedule(plan: BenchPlan, sides: int = 1, *, apart: bool = False) -> list[Step]:
    """Return the processes of a plan in their order.

    Each backend and thread count is opened once with an empty cache. Then, for one bundle, a case is one process with
    its warm-ups and runs; `apart` gives each run a process of its own, after its own warm-ups. Several bundles take
    turns, A B A B, and are always apart. With `plan.cold` a run is a process that finds an empty cache.
    """
    steps: list[Step] = []
    opened: set[tuple[str, int | None]] = set()
    for case in plan.cases():
        if plan.cold:
            steps += [Step(side, case, True, 0, 1) for _ in range(plan.runs) for side in range(sides)]
            continue
        if (case.backend, case.threads) not in opened:
            opened.add((case.backend, case.threads))
            steps += [Step(side, case, True, 0, 0) for side in range(sides)]
        if sides == 1 and not apart:
            steps.append(Step(0, case, False, plan.warmup, plan.runs))
        else:
            steps += [
                Step(side, case, False, plan.warmup, 1) for _ in range(plan.runs) for side in range(sides)
            ]
    return steps


@dataclass
class _Side:
    """A bundle that is being measured."""

    subject: Subject
    cache: Path
    inits: dict[Case, list[Init]] = field(default_factory=dict)
    runs: dict[Case, list[Run]] = field(default_factory=dict)
    failures: dict[Case, str] = field(default_factory=dict)
    cache_bytes: dict[Case, int] = field(default_factory=dict)

    @property
    def files(self) -> Files:
        return files_here(self.subject, str(self.cache))

    def take(self, step: Step, outcome: Outcome) -> None:
        if outcome.init_seconds is not None:
            self.inits.setdefault(step.case, []).append(Init(step.cold, outcome.init_seconds))
        self.runs.setdefault(step.case, []).extend(outcome.runs)
        self.cache_bytes[step.case] = directory_bytes(self.cache)
        if outcome.failure is not None:
            self.failures[step.case] = outcome.failure

    def results(self, plan: BenchPlan) -> tuple[CaseResult, ...]:
        return tuple(
            CaseResult(
                case=case,
                inits=tuple(self.inits.get(case, ())),
                runs=tuple(self.runs.get(case, ())),
                failure=self.failures.get(case),
                cache_bytes=self.cache_bytes.get(case),
            )
            for case in plan.cases()
        )


Runner = Callable[[RunnerTask], Outcome]


def measure_host(
    plan: BenchPlan,
    subjects: Sequence[Subject],
    *,
    cache_dir: Path | None = None,
    progress: Progress = SILENT,
    observe: Callable[[Step], None] = lambda step: None,
) -> tuple[BenchResult, ...]:
    """Measure one bundle, or several in turns, on this machine; one result for each.

    A subject with adapters to switch to is also measured switching.

    cache_dir: where the engine keeps its packed weights, emptied for cold starts; a temporary directory by default.
    observe: called before each process.
    A process that fails is a failure of its case in the result; the case's later processes are left out.
    Raises MissingToolError without a runner or an engine.
    """
    host_runner(), engine_directory()  # say what is missing before anything is measured
    began = datetime.now(UTC).isoformat(timespec="seconds")
    before = read_conditions()
    with _cache_home(cache_dir) as home:
        sides = [
            _Side(subject, _made(home / f"{number}-{subject.info.name}"))
            for number, subject in enumerate(subjects)
        ]
        steps = schedule(plan, len(sides), apart=any(map(keeps_inputs, subjects)))
        with progress.step("measure here", len(steps), "processes") as advance:
            for step in steps:
                side = sides[step.side]
                if step.case not in side.failures:
                    observe(step)
                    time.sleep(plan.cooldown)
                    side.take(step, _run_step(plan, side, step))
                advance(1)
        switchings = [_switch(plan, side) for side in sides]
        checks = [answer_here(plan, side.subject) for side in sides]
    device = read_host(before, read_conditions())
    return tuple(
        BenchResult(
            target=HOST,
            device=device,
            bundle=side.subject.info,
            engine=EngineInfo("LiteRT-LM", version("litert-lm-api"), "edgekit"),
            plan=plan,
            cases=side.results(plan),
            check=check,
            switching=switching,
            notes=(*_notes(side, plan), *sidecar_notes(side.subject, plan)),
            began=began,
            tool=version("edgekit"),
        )
        for side, check, switching in zip(sides, checks, switchings, strict=True)
    )


def answer_here(plan: BenchPlan, subject: Subject) -> Check | None:
    """Return this machine's greedy answer to the plan's check prompt; None when the plan has none."""
    if plan.check_prompt is None:
        return None
    outcome = run_here(check_task(plan, files_here(subject)), timeout=plan.timeout)
    return Check(plan.check_prompt, outcome.answer, failure=outcome.failure)


def files_here(subject: Subject, cache_dir: str = NO_CACHE) -> Files:
    """Name the files of a subject as this machine does."""
    return Files(
        model=str(subject.model),
        sidecar="" if subject.sidecar is None else str(subject.sidecar),
        others=tuple(str(sidecar) for _, sidecar in subject.others),
        cache_dir=cache_dir,
    )


def keeps_inputs(subject: Subject) -> bool:
    """Whether memory grows with every session: the engine keeps what it read of a sidecar until it is closed."""
    return subject.sidecar is not None


def sidecar_notes(subject: Subject, plan: BenchPlan) -> tuple[str, ...]:
    """What has to be known of figures that were taken with a sidecar."""
    sessions = 1 if plan.cold else 1 + plan.warmup
    if not keeps_inputs(subject) or sessions == 1:
        return ()
    return (
        f"memory holds the adapter inputs of {sessions} sessions, those that warmed up too: the engine keeps them all",
    )


def directory_bytes(directory: Path) -> int:
    """Return the size of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _run_step(plan: BenchPlan, side: _Side, step: Step) -> Outcome:
    if step.cold:
        shutil.rmtree(side.cache, ignore_errors=True)
        _made(side.cache)
    if step.runs:
        task = run_task(plan, step.case, side.files, warmup=step.warmup, runs=step.runs)
    else:
        task = init_task(plan, step.case, side.files)
    return run_here(task, timeout=plan.timeout)


def _switch(plan: BenchPlan, side: _Side) -> Switching | None:
    """Measure switching through a subject's sidecars; None when it has only one."""
    if not side.subject.others:
        return None
    outcome = run_here(switch_task(plan, side.files), timeout=plan.timeout)
    return Switching(side.subject.names, outcome.switches, outcome.failure)


def _notes(side: _Side, plan: BenchPlan) -> tuple[str, ...]:
    notes = []
    for case in plan.cases():
        runs = [run for run in side.runs.get(case, ()) if not run.warmup]
        seen, made = sum(len(run.stamps) for run in runs), sum(run.decode_tokens for run in runs)
        if runs and seen < made:
            notes.append(
                f"{case.name}: {seen:,} of {made:,} generated tokens were seen (a model that ends its answer goes on "
                "unseen); latencies are those of the tokens seen"
            )
        fed = {run.prefill_tokens for run in runs} - {case.prefill}
        if fed:
            notes.append(f"{case.name}: the prompt had {', '.join(map(str, sorted(fed)))} tokens")
    return tuple(notes)


@contextmanager
def _cache_home(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield _made(directory)
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as name:
        yield Path(name)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


# ---------------------------------------- this machine


def read_host(before: Conditions, after: Conditions) -> DeviceInfo:
    """Return what this machine is."""
    return DeviceInfo(
        kind="host",
        name=HOST,
        model=_file("/sys/class/dmi/id/product_name"),
        soc=_cpu_name(),
        os=f"{platform.system()} {platform.release()}",
        abi=host_abi(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        clusters=_clusters(),
        ram_bytes=_ram_bytes(),
        governor=_file(_SYS / "cpu0/cpufreq/scaling_governor"),
        before=before,
        after=after,
    )


def fastest_cores() -> tuple[int, ...]:
    """Return the cores of this machine's fastest kind; empty, which is all, where there is only one kind."""
    clusters = _clusters()
    return clusters[-1].cpus if len(clusters) > 1 else ()


def read_conditions() -> Conditions:
    """Return the state of this machine, as far as Linux tells: load, temperature, clock."""
    temperatures = [
        int(text) / 1000
        for path in sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp"))
        if (text := _file(path)) and text.lstrip("-").isdigit()
    ]
    clocks = [
        int(text) / 1000
        for path in _SYS.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        if (text := _file(path)) and text.isdigit()
    ]
    return Conditions(
        temperature_c=max(temperatures, default=None),
        cpu_mhz=max(clocks, default=None),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _clusters() -> tuple[Cluster, ...]:
    by_clock: dict[float, list[int]] = {}
    for path in _SYS.glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq"):
        if (text := _file(path)) and text.isdigit():
            by_clock.setdefault(int(text) / 1000, []).append(int(path.parent.parent.name[3:]))
    return tuple(Cluster(tuple(sorted(cpus)), clock) for clock, cpus in sorted(by_clock.items()))


def _cpu_name() -> str | None:
    for line in (_file("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _ram_bytes() -> int | None:
    names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
    if "SC_PHYS_PAGES" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _file(path: str | Path) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip() or None
    except OSError:
        return None
