"""How a plan is carried out on a board: which processes run in which order, and what they measured.

The loop is the same for this machine and for a device; a board is what differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

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
from edgekit.benchmark.process import Outcome
from edgekit.benchmark.result import BenchResult, CaseResult, Check, EngineInfo, Init, Run, Switching
from edgekit.bundle.subject import Subject
from edgekit.device.info import Conditions, DeviceInfo
from edgekit.progress import SILENT, Progress


class Board(Protocol):
    """A machine that runs one runner process at a time."""

    @property
    def info(self) -> DeviceInfo:
        """What machine it is; its name is the target's."""

    @property
    def engine(self) -> EngineInfo:
        """What runs the model there."""

    def place(self, subject: Subject) -> AbstractContextManager[Files]:
        """Bring a subject there; gives its files as the board names them, with an engine cache of the subject's own.

        Raises MissingToolError when they cannot be brought there.
        """

    def empty(self, cache_dir: str) -> None:
        """Make the engine's next start a cold one."""

    def rest(self, seconds: float) -> str | None:
        """Rest before a process, at most so long; returns what must be known of the figures after it."""

    def run(self, task: RunnerTask) -> Outcome:
        """Run one task in a process of its own. Its crash is an outcome, too; raises when the board is lost."""

    def conditions(self) -> Conditions:
        """In which state the board is now."""


@dataclass(frozen=True)
class Rival:
    """Another engine with its model, to take turns with a bundle on this machine. It answers no check prompt."""

    board: Board
    subject: Subject


@dataclass(frozen=True)
class Step:
    """One runner process. side: which subject. cold: the engine cache is emptied before. runs 0: the model is only
    opened."""

    side: int
    case: Case
    cold: bool
    warmup: int
    runs: int


def schedule(plan: BenchPlan, sides: int = 1, *, apart: bool = False) -> list[Step]:
    """Return the processes of a plan in their order.

    Each backend and thread count is opened once with an empty cache. Then, for one subject, a case is one process with
    its warm-ups and runs; `apart` gives each run a process of its own, after its own warm-ups. Several subjects take
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
    """A subject that is being measured, and what is known of it so far."""

    board: Board
    subject: Subject
    plan: BenchPlan
    files: Files
    expected: str | None
    inits: dict[Case, list[Init]] = field(default_factory=dict)
    runs: dict[Case, list[Run]] = field(default_factory=dict)
    failures: dict[Case, str] = field(default_factory=dict)
    cache_bytes: dict[Case, int | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, step: Step, outcome: Outcome) -> None:
        if outcome.init_seconds is not None:
            self.inits.setdefault(step.case, []).append(Init(step.cold, outcome.init_seconds))
        self.runs.setdefault(step.case, []).extend(outcome.runs)
        self.cache_bytes[step.case] = outcome.cache_bytes
        self.notes += [f"{step.case.name}: {note}" for note in outcome.notes]
        if outcome.failure is not None:
            self.failures[step.case] = outcome.failure

    def results(self) -> tuple[CaseResult, ...]:
        return tuple(
            CaseResult(
                case=case,
                inits=tuple(self.inits.get(case, ())),
                runs=tuple(self.runs.get(case, ())),
                failure=self.failures.get(case),
                cache_bytes=self.cache_bytes.get(case),
            )
            for case in self.plan.cases()
        )


def measure(
    board: Board,
    plan: BenchPlan,
    subjects: Sequence[Subject],
    *,
    expected: Sequence[str | None] = (),
    rivals: Sequence[Rival] = (),
    progress: Progress = SILENT,
) -> tuple[BenchResult, ...]:
    """Measure one subject, or several in turns, on a board, and rivals in turns with them; one result for each.

    A subject with adapters to switch to is also measured switching.

    expected: what each subject answers to the plan's check prompt on another machine, None where that is not known.
    A process that fails is a failure of its case in the result; the case's later processes are left out.
    Raises MissingToolError when the board cannot run the plan at all, or is lost.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    before = board.conditions()
    with ExitStack() as stack:
        sides = [
            _Side(board, subject, plan, stack.enter_context(board.place(subject)), answer)
            for subject, answer in zip(subjects, expected or [None] * len(subjects), strict=True)
        ]
        unasked = replace(plan, check_prompt=None)
        sides += [
            _Side(
                other.board,
                other.subject,
                unasked,
                stack.enter_context(other.board.place(other.subject)),
                None,
            )
            for other in rivals
        ]
        steps = schedule(plan, len(sides), apart=any(map(keeps_inputs, subjects)))
        with progress.step(f"measure on {board.info.name}", len(steps), "processes") as advance:
            for step in steps:
                if step.case not in sides[step.side].failures:
                    _take(step, sides[step.side])
                advance(1)
        switchings = [_switch(side) for side in sides]
        checks = [_check(side) for side in sides]
        after = board.conditions()
        devices = [replace(side.board.info, before=before, after=after) for side in sides]
    return tuple(
        BenchResult(
            target=device.name,
            device=device,
            bundle=side.subject.info,
            engine=side.board.engine,
            plan=side.plan,
            cases=side.results(),
            check=check,
            switching=switching,
            notes=_notes(side),
            began=began,
            tool=version("edgekit"),
        )
        for side, device, check, switching in zip(sides, devices, checks, switchings, strict=True)
    )


def keeps_inputs(subject: Subject) -> bool:
    """Whether memory grows with every session: the engine keeps what it read of a sidecar until it is closed."""
    return subject.sidecar is not None


def _take(step: Step, side: _Side) -> None:
    """Run one process of the schedule, and keep what it measured."""
    board, plan = side.board, side.plan
    if note := board.rest(plan.cooldown):
        side.notes.append(f"{step.case.name}: {note}")
    if step.cold:
        board.empty(side.files.cache_dir)
    if step.runs:
        task = run_task(plan, step.case, side.files, warmup=step.warmup, runs=step.runs)
    else:
        task = init_task(plan, step.case, side.files)
    side.take(step, board.run(task))


def _switch(side: _Side) -> Switching | None:
    """Measure switching through a subject's sidecars; None when it has only one."""
    if not side.subject.others:
        return None
    outcome = side.board.run(switch_task(side.plan, side.files))
    return Switching(side.subject.names, outcome.switches, outcome.failure)


def _check(side: _Side) -> Check | None:
    """Ask the plan's check prompt; None when the plan has none."""
    plan = side.plan
    if plan.check_prompt is None:
        return None
    outcome = side.board.run(check_task(plan, side.files))
    return Check(plan.check_prompt, outcome.answer, side.expected, outcome.failure)


def _notes(side: _Side) -> tuple[str, ...]:
    """What must be known of a subject's figures, each sentence once."""
    plan = side.plan
    notes = list(side.notes)
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
    sessions = 1 if plan.cold else 1 + plan.warmup
    if keeps_inputs(side.subject) and sessions > 1:
        notes.append(
            f"memory holds the adapter inputs of {sessions} sessions, those that warmed up too: the engine keeps "
            "them all"
        )
    return tuple(dict.fromkeys(notes))
