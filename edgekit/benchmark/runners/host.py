"""This machine: every process runs here, over the installed engine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from edgekit.benchmark.measure import Rival, measure
from edgekit.benchmark.plan import NO_CACHE, BenchPlan, Files, RunnerTask
from edgekit.benchmark.process import Outcome, engine_directory, files_here, host_runner, run_here
from edgekit.benchmark.result import EngineInfo
from edgekit.benchmark.runner import BY_PLAN, Measured, RunnerKind
from edgekit.bundle.subject import Subject
from edgekit.device.host import fastest_cores, read_conditions, read_host
from edgekit.device.info import Conditions, DeviceInfo
from edgekit.progress import Progress


class HostBoard:
    """This machine as a board."""

    def __init__(self) -> None:
        host_runner(), engine_directory()  # say what is missing before anything is measured
        self.info: DeviceInfo = read_host()
        self.engine = EngineInfo("LiteRT-LM", version("litert-lm-api"), "edgekit")

    @contextmanager
    def place(self, subject: Subject) -> Iterator[Files]:
        """Leave the files where they are, and give the engine a cache for a while."""
        with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as cache:
            yield files_here(subject, cache)

    def empty(self, cache_dir: str) -> None:
        """Remove what the engine kept."""
        shutil.rmtree(cache_dir, ignore_errors=True)
        Path(cache_dir).mkdir(parents=True, exist_ok=True)

    def rest(self, seconds: float) -> str | None:
        """Sleep."""
        time.sleep(seconds)
        return None

    def run(self, task: RunnerTask) -> Outcome:
        """Run one task in a process of its own."""
        outcome = run_here(task)
        if task.cache_dir == NO_CACHE:
            return outcome
        return replace(outcome, cache_bytes=directory_bytes(Path(task.cache_dir)))

    def conditions(self) -> Conditions:
        """In which state this machine is, as far as it tells."""
        return read_conditions()


def directory_bytes(directory: Path) -> int:
    """Return the size of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@dataclass(frozen=True)
class HostRunner:
    """Measures on this machine. big_cores: on the fastest of its cores."""

    big_cores: bool = False

    def measure(
        self, plan: BenchPlan, subjects: Sequence[Subject], rivals: Sequence[Rival], progress: Progress
    ) -> Measured:
        """Carry out the plan here. Raises MissingToolError without a runner or an engine."""
        own = replace(plan, cpus=fastest_cores()) if self.big_cores else plan
        results = measure(HostBoard(), own, subjects, rivals=rivals, progress=progress)
        return Measured((results[: len(subjects)],), rivals=results[len(subjects) :])


KIND = RunnerKind("host", "", "this machine", lambda value, options: HostRunner(options.big_cores), BY_PLAN)
