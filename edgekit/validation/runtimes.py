"""Check 9: other published releases of the engine, each in an environment of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgekit.errors import InputError, MissingToolError
from edgekit.graph.library import cache_directory
from edgekit.progress import SILENT, Progress
from edgekit.validation.checks import TITLES
from edgekit.validation.probing import Refusal, ask_engine
from edgekit.validation.result import Check, RuntimeResult, RuntimesSection
from edgekit.validation.voice import Questions, Voice

PACKAGE = "litert-lm-api"
_VERSION = re.compile(r"\d+(\.\d+){1,3}([a-z]+\d+)?")
_PIP_SECONDS = 600

Judge = Callable[[Voice], Sequence[Check]]


def parse_versions(text: str) -> tuple[str, ...]:
    """Read `--runtime 0.11.0,0.14.0`."""
    versions = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for release in versions:
        if not _VERSION.fullmatch(release):
            raise InputError(
                f"{release!r} is no version of {PACKAGE}", where="--runtime", remedy="as in 0.11.0"
            )
    return versions


def check_runtimes(
    model: Path, versions: Sequence[str], questions: Questions, judge: Judge, progress: Progress = SILENT
) -> tuple[Check, RuntimesSection]:
    """Ask each release, and judge what it says as this installation's engine is judged.

    judge: gives the checks of tokens, template, stop and generation.
    Raises MissingToolError when an environment cannot be made.
    """
    results = tuple(_try(model, release, questions, judge, progress) for release in versions)
    section = RuntimesSection(results)
    wrong = [f"{r.version}: {_problem(r)}" for r in results if _problem(r) is not None]
    if wrong:
        remedy = "ship with a runtime that passes, or convert with --shape static"
        return Check("runtimes", TITLES["runtimes"], "failed", "; ".join(wrong), remedy=remedy), section
    said = f"{', '.join(versions)} run it and pass the same checks"
    return Check("runtimes", TITLES["runtimes"], "passed", said), section


def _try(model: Path, release: str, questions: Questions, judge: Judge, progress: Progress) -> RuntimeResult:
    python = environment(release, progress)
    voice = ask_engine(model, questions, name=release, python=str(python), progress=progress)
    if isinstance(voice, Refusal):
        return RuntimeResult(release, opens=False, reason=voice.reason)
    return RuntimeResult(release, opens=True, reason=None, checks=tuple(judge(voice)))


def _problem(result: RuntimeResult) -> str | None:
    if not result.opens:
        return f"it does not open the file ({result.reason})"
    bad = [check for check in result.checks if check.status == "failed"]
    return "; ".join(f"{check.title}: {check.summary}" for check in bad) or None


def environment(release: str, progress: Progress = SILENT) -> Path:
    """Return the Python of an environment that holds one release of the engine; made once, then kept.

    Raises MissingToolError when pip is not there or cannot get the release, with pip's last line.
    """
    import filelock

    directory = (
        cache_directory().parent / "runtimes" / f"{release}-py{sys.version_info[0]}.{sys.version_info[1]}"
    )
    python = directory / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(directory.with_suffix(".lock")):
        if (directory / "complete").is_file():
            return python
        shutil.rmtree(directory, ignore_errors=True)
        with progress.step(f"install {PACKAGE} {release}"):
            _run([sys.executable, "-m", "venv", str(directory)], release)
            install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([str(python), *install, f"{PACKAGE}=={release}"], release)
        (directory / "complete").touch()
    return python


def _run(command: Sequence[str], release: str) -> None:
    with tempfile.TemporaryFile() as log:
        try:
            done = subprocess.run(
                command, stdout=log, stderr=log, check=False, timeout=_PIP_SECONDS, stdin=subprocess.DEVNULL
            )
            returncode = done.returncode
        except subprocess.TimeoutExpired:
            returncode = -1
        log.seek(0)
        lines = log.read().decode(errors="replace").strip().splitlines()
    if returncode != 0:
        said = next((line for line in reversed(lines) if "ERROR" in line or "Error" in line), None)
        raise MissingToolError(
            f"{PACKAGE} {release} cannot be installed ({said or (lines or ['no answer'])[-1]})",
            where="--runtime",
            remedy="check the version and the network, or leave --runtime away",
        )
