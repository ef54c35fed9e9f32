"""Why the engine failed: it says so in its log, and hardly anywhere else."""

from __future__ import annotations

import re

from edgekit.runtime.ask.gpu import gpu_failure

_ERROR_LINE = re.compile(r"^(?:[EF]\d{4} [^\]]*\]|ERROR: \[[^\]]*\]|ERROR:) *(.*)$")
_CONTEXT = re.compile(r"^=== Source Location Trace|^third_party/|^runtime/|^INFO: |^W\d{4} |^WARNING: |^$")


def failure_reason(log: str, said: str = "") -> str:
    """Return the reason for a failure: what the engine logged last, else what its binding said.

    Empty when neither says anything.
    """
    if of_gpu := gpu_failure(log):
        return of_gpu
    logged = logged_errors(log)
    text = logged[-1] if logged else (said.splitlines() or [""])[0]
    # Statuses are nested: the innermost says most.
    text = re.split(r"└ ERROR: \[[^\]]*\] *", text)[-1].strip("└ ")
    return re.sub(r"^(?:Failed to [a-z ]+: )?(?:[A-Z_]+: )", "", text)[:400]


def logged_errors(log: str) -> list[str]:
    """Return the errors of a log, each with the lines that belong to it, without file names and times."""
    errors: list[str] = []
    open_error = False
    for line in log.splitlines():
        match = _ERROR_LINE.match(line)
        if match:
            errors.append(match[1].strip())
            open_error = True
        elif _CONTEXT.match(line):
            open_error = False
        elif open_error:
            errors[-1] += " " + line.strip()
    return errors
