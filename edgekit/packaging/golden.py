"""Golden answers: what this machine's engine answers, greedily, to compare a phone's with.

Each prompt is asked in a conversation of its own, under the bundle's answer format and the app's system prompt, in a
process of its own: a bundle that takes the engine down is an error here and not the end of the command.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.answers import AnswerFormat
from edgekit.checkpoint.generation import parse_sampler
from edgekit.errors import BundleError, InputError, MissingToolError
from edgekit.packaging.task import Golden
from edgekit.progress import SILENT, Progress
from edgekit.runtime.engine import failure_reason, open_engine
from edgekit.validation.data import read_data

MOST_PROMPTS = 8
"""A self-test that a person waits for on a phone."""

MOST_TOKENS = 256
"""An answer that has not ended by then tells little more, and is left out."""

_PROBLEMS = (BundleError, MissingToolError)


@dataclass(frozen=True)
class Asked:
    """What the engine said. golden: in the order of the prompts. left_out: prompts without an answer to compare.

    suppressed: ids that must not be generated under the bundle's answer format: the stop tokens but the first, and the
    bytes of ASCII characters (docs/design/text.md says why). None of them without a format.
    """

    golden: tuple[Golden, ...]
    left_out: tuple[str, ...]
    suppressed: tuple[int, ...]


def ask_engine(
    model: Path,
    prompts: Sequence[str],
    *,
    system_prompt: str | None = None,
    answer: Mapping[str, Any] | None = None,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> Asked:
    """Open a bundle and ask it; an answer that does not end within 256 tokens, or is empty, is left out.

    prompts: the first eight different ones count; without any, the bundle is opened all the same. answer: the
    manifest's format. Raises BundleError when the engine refuses the file, a prompt does not fit, or it crashes.
    """
    chosen = list(dict.fromkeys(prompts))[:MOST_PROMPTS]
    task = {
        "model": str(model),
        "prompts": chosen,
        "system_prompt": system_prompt,
        "answer": None if answer is None else dict(answer),
        "threads": threads,
    }
    events: list[dict[str, Any]] = []
    with progress.step("golden answers", len(chosen) + 1, "answers") as advance:
        for event in _child(task, model):
            if "error" in event:
                raise BundleError(event["error"], where=model)
            events.append(event)
            advance(1)
    if len(events) != len(chosen) + 1:
        raise BundleError("the engine's process ended before all golden prompts were answered", where=model)
    opened, *answers = events
    golden = tuple(
        Golden(prompt, answered["text"])
        for prompt, answered in zip(chosen, answers, strict=True)
        if answered["ended"] and answered["text"]
    )
    answered_prompts = {each.prompt for each in golden}
    left_out = tuple(prompt for prompt in chosen if prompt not in answered_prompts)
    return Asked(golden, left_out, tuple(opened["suppressed"]))


def read_prompts(path: Path) -> tuple[str, ...]:
    """Read prompts for golden answers from the data that `edgekit validate` reads: eight, spread over the file.

    Conversations with something before the prompt are passed over. Raises InputError, with the line, for what is no
    such data, or has no prompt that stands alone.
    """
    try:
        rows = read_data(path).rows
    except InputError as error:
        remedy = 'one such object in each line: {"prompt": "my screen is too dark"}'
        what = f"the golden prompts cannot be read: {error.message}"
        raise InputError(what, where=error.where, remedy=remedy) from error
    prompts = [row.prompt for row in rows if len(row.messages) == 1]
    if not prompts:
        raise InputError("every prompt in it has messages before it", where=path)
    count = min(MOST_PROMPTS, len(prompts))
    return tuple(prompts[number * len(prompts) // count] for number in range(count))


def _child(task: Mapping[str, Any], model: Path) -> Iterator[dict[str, Any]]:
    """Run this module in a process of its own; gives its lines as they come."""
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as log:
        asked.write(json.dumps(task).encode())
        asked.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "edgekit.packaging.golden"],
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | {"PYTHONPATH": paths},
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    yield json.loads(line)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            log.seek(0)
            said = log.read().decode(errors="replace")
            raise BundleError(f"the engine {_ending(process.returncode, said)}", where=model)


def _ending(returncode: int, log: str) -> str:
    reason = failure_reason(log, "")
    if returncode < 0:
        crash = f"crashed on this file ({signal.Signals(-returncode).name})"
        return f"{crash}: {reason}" if reason else crash
    last = reason or (log.strip().splitlines() or [f"exit status {returncode}"])[-1]
    return f"could not be asked: {last}"


def _answer_here(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the child process does: one object when it is open, one per prompt; or one with an error."""
    answer = None if task["answer"] is None else AnswerFormat.from_manifest(task["answer"])
    system = task["system_prompt"]
    history = [{"role": "system", "content": system}] if system else []
    try:
        with open_engine(Path(task["model"]), threads=task["threads"]) as engine:
            yield {"suppressed": engine.suppressed_under_format if answer else ()}
            for prompt in task["prompts"]:
                greedy = parse_sampler("greedy")
                with engine.chat(history, sampler=greedy, answers=answer, max_tokens=MOST_TOKENS) as chat:
                    reply = chat.send(prompt)
                yield {"text": reply.text, "ended": reply.stop_reason == "end_of_turn"}
    except _PROBLEMS as error:
        yield {"error": error.message}


if __name__ == "__main__":
    for event in _answer_here(json.load(sys.stdin)):
        print(json.dumps(event), flush=True)
