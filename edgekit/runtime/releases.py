"""Other published releases of the engine, each in an environment of its own: made once, then kept."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import InputError, MissingToolError
from edgekit.files.lock import lock
from edgekit.graph.library import cache_directory
from edgekit.progress import SILENT, Progress

PACKAGE = "litert-lm-api"
_VERSION = re.compile(r"\d+(\.\d+){1,3}([a-z]+\d+)?")
_PIP_SECONDS = 600


def parse_versions(text: str) -> tuple[str, ...]:
    """Read `--runtime 0.11.0,0.14.0`."""
    versions = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for release in versions:
        if not _VERSION.fullmatch(release):
            raise InputError(
                f"{release!r} is no version of {PACKAGE}", where="--runtime", remedy="as in 0.11.0"
            )
    return versions


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
