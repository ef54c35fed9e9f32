"""llama.cpp beside us: llama-bench from PATH, at the same lengths, in the same table.

llama-bench times a prompt (pp) and an output (tg) apart, and generates after an empty context unless it is told a
depth. So the prompt is timed at the case's depth, and the output at depth + prompt length: the context that our own
output follows.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from edgekit.benchmark.plan import BenchPlan, Case
from edgekit.benchmark.process import last_error
from edgekit.benchmark.result import BenchResult, CaseResult, EngineInfo, Run
from edgekit.bundle.identity import BundleIdentity
from edgekit.device.info import DeviceInfo
from edgekit.errors import InputError, MissingToolError

LLAMA_CPP: Final = "llama.cpp"
TOOL: Final = "llama-bench"


def parse_peer(text: str) -> Path:
    """Read `llama.cpp=MODEL.gguf`. Raises InputError for anything else."""
    name, equals, model = text.partition("=")
    if name != LLAMA_CPP or not equals:
        raise InputError(f"unknown peer {text!r}", where="--peer", remedy="write it as llama.cpp=MODEL.gguf")
    path = Path(model)
    if not path.is_file():
        raise InputError("no such file", where=path, remedy="name a GGUF file: --peer llama.cpp=MODEL.gguf")
    return path


def measure_llama(plan: BenchPlan, model: Path, device: DeviceInfo) -> BenchResult:
    """Measure a GGUF file with llama-bench at the CPU cases of a plan.

    Raises MissingToolError without llama-bench; what it cannot run is a failure of the case.
    """
    tool = shutil.which(TOOL)
    if tool is None:
        raise MissingToolError(
            f"{TOOL} is not on PATH",
            remedy="build llama.cpp and put its bin directory on PATH, or leave out --peer",
        )
    cases = tuple(
        _measure(tool, plan, case, model) if case.backend == "cpu" else _left_out(case)
        for case in plan.cases()
    )
    return BenchResult(
        target=LLAMA_CPP,
        device=device,
        bundle=BundleIdentity(model.stem, model.name, model.stat().st_size),
        engine=EngineInfo(LLAMA_CPP, None, TOOL),
        plan=replace(plan, check_prompt=None),
        cases=cases,
        notes=("prompt and output are timed apart; the output follows a context of the prompt's length",),
    )


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
        entries = [entry for output in outputs for entry in json.loads(output)]
        prompts = _samples(entries, "n_prompt", case.prefill)
        answers = _samples(entries, "n_gen", case.decode)
    except (ValueError, TypeError, KeyError) as error:
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
