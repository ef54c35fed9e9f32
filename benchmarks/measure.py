"""Run a command as a whole process: wall time and peak memory, by the operating system's accounting."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
WORK = Path(__file__).parents[1] / "build" / "benchmarks"
CONVERT = [sys.executable, "-m", "edgekit", "convert"]
PACKAGES = (
    "edgekit",
    "litert-lm-api",
    "ai-edge-quantizer",
    "ai-edge-litert",
    "litert-torch",
    "torch",
    "transformers",
)


@dataclass(frozen=True)
class Run:
    """One finished process. peak_bytes: the largest resident set of it or of a process it waited for."""

    seconds: float
    peak_bytes: int


def run(command: Sequence[str], log: Path | None = None) -> Run:
    """Run a command to its end; its output goes to `log`. Raises RuntimeError when it fails."""
    with Path(log or os.devnull).open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    if status != 0:
        raise RuntimeError(
            f"{' '.join(command)} ended with status {status}" + (f"; see {log}" if log else "")
        )
    return Run(seconds, usage.ru_maxrss * 1024)


def parser(told: str | None, runs: int) -> argparse.ArgumentParser:
    """The options that scripts share; told: their docstring."""
    made = argparse.ArgumentParser(
        description=told, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=True
    )
    made.add_argument("--real", action="store_true", help="on Gemma 3 270M's own weights (its terms apply)")
    made.add_argument("--runs", type=int, default=runs)
    made.add_argument("--threads", type=int, default=2)
    return made


def model(directory: Path, *, real: bool) -> Path:
    """The checkpoint to measure: the real one, fetched on first use (see real_model.py), or a random one."""
    if not real:
        return random_checkpoint(directory / "random-270m")
    import real_model

    return real_model.real_model(real_model.directory())


def what(*, real: bool) -> str:
    """What a result is of, for whoever reads it."""
    if real:
        return "Gemma 3 270M's own weights and tokenizer"
    return "random weights and tokenizer of Gemma 3 270M's shape"


def convert(checkpoint: Path, output: Path, *options: str) -> Path:
    """Convert as a user would, without the engine's check; returns the model file."""
    run([*CONVERT, str(checkpoint), "-o", str(output), "--no-check", "--force", *options])
    return next(output.glob("*.litertlm"))


def random_checkpoint(directory: Path) -> Path:
    """Write the random 270M checkpoint, in a process of its own.

    This process must stay small: the peak memory that the system tells of a child counts what its parent
    held when it was started.
    """
    subprocess.run(
        [sys.executable, Path(__file__).parent / "checkpoint_270m.py", directory],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return directory


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }


def save(name: str, results: Any) -> Path:
    """Write results as JSON, with the machine they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")
    return path
