"""llama.cpp beside us: llama-bench from PATH, at the same lengths, in the same table.

llama-bench times a prompt (pp) and an output (tg) apart, and generates after an empty context unless it is told a
depth. So the prompt is timed at the case's depth, and the output at depth + prompt length: the context that our own
output follows.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from edgekit.benchmark.plan import BenchPlan, Case
from edgekit.benchmark.process import last_error
from edgekit.benchmark.result import BenchResult, CaseResult, EngineInfo, Run
from edgekit.benchmark.runner import BY_PLAN, Measured, RunnerKind, RunnerOptions
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.subject import Subject
from edgekit.device.host import read_conditions, read_host
from edgekit.errors import InputError, MissingToolError
from edgekit.progress import Progress
from edgekit.records import documents

LLAMA_CPP: Final = "llama.cpp"
TOOL: Final = "llama-bench"


@dataclass(frozen=True)
class LlamaRunner:
    """Measures a GGUF file with llama-bench on this machine, whatever the subjects are."""

    model: Path

    def measure(self, plan: BenchPlan, subjects: Sequence[Subject], progress: Progress) -> Measured:
        """Measure the plan's CPU cases; what llama-bench cannot run is a failure of its case.

        Raises MissingToolError without llama-bench.
        """
        tool = shutil.which(TOOL)
        if tool is None:
            raise MissingToolError(
                f"{TOOL} is not on PATH",
                remedy="build llama.cpp and put its bin directory on PATH, or leave out --against llama.cpp",
            )
        before = read_conditions()
        cases: list[CaseResult] = []
        with progress.step(f"measure with {TOOL}", len(plan.cases()), "cases") as advance:
            for case in plan.cases():
                own = case.backend == "cpu"
                cases.append(_measure(tool, plan, case, self.model) if own else _left_out(case))
                advance(1)
        result = BenchResult(
            target=LLAMA_CPP,
            device=replace(read_host(), before=before, after=read_conditions()),
            bundle=BundleIdentity(self.model.stem, self.model.name, self.model.stat().st_size),
            engine=EngineInfo(LLAMA_CPP, None, TOOL),
            plan=replace(plan, check_prompt=None),
            cases=tuple(cases),
            notes=("prompt and output are timed apart; the output follows a context of the prompt's length",),
        )
        return Measured(((result,),))


def _left_out(case: Case) -> CaseResult:
    return CaseResult(case, failure="llama-bench is only asked for CPU figures")


def _measure(tool: str, plan: BenchPlan, case: Case, model: Path) -> CaseResult:
    threads = [] if case.threads is None else ["-t", str(case.threads)]
    common = [tool, "-m", str(model), "-r", str(plan.runs), "-ngl", "0", "-o", "json", *threads]
    outputs = []
    for prompt, output, depth in ((case.prefill, 0, case.depth), (0, case.decode, case.depth + case.prefill)):
        lengths = ["-p", str(prompt), "-n", str(output), "-d", str(depth)]
        try:
            done = subprocess.run(
                [*common, *lengths], capture_output=True, text=True, timeout=plan.timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return CaseResult(case, failure=f"{TOOL} was not finished after {plan.timeout:g} s")
        if done.returncode:
            reason = last_error(done.stderr) or f"status {done.returncode}"
            return CaseResult(case, failure=f"{TOOL} failed: {reason}")
        outputs.append(done.stdout)
    return read_llama_bench(case, outputs)


def read_llama_bench(case: Case, outputs: Sequence[str]) -> CaseResult:
    """Put the JSON outputs of llama-bench together: one entry with the prompt's length, one with the output's."""
    try:
        entries = [entry for output in outputs for entry in documents.loads(output)]
        prompts = _samples(entries, "n_prompt", case.prefill)
        answers = _samples(entries, "n_gen", case.decode)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return CaseResult(case, failure=f"the output of {TOOL} is not what it documents ({error})")
    if not prompts or len(prompts) != len(answers):
        return CaseResult(
            case, failure=f"{TOOL} gave {len(prompts)} prompt and {len(answers)} output samples"
        )
    return CaseResult(
        case,
        runs=tuple(
            Run(False, case.prefill, case.decode, prefill_tps=prefill, decode_tps=decode)
            for prefill, decode in zip(prompts, answers, strict=True)
        ),
    )


def _samples(entries: Sequence[Any], key: str, length: int) -> list[float]:
    return [float(speed) for entry in entries if entry[key] == length for speed in entry["samples_ts"]]


def _make(value: str, options: RunnerOptions) -> LlamaRunner:
    if not value or not Path(value).is_file():
        what = "no such file" if value else "which model?"
        raise InputError(
            what, where=value or "--against", remedy="name a GGUF file: --against llama.cpp=MODEL.gguf"
        )
    return LlamaRunner(Path(value))


KIND = RunnerKind(
    LLAMA_CPP,
    "=MODEL.gguf",
    "a GGUF file, by llama-bench from PATH at the same lengths",
    _make,
    BY_PLAN,
    option="--against",
)
