"""llama.cpp beside us, at the same lengths and in turns with the bundle: by llama-cpp-python, or by llama-bench.

llama-bench times a prompt (pp) and an output (tg) apart, and generates after an empty context unless it is told a
depth. So the prompt is timed at the case's depth, and the output at depth + prompt length: the context that our own
output follows. Of the Python package the C interface is called, by a child program: `edgekit.benchmark.llama_child`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from edgekit.benchmark.measure import Rival
from edgekit.benchmark.plan import Files, RunnerTask
from edgekit.benchmark.process import GRACE_SECONDS, Outcome, exit_failure, last_error, outcome, read_events
from edgekit.benchmark.result import EngineInfo, Run
from edgekit.benchmark.runner import BY_PLAN, RunnerKind, RunnerOptions
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.subject import Subject
from edgekit.device.host import read_conditions, read_host
from edgekit.device.info import Conditions, DeviceInfo
from edgekit.errors import InputError, MissingToolError
from edgekit.records import documents

LLAMA_CPP: Final = "llama.cpp"
TOOL: Final = "llama-bench"
PACKAGE: Final = "llama-cpp-python"
_CHILD: Final = Path(__file__).parents[1] / "llama_child.py"
_AMX: Final = "build it with CMAKE_ARGS='-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON'"


@dataclass(frozen=True)
class LlamaBoard:
    """This machine with llama.cpp as its engine.

    command: llama-bench, or a Python that has llama-cpp-python. bench: which of them.
    """

    command: str
    bench: bool
    engine: EngineInfo

    @property
    def info(self) -> DeviceInfo:
        """This machine, under llama.cpp's name."""
        return replace(read_host(), name=LLAMA_CPP)

    @contextmanager
    def place(self, subject: Subject) -> Iterator[Files]:
        """Leave the file where it is."""
        yield Files(str(subject.model))

    def empty(self, cache_dir: str) -> None:
        """Nothing is kept from run to run."""

    def rest(self, seconds: float) -> str | None:
        """Whoever it takes turns with has rested."""
        return None

    def conditions(self) -> Conditions:
        """In which state this machine is."""
        return read_conditions()

    def run(self, task: RunnerTask) -> Outcome:
        """Run one task in a process of its own; its crash, and what it cannot do, is a failure."""
        if task.backend != "cpu":
            return Outcome(failure=f"{LLAMA_CPP} is only asked for CPU figures")
        return self._by_bench(task) if self.bench else self._by_package(task)

    def _by_package(self, task: RunnerTask) -> Outcome:
        done = _started([self.command, str(_CHILD), task.to_json()], task.timeout_s)
        if isinstance(done, str):
            return Outcome(failure=done)
        found = outcome(done.stdout.splitlines(), done.stderr, exit_failure(done.returncode, done.stderr, 0))
        if done.returncode in (-signal.SIGILL, -signal.SIGSEGV, -signal.SIGABRT):
            return replace(found, failure=f"{found.failure}{_crash_of_amx()}")
        return found

    def _by_bench(self, task: RunnerTask) -> Outcome:
        if not task.runs:
            return Outcome()
        threads = ["-t", str(task.threads)] if task.threads else []
        common = [self.command, "-m", task.model, "-r", str(task.runs), "-ngl", "0", "-o", "json", *threads]
        outputs = []
        parts = ((task.prefill, 0, task.depth), (0, task.decode, task.depth + task.prefill))
        for prompt, output, depth in parts:
            lengths = ["-p", str(prompt), "-n", str(output), "-d", str(depth)]
            done = _started([*common, *lengths], task.timeout_s)
            if isinstance(done, str):
                return Outcome(failure=done)
            if done.returncode:
                reason = last_error(done.stderr) or f"status {done.returncode}"
                return Outcome(failure=f"{TOOL} failed: {reason}")
            outputs.append(done.stdout)
        return read_llama_bench(task.prefill, task.decode, outputs)


def _started(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str] | str:
    """Run a command to its end; why not, when it does not come there in time."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=seconds + GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not finished after {seconds:g} s"
    except OSError as error:
        return f"{command[0]} does not start ({error.strerror})"


def _crash_of_amx() -> str:
    """What is known of crashes on processors with AMX."""
    try:
        amx = "amx_tile" in Path("/proc/cpuinfo").read_text()
    except OSError:
        amx = False
    return f" (it crashes on processors with AMX unless built without it: {_AMX})" if amx else ""


def read_llama_bench(prefill: int, decode: int, outputs: Sequence[str]) -> Outcome:
    """Put the JSON outputs of llama-bench together: one entry with the prompt's length, one with the output's."""
    try:
        entries = [entry for output in outputs for entry in documents.loads(output)]
        prompts = _samples(entries, "n_prompt", prefill)
        answers = _samples(entries, "n_gen", decode)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Outcome(failure=f"the output of {TOOL} is not what it documents ({error})")
    if not prompts or len(prompts) != len(answers):
        return Outcome(failure=f"{TOOL} gave {len(prompts)} prompt and {len(answers)} output samples")
    runs = (
        Run(False, prefill, decode, prefill_tps=fed, decode_tps=made)
        for fed, made in zip(prompts, answers, strict=True)
    )
    return Outcome(runs=tuple(runs), notes=("prompt and output are timed apart",))


def _samples(entries: Sequence[Any], key: str, length: int) -> list[float]:
    return [float(speed) for entry in entries if entry[key] == length for speed in entry["samples_ts"]]


def _make(value: str, options: RunnerOptions) -> Rival:
    name, separator, installation = value.rpartition("@")
    if not separator or Path(value).is_file():
        name, installation = value, ""
    model = Path(name)
    remedy = f"name a GGUF file: --against {LLAMA_CPP}=MODEL.gguf"
    if not name or not model.is_file():
        raise InputError("no such file" if name else "which model?", where=name or "--against", remedy=remedy)
    with model.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError("this is no GGUF file", where=model, remedy=remedy)
    board = _board(installation)
    size = model.stat().st_size
    return Rival(board, Subject(BundleIdentity(model.stem, model.name, size), model.resolve()))


def _board(installation: str) -> LlamaBoard:
    """The named installation, or what is there: llama-bench on PATH, else the package beside edgekit."""
    if installation:
        named = Path(installation)
        inside = [named / "bin" / "python", named / "bin" / TOOL, named / TOOL] if named.is_dir() else [named]
        found = next((path for path in inside if path.is_file()), None)
        if found is None:
            raise InputError(
                f"there is neither a Python nor {TOOL} here",
                where=installation,
                remedy=f"name a virtual environment with {PACKAGE}, its python, or a {TOOL}",
            )
        # Not resolved: a virtual environment's python is a link, and is one by its place.
        return _bench_board(str(found)) if found.name.startswith(TOOL) else _package_board(str(found))
    if (tool := shutil.which(TOOL)) is not None:
        return _bench_board(tool)
    if find_spec("llama_cpp") is not None:
        return _package_board(sys.executable)
    raise MissingToolError(
        f"there is no llama.cpp: {TOOL} is not on PATH, and {PACKAGE} not installed here",
        remedy=f"pip install {PACKAGE}, or name an installation: {LLAMA_CPP}=MODEL.gguf@DIRECTORY",
    )


def _bench_board(command: str) -> LlamaBoard:
    return LlamaBoard(command, True, EngineInfo(LLAMA_CPP, None, TOOL))


def _package_board(python: str) -> LlamaBoard:
    done = _started([python, str(_CHILD), "version"], 60)
    events = [] if isinstance(done, str) else read_events(done.stdout.splitlines())
    if not events or "version" not in events[0]:
        if isinstance(done, str):
            why = done
        else:
            why = str(events[0]["message"]) if events else exit_failure(done.returncode, done.stderr, 0) or ""
        raise MissingToolError(
            f"{PACKAGE} cannot be used ({why})", where=python, remedy=f"{python} -m pip install {PACKAGE}"
        )
    return LlamaBoard(python, False, EngineInfo(LLAMA_CPP, None, f"{PACKAGE} {events[0]['version']}"))


KIND = RunnerKind(
    LLAMA_CPP,
    "=MODEL.gguf[@INSTALLATION]",
    f"a GGUF file, by {PACKAGE} or {TOOL}, in turns",
    _make,
    BY_PLAN,
    option="--against",
)
