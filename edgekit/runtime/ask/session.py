"""Ask the engine in a process of its own: a file that crashes it is a finding and not the end of the run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.sidecar import empty_sidecar
from edgekit.errors import BundleError, InputError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.engine import failure_reason
from edgekit.runtime.ask.questions import Answer, Questions, Rendered, Voice

_TAKES_NO_SIDECAR = (
    "it opens the file, but its Python package has no LoraConfig to give it a sidecar: an adapter has no effect, and "
    "the base itself answers at random, as nothing fills the inputs for adapters"
)
_PROBE = Path(__file__).with_name("script.py")


@dataclass(frozen=True)
class Refusal:
    """The engine did not open the file, or crashed on it; reason: in the engine's own words.

    opened: it did open the file, but this release cannot be given the sidecar that the file needs.
    """

    reason: str
    opened: bool = False


def ask_engine(
    model: Path,
    questions: Questions,
    *,
    name: str,
    adapter: Adapter | None = None,
    python: str | None = None,
    progress: Progress = SILENT,
) -> Voice | Refusal:
    """Let a release of the engine answer questions.

    adapter: to answer with. A base that takes adapters gets the sidecar of none when there is none.
    python: of an environment with another release; this one's by default.
    Raises BundleError when the engine stops in the middle.
    """
    if adapter is not None:
        return _ask(model, questions, name, adapter.sidecar, adapter.manifest.chat_template, python, progress)
    with empty_sidecar(model) as sidecar:
        return _ask(model, questions, name, sidecar, None, python, progress)


def _ask(
    model: Path,
    questions: Questions,
    name: str,
    sidecar: Path | None,
    chat_template: str | None,
    python: str | None,
    progress: Progress,
) -> Voice | Refusal:
    task = {
        "path": str(model),
        "sidecar": None if sidecar is None else str(sidecar),
        "chat_template": chat_template,
        "texts": questions.texts,
        "conversations": questions.conversations,
        "prompts": questions.prompts,
        "max_tokens": questions.max_tokens,
        "format": None if questions.answers is None else questions.answers.to_manifest(),
    }
    said: dict[str, list[Any]] = {}
    rounds = len(questions.prompts) * (1 if questions.answers is None else 2)
    with (
        tempfile.TemporaryFile() as log,
        tempfile.TemporaryFile() as asked,
        progress.step(f"answers of {name}", rounds, "answers") as advance,
    ):
        asked.write(json.dumps(task).encode())
        asked.seek(0)
        with subprocess.Popen(
            [python or sys.executable, "-I", str(_PROBE)], stdin=asked, stdout=subprocess.PIPE, stderr=log
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    for kind, value in json.loads(line).items():
                        said.setdefault(kind, []).append(value)
                        if kind in ("answer", "constrained"):
                            advance(1)
            except BaseException:
                process.kill()
                raise
        log.seek(0)
        reasons = log.read().decode(errors="replace")
    if "refused" in said:
        return Refusal(failure_reason(reasons, said["refused"][0]))
    if "opened" not in said:
        return Refusal(_ending(process.returncode, reasons))
    if "takes_no_sidecar" in said:
        return Refusal(_TAKES_NO_SIDECAR, opened=True)
    if "done" not in said:
        done = len(said.get("answer", ()))
        raise BundleError(
            f"the engine stopped after {done} answers: {_ending(process.returncode, reasons)}", where=model
        )
    return _voice(name, said, questions, reasons, model)


def _voice(name: str, said: dict[str, list[Any]], questions: Questions, log: str, model: Path) -> Voice:
    opened = said["opened"][0]
    answers = said.get("answer", [])
    failed = next((answer["error"] for answer in answers if "error" in answer), None)
    if failed is not None:
        raise BundleError(f"the engine cannot answer: {failure_reason(log, failed)}", where=model)
    constrained = said.get("constrained", [])
    refused = next((answer["error"] for answer in constrained if "error" in answer), None)
    if refused is not None:
        raise InputError(
            f"the engine cannot take the answer format: {failure_reason(log, refused)}", where=model
        )
    return Voice(
        name=name,
        start_id=opened["start_id"],
        stop_ids=tuple(map(tuple, opened["stop_ids"])),
        ids=tuple(tuple(ids or ()) for ids in said.get("ids", [])),
        prompts=tuple(Rendered(**prompt) for prompt in said.get("prompt", [])),
        answers=tuple(_answer(answer) for answer in answers),
        constrained=tuple(_answer(answer) for answer in constrained) if questions.answers else None,
        asked=tuple(tuple(ids or ()) for ids in said.get("asked", [])),
    )


def _answer(value: dict[str, Any]) -> Answer:
    return Answer(value["text"], tuple(value["ids"]), value["tokens"], value["ended"])


def _ending(returncode: int, log: str) -> str:
    reason = failure_reason(log, "")
    if returncode < 0:
        return f"it crashed ({signal.Signals(-returncode).name}){': ' + reason if reason else ''}"
    return reason or (log.strip().splitlines() or [f"exit status {returncode}"])[-1]
