"""Check 9: other published releases of the engine, each in an environment of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.bundle.adapter.opening import Adapter
from edgekit.errors import InputError, MissingToolError
from edgekit.files.lock import lock
from edgekit.graph.library import cache_directory
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.questions import Questions, Refusal, Voice, ask_engine
from edgekit.validation.checks import TITLES
from edgekit.validation.result import Check, RuntimeResult, RuntimesSection
from edgekit.validation.side import Side

PACKAGE = "litert-lm-api"
_VERSION = re.compile(r"\d+(\.\d+){1,3}([a-z]+\d+)?")
_PIP_SECONDS = 600
_PROMPTS_WITHOUT = 8
"""Asked once more without the adapter."""

_NO_EFFECT = "the sidecar has no effect: it answers what it answers without one"

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
    side: Side,
    versions: Sequence[str],
    questions: Questions,
    expected: Voice,
    judge: Judge,
    progress: Progress = SILENT,
) -> tuple[Check, RuntimesSection]:
    """Ask each release, and judge what it says as this installation's engine is judged.

    expected: what this installation's engine said. judge: gives the checks of tokens, template, stop and generation.
    Raises MissingToolError when an environment cannot be made.
    """
    results = tuple(_try(side, release, questions, expected, judge, progress) for release in versions)
    section = RuntimesSection(results)
    wrong = [f"{r.version}: {_problem(r)}" for r in results if _problem(r) is not None]
    if wrong:
        remedy = "ship with a runtime that passes, or convert with --shape static"
        if side.adapter is not None:
            remedy = "ship with a runtime that passes, or convert the adapter merged into its base"
        return Check("runtimes", TITLES["runtimes"], "failed", "; ".join(wrong), remedy=remedy), section
    said = f"{', '.join(versions)} run it and pass the same checks"
    return Check("runtimes", TITLES["runtimes"], "passed", said), section


def _try(
    side: Side, release: str, questions: Questions, expected: Voice, judge: Judge, progress: Progress
) -> RuntimeResult:
    python = str(environment(release, progress))

    def ask(adapter: Adapter | None, questions: Questions) -> Voice | Refusal:
        return ask_engine(
            side.path, questions, name=release, adapter=adapter, python=python, progress=progress
        )

    try:
        voice = ask(side.adapter, questions)
        if isinstance(voice, Refusal):
            return RuntimeResult(release, opens=voice.opened, reason=voice.reason)
        if side.adapter is not None and _has_no_effect(voice, expected, ask(None, _few(questions))):
            return RuntimeResult(release, opens=True, reason=_NO_EFFECT)
    except InputError as error:  # it stopped in the middle, or takes no answer format
        return RuntimeResult(release, opens=True, reason=error.message)
    return RuntimeResult(release, opens=True, reason=None, checks=tuple(judge(voice)))


def _few(questions: Questions) -> Questions:
    return replace(questions, texts=(), conversations=(), prompts=questions.prompts[:_PROMPTS_WITHOUT])


def _has_no_effect(voice: Voice, expected: Voice, without: Voice | Refusal) -> bool:
    """Whether a release answers as if there were no adapter, where this installation's engine answers otherwise."""
    if isinstance(without, Refusal):
        return False

    def texts(said: Voice) -> list[str]:
        return [answer.text for answer in said.answers[:_PROMPTS_WITHOUT]]

    return texts(voice) == texts(without) != texts(expected)


def _problem(result: RuntimeResult) -> str | None:
    if not result.opens:
        return f"it does not open the file ({result.reason})"
    if result.reason is not None:
        return result.reason
    bad = [check for check in result.checks if check.status == "failed"]
    return "; ".join(f"{check.title}: {check.summary}" for check in bad) or None


def environment(release: str, progress: Progress = SILENT) -> Path:
    """Return the Python of an environment that holds one release of the engine; made once, then kept.

    Raises MissingToolError when pip is not there or cannot get the release, with pip's last line.
    """
    directory = (
        cache_directory().parent / "runtimes" / f"{release}-py{sys.version_info[0]}.{sys.version_info[1]}"
    )
    python = directory / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with lock(directory):
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
