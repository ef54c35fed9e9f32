"""What to measure: the plan of a benchmark, its cases, and the task that one runner process gets."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from edgekit.errors import InputError
from edgekit.records.codec import decode, plain
from edgekit.records.documents import parse_json

PRESETS: Final[Mapping[str, tuple[int, int]]] = {
    "gallery": (256, 256),  # the AI Edge Gallery's own benchmark
    "llama": (512, 128),  # llama-bench's pp512 and tg128
    "portal": (1024, 256),  # the lengths of Google's published tables
}
"""Prompt and output length by name, both in tokens."""

CHECK_TOKENS: Final = 32
SWITCHES: Final = 12
"""Measured switches of adapters: two, three or four take turns equally often. The engine keeps some memory of each."""

NO_CACHE: Final = ":nocache"
"""Cache directory that keeps the engine from writing its packed weights."""


@dataclass(frozen=True)
class Case:
    """One point of the grid; lengths count tokens.

    prefill: of the prompt. decode: of the output. depth: tokens in the KV cache before the prompt is fed.
    threads: of the CPU backend; None leaves the choice to the engine.
    """

    backend: str
    threads: int | None
    prefill: int
    decode: int
    depth: int = 0

    @property
    def name(self) -> str:
        """The case in short, such as `cpu t2 pp256 tg128 @ d1024`."""
        threads = "" if self.threads is None else f" t{self.threads}"
        depth = f" @ d{self.depth}" if self.depth else ""
        return f"{self.backend}{threads} pp{self.prefill} tg{self.decode}{depth}"


@dataclass(frozen=True)
class BenchPlan:
    """A grid of cases, and how each is measured.

    warmup: runs before the measured ones, kept in the results and left out of every figure.
    runs: measured runs of each case.
    kv_length: the most tokens of depth, prompt and output together, None for what the bundle says.
    cold: a new process with an empty engine cache for every run, instead of one process per case.
    check_prompt: a question whose greedy answer, up to check_tokens, is kept to be compared between machines.
    timeout: seconds that one runner process may take.
    cooldown: seconds to rest before each runner process (a device: the longest wait for it to cool down).
    cpus: numbers of the cores that the runner is pinned to, empty for all.
    """

    prefill: tuple[int, ...] = (256,)
    decode: tuple[int, ...] = (256,)
    depth: tuple[int, ...] = (0,)
    threads: tuple[int | None, ...] = (None,)
    backend: tuple[str, ...] = ("cpu",)
    warmup: int = 1
    runs: int = 5
    kv_length: int | None = None
    cold: bool = False
    check_prompt: str | None = None
    check_tokens: int = CHECK_TOKENS
    timeout: float = 600.0
    cooldown: float = 0.0
    cpus: tuple[int, ...] = ()

    def cases(self) -> tuple[Case, ...]:
        """Return the grid's points, the last axis (depth) moving fastest."""
        axes = (self.backend, self.threads, self.prefill, self.decode, self.depth)
        return tuple(Case(*values) for values in itertools.product(*axes))

    def to_json(self) -> str:
        """Return the plan as one line of JSON."""
        return json.dumps(plain(self), allow_nan=False)

    @staticmethod
    def from_json(text: str, where: str = "plan") -> BenchPlan:
        """Read a plan back. Raises InputError, naming the key, when it is not one."""
        values = parse_json(text.encode(), where=where, strict=True)
        return check_plan(decode(BenchPlan, values, where=where))


@dataclass(frozen=True)
class RunnerTask:
    """What one runner process is told, as a flat JSON object; 0 and "" mean the engine's own choice.

    decode = 0 opens the engine without benchmark lengths: for a process that only opens the model (runs and
    warmup 0) or only answers check_prompt.
    sidecar: the file that fills the adapter inputs of every session. others: more of them, one a line, for a process
    that switches through all of them; switches: how often, after a round that warms up.
    cpus: a list as `taskset -c` takes it, such as "4,5,6,7"; the runner pins itself before it opens the engine.
    timeout_s: after so many seconds the process ends by SIGALRM, wherever it runs and whoever still listens.
    """

    model: str
    backend: str = "cpu"
    threads: int = 0
    kv_length: int = 0
    prefill: int = 0
    decode: int = 0
    depth: int = 0
    warmup: int = 0
    runs: int = 0
    cache_dir: str = NO_CACHE
    check_prompt: str = ""
    check_tokens: int = CHECK_TOKENS
    sidecar: str = ""
    others: str = ""
    switches: int = 0
    cpus: str = ""
    timeout_s: int = 0

    def to_json(self) -> str:
        """Return the task as one line of ASCII JSON, the form that the runner reads."""
        return json.dumps(dataclasses.asdict(self))


@dataclass(frozen=True)
class Files:
    """What a runner reads, as its own machine names it.

    sidecar: of every session, "" for a model that takes no adapters. others: sidecars to switch to from this one.
    cache_dir: where the engine keeps its packed weights.
    """

    model: str
    sidecar: str = ""
    others: tuple[str, ...] = ()
    cache_dir: str = NO_CACHE


def run_task(plan: BenchPlan, case: Case, files: Files, *, warmup: int, runs: int) -> RunnerTask:
    """Return the task of measuring one case in one process."""
    return dataclasses.replace(
        _open_task(plan, case, files),
        prefill=case.prefill,
        decode=case.decode,
        depth=case.depth,
        warmup=warmup,
        runs=runs,
    )


def init_task(plan: BenchPlan, case: Case, files: Files) -> RunnerTask:
    """Return the task of only opening the model, as for a case."""
    return _open_task(plan, case, files)


def switch_task(plan: BenchPlan, files: Files) -> RunnerTask:
    """Return the task of switching through all sidecars, with the plan's first backend and threads."""
    task = _open_task(plan, plan.cases()[0], files)
    return dataclasses.replace(task, others="\n".join(files.others), switches=SWITCHES)


def check_task(plan: BenchPlan, files: Files) -> RunnerTask:
    """Return the task of answering the plan's check prompt greedily, with the plan's first backend and threads."""
    assert plan.check_prompt is not None
    task = _open_task(plan, plan.cases()[0], files)
    return dataclasses.replace(task, check_prompt=plan.check_prompt, check_tokens=plan.check_tokens)


def _open_task(plan: BenchPlan, case: Case, files: Files) -> RunnerTask:
    return RunnerTask(
        model=files.model,
        sidecar=files.sidecar,
        backend=case.backend,
        threads=case.threads or 0,
        kv_length=plan.kv_length or 0,
        cache_dir=files.cache_dir,
        cpus=",".join(map(str, plan.cpus)),
        timeout_s=max(1, round(plan.timeout)),
    )


def preset_plan(name: str, **changes: Any) -> BenchPlan:
    """Return the plan of a preset, with fields replaced. Raises InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}", where="--preset", remedy=f"one of {', '.join(PRESETS)}")
    prefill, decode = PRESETS[name]
    return check_plan(BenchPlan(**{"prefill": (prefill,), "decode": (decode,), **changes}))


def check_plan(plan: BenchPlan) -> BenchPlan:
    """Return the plan; raises InputError, naming the option, when nothing sensible can be measured by it."""
    for option, values, least in (
        ("--prefill", plan.prefill, 2),  # a start token and a word
        ("--decode", plan.decode, 3),  # the engine hands out the first token after the second step
        ("--depth", plan.depth, 0),
        ("--threads", tuple(value for value in plan.threads if value is not None), 1),
        ("--runs", (plan.runs,), 1),
        ("--warmup", (plan.warmup,), 0),
        ("--kv-length", () if plan.kv_length is None else (plan.kv_length,), 1),
        ("--cpus", plan.cpus, 0),
    ):
        for value in values:
            if value < least:
                raise InputError(f"{value} is below {least}", where=option)
    if 1 in plan.depth:
        raise InputError("a depth is 0 or at least 2 tokens, a start token and a word", where="--depth")
    for option, choices in (
        ("--prefill", plan.prefill),
        ("--decode", plan.decode),
        ("--depth", plan.depth),
        ("--threads", plan.threads),
        ("--backend", plan.backend),
    ):
        if not choices or len(set(choices)) < len(choices):
            raise InputError("name at least one value, and each only once", where=option)
    for backend in plan.backend:
        if backend not in ("cpu", "gpu", "npu"):
            raise InputError(f"unknown backend {backend!r}", where="--backend", remedy="cpu, gpu or npu")
    if plan.timeout <= 0 or plan.cooldown < 0:
        raise InputError("a time must be positive", where="--timeout" if plan.timeout <= 0 else "--cooldown")
    return plan
