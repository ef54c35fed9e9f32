"""A board that needs no machine: it says what it is told to, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.benchmark.plan import Files, RunnerTask
from edgekit.benchmark.process import Outcome
from edgekit.benchmark.result import EngineInfo, Run
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.subject import Subject
from edgekit.device.info import Conditions, DeviceInfo


def subject(name: str = "demo", sidecar: Path | None = None, *others: str) -> Subject:
    info = BundleIdentity(name, f"{name}.litertlm", 10, "ab" * 32)
    return Subject(info, Path(f"{name}.litertlm"), sidecar, tuple((other, Path(other)) for other in others))


def runs_of(task: RunnerTask) -> Outcome:
    """What a task asks for, done in no time."""
    run = Run(False, task.prefill, task.decode, 0.1, 0.2, (0.1,) * task.decode, decode_tps=10.0)
    warm = Run(True, task.prefill, task.decode, 0.1, 0.2)
    answer = f"{task.model} says hi" if task.check_prompt else None
    return Outcome(0.5, (warm,) * task.warmup + (run,) * task.runs, answer=answer, cache_bytes=12)


TOY = DeviceInfo("linux", "toy")
ENGINE = EngineInfo("LiteRT-LM", None, "toy")


@dataclass
class ToyBoard:
    answer: Callable[[RunnerTask], Outcome] = runs_of
    warm: str | None = None
    info: DeviceInfo = TOY
    engine: EngineInfo = ENGINE
    done: list[str] = field(default_factory=list)
    tasks: list[RunnerTask] = field(default_factory=list)

    @contextmanager
    def place(self, subject: Subject) -> Iterator[Files]:
        name = subject.info.name
        self.done.append(f"place {name}")
        sidecar = "" if subject.sidecar is None else str(subject.sidecar)
        yield Files(
            str(subject.model), sidecar, tuple(str(path) for _, path in subject.others), f"cache/{name}"
        )
        self.done.append(f"take away {name}")

    def empty(self, cache_dir: str) -> None:
        self.done.append(f"empty {cache_dir}")

    def rest(self, seconds: float) -> str | None:
        self.done.append(f"rest {seconds:g}")
        return self.warm

    def run(self, task: RunnerTask) -> Outcome:
        self.tasks.append(task)
        self.done.append(f"run {task.model}")
        return self.answer(task)

    def conditions(self) -> Conditions:
        return Conditions(load=float(len(self.done)))
