"""Try what was just made in the real engine, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import BundleError, InputError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.engine import SmokeResult, smoke
from edgekit.text.answers import AnswerFormat

_OTHER_MEANS = {
    "json_schema": "say it without that; enum, const, pattern, anyOf, minLength and the like are supported",
    "regex": "say it with alternatives, classes, groups and counts",
}


def try_bundle(
    path: Path,
    *,
    answer: AnswerFormat | None = None,
    answer_schema: str | Path | None = None,
    sidecar: Path | None = None,
    chat_template: str | None = None,
    progress: Progress = SILENT,
) -> SmokeResult:
    """Open a bundle in the engine and let it generate, under an answer format when there is one.

    answer_schema: the file of the answer format, named when the engine cannot take it.
    sidecar, chat_template: of an adapter.
    Raises BundleError when the engine refuses the bundle, InputError when it refuses the format.
    """
    try:
        with progress.step("check in the engine"):
            return smoke(path, answer=answer, sidecar=sidecar, chat_template=chat_template)
    except InputError as error:
        if answer is None or isinstance(error, BundleError):  # the file, not the format
            raise
        raise InputError(
            error.message,
            where=error.where if answer_schema is None else answer_schema,
            remedy=error.remedy or _OTHER_MEANS[answer.kind],
        ) from error
