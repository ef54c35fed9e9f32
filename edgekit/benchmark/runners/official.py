"""Google's own binaries, `litert_lm_main` and `litert_lm_advanced_main`: run one, read the text it prints.

The text changed between versions (labels, units of us, ms or s, one or several iterations); what is read is a label
followed by a number and a unit. A label that comes again, as with several turns, counts with its last value.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edgekit.benchmark.measure import Rival
from edgekit.benchmark.plan import BenchPlan, Case
from edgekit.benchmark.process import exit_failure
from edgekit.benchmark.result import BenchResult, CaseResult, EngineInfo, Init, Run
from edgekit.benchmark.runner import PLAN, Measured, RunnerKind, RunnerOptions
from edgekit.bundle.subject import Subject
from edgekit.device.host import read_conditions, read_host
from edgekit.errors import InputError, MissingToolError
from edgekit.progress import Progress

_SECONDS: Final[Mapping[str, float]] = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_BYTES: Final[Mapping[str, float]] = {"B": 1.0, "KB": 2.0**10, "MB": 2.0**20, "GB": 2.0**30}
_NUMBER: Final = r"([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
_LABELS: Final = {
    "init": rf"(?:Init Total|Total init time|Total Initialization time)\s*:\s*{_NUMBER}\s*(us|µs|ms|ns|sec|s)\b",
    "ttft": rf"Time to first token\s*:\s*{_NUMBER}\s*(us|µs|ms|ns|sec|s)\b",
    "prefill": rf"Prefill Speed\s*:\s*{_NUMBER}\s*(tokens/sec|tokens/s|tok/s)",
    "decode": rf"Decode Speed\s*:\s*{_NUMBER}\s*(tokens/sec|tokens/s|tok/s)",
    "prefill_tokens": r"Prefill Turn \d+\s*:\s*Processed ([0-9]+) (tokens)",
    "decode_tokens": r"Decode Turn \d+\s*:\s*Processed ([0-9]+) (tokens)",
    "rss": rf"Peak (?:system|total|private|rss)[^:\n]*:\s*{_NUMBER}\s*([KMG]?B)\b",
}
_PATTERNS: Final = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _LABELS.items()}


@dataclass(frozen=True)
class OfficialFigures:
    """What the text says; None where it is silent. Times in seconds, speeds in tokens per second, memory in bytes."""

    init: float | None
    engine_ttft: float | None
    prefill_tps: float | None
    decode_tps: float | None
    prefill_tokens: int | None
    decode_tokens: int | None
    memory: int | None


def parse_output(text: str) -> OfficialFigures:
    """Read the figures out of what a binary printed."""
    prefill_tokens, decode_tokens, memory = (
        _last(text, name) for name in ("prefill_tokens", "decode_tokens", "rss")
    )
    return OfficialFigures(
        init=_last(text, "init"),
        engine_ttft=_last(text, "ttft"),
        prefill_tps=_last(text, "prefill"),
        decode_tps=_last(text, "decode"),
        prefill_tokens=None if prefill_tokens is None else round(prefill_tokens),
        decode_tokens=None if decode_tokens is None else round(decode_tokens),
        memory=None if memory is None else round(memory),
    )


def _last(text: str, name: str) -> float | None:
    found = _PATTERNS[name].findall(text)
    if not found:
        return None
    number, unit = found[-1]
    return float(number) * _SECONDS.get(unit.lower(), _BYTES.get(unit.upper(), 1.0))


def official_command(runner: Path, plan: BenchPlan, case: Case, model: Path) -> list[str]:
    """Return the command line that measures one run of a case."""
    words = [
        str(runner),
        f"--model_path={model}",
        f"--backend={case.backend}",
        "--benchmark",
        f"--benchmark_prefill_tokens={case.prefill}",
        f"--benchmark_decode_tokens={case.decode}",
        "--async=false",
    ]
    if case.threads is not None:
        words.append(f"--num_cpu_threads={case.threads}")
    if plan.kv_length is not None:
        words.append(f"--max_num_tokens={plan.kv_length}")
    return words


def measure_official(runner: Path, plan: BenchPlan, case: Case, model: Path) -> CaseResult:
    """Measure one case, each run in a process of its own, the way these binaries are made.

    Raises MissingToolError when the binary does not start; what it cannot measure is a failure of the case.
    """
    if case.depth:
        return CaseResult(
            case, failure=f"{runner.name} cannot fill the KV cache beforehand (depth {case.depth})"
        )
    inits: list[Init] = []
    runs: list[Run] = []
    for number in range(plan.warmup + plan.runs):
        command = official_command(runner, plan, case, model)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=plan.timeout, check=False)
        except subprocess.TimeoutExpired:
            return CaseResult(case, tuple(inits), tuple(runs), f"not finished after {plan.timeout:g} s")
        except OSError as error:
            raise MissingToolError(f"the runner does not start: {error.strerror}", where=runner) from error
        failure = exit_failure(done.returncode, done.stderr, plan.timeout)
        figures = parse_output(f"{done.stdout}\n{done.stderr}")  # some versions print to the log
        if failure is None and figures.decode_tps is None:
            failure = f"{runner.name} printed no figures: is it a build with --benchmark?"
        if failure is None and not figures.decode_tps:
            failure = f"{runner.name} printed a decode speed of 0: it did not generate"
        if failure is not None:
            return CaseResult(case, tuple(inits), tuple(runs), failure)
        if figures.init is not None:
            inits.append(Init(cold=False, seconds=figures.init))
        runs.append(
            Run(
                warmup=number < plan.warmup,
                prefill_tokens=figures.prefill_tokens or case.prefill,
                decode_tokens=figures.decode_tokens or case.decode,
                prefill_tps=figures.prefill_tps,
                decode_tps=figures.decode_tps,
                engine_ttft=figures.engine_ttft,
                rss_peak=figures.memory,
            )
        )
    return CaseResult(case, tuple(inits), tuple(runs))


@dataclass(frozen=True)
class OfficialRunner:
    """Measures on this machine with one of Google's binaries."""

    binary: Path

    def measure(
        self, plan: BenchPlan, subjects: Sequence[Subject], rivals: Sequence[Rival], progress: Progress
    ) -> Measured:
        """Measure every case; these binaries answer no question, so none is checked.

        Raises InputError for a base that takes adapters, MissingToolError when the binary does not start.
        """
        (subject,) = subjects
        if subject.sidecar is not None:
            raise InputError(
                f"this base takes adapters, and {self.binary.name} would leave their inputs as the memory was",
                where="--on official",
                remedy="measure it with edgekit's own runner (--on host), or measure a bundle that takes no adapters",
            )
        began = datetime.now(UTC).isoformat(timespec="seconds")
        before = read_conditions()
        cases: list[CaseResult] = []
        with progress.step(f"measure with {self.binary.name}", len(plan.cases()), "cases") as advance:
            for case in plan.cases():
                cases.append(measure_official(self.binary, plan, case, subject.model))
                advance(1)
        device = replace(read_host(), before=before, after=read_conditions())
        result = BenchResult(
            target=f"{device.name}, {self.binary.name}",  # beside `--on host`, which has the bare name
            device=device,
            bundle=subject.info,
            engine=EngineInfo("LiteRT-LM", None, self.binary.name),
            plan=replace(plan, check_prompt=None),
            cases=tuple(cases),
            began=began,
            tool=version("edgekit"),
        )
        return Measured(((result,),))


def _make(value: str, options: RunnerOptions) -> OfficialRunner:
    if not value:
        raise InputError("which file?", where="--on official", remedy="name the binary: official=FILE")
    return OfficialRunner(Path(value))


KIND = RunnerKind(
    "official",
    "=FILE",
    "this machine, by a litert_lm_main or litert_lm_advanced_main",
    _make,
    frozenset({PLAN}),
)
