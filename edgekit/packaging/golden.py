"""Golden answers: what this machine's engine answers, greedily, to compare a phone's with.

Each prompt is asked in a conversation of its own, with its task's adapter, answer format and system prompt. A child
process opens the bundle, once for all tasks: one that takes the engine down is an error here and not the end of the
command.
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

from edgekit.errors import BundleError, InputError, MissingToolError
from edgekit.progress import SILENT, Progress

MOST_PROMPTS = 8
"""A self-test that a person waits for on a phone."""

MOST_TOKENS = 256
"""An answer that has not ended by then tells little more, and is left out."""

_PROBLEMS = (BundleError, MissingToolError)


@dataclass(frozen=True)
class Golden:
    """A prompt with the greedy answer of this machine's engine."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Prompts:
    """What is asked for a task, and how.

    texts: the first eight different ones count. answer: the format that its manifest gives. sidecar, chat_template: its
    adapter's; None for the bundle itself.
    """

    texts: tuple[str, ...]
    system_prompt: str | None = None
    answer: Mapping[str, Any] | None = None
    sidecar: Path | None = None
    chat_template: str | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """Those that are asked."""
        return tuple(dict.fromkeys(self.texts))[:MOST_PROMPTS]


@dataclass(frozen=True)
class Answers:
    """golden: in the order of the prompts. left_out: prompts without an answer to compare."""

    golden: tuple[Golden, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What the engine said. tasks: in the order in which they were asked for.

    suppressed: ids that must not be generated under an answer format: the stop tokens but the first, and the bytes of
    ASCII characters (docs/design/text.md says why).
    """

    tasks: tuple[Answers, ...]
    suppressed: tuple[int, ...]


def ask_engine(
    model: Path, tasks: Sequence[Prompts], *, threads: int | None = None, progress: Progress = SILENT
) -> Asked:
    """Open a bundle and ask it; an answer that does not end within 256 tokens, or is empty, is left out.

    Without any prompts the bundle is opened all the same. Raises BundleError when the engine refuses the file, a prompt
    does not fit, or it crashes.
    """
    count = sum(len(task.chosen) for task in tasks)
    events: list[dict[str, Any]] = []
    with progress.step("golden answers", count + 1, "answers") as advance:
        for event in _child(
            {"model": str(model), "threads": threads, "tasks": [_to_json(task) for task in tasks]}, model
        ):
            if "error" in event:
                raise BundleError(event["error"], where=event["where"])
            events.append(event)
            advance(1)
    if len(events) != count + 1:
        raise BundleError("the engine's process ended before all golden prompts were answered", where=model)
    opened, *answered = events
    waiting = iter(answered)
    return Asked(
        tuple(_sorted_out(task.chosen, [next(waiting) for _ in task.chosen]) for task in tasks),
        tuple(opened["suppressed"]),
    )


def _to_json(task: Prompts) -> dict[str, Any]:
    return {
        "prompts": list(task.chosen),
        "system_prompt": task.system_prompt,
        "answer": None if task.answer is None else dict(task.answer),
        "sidecar": None if task.sidecar is None else str(task.sidecar),
        "chat_template": task.chat_template,
    }


def _sorted_out(prompts: Sequence[str], answered: Sequence[Mapping[str, Any]]) -> Answers:
    ended = [answer["ended"] and answer["text"] for answer in answered]
    return Answers(
        tuple(
            Golden(prompt, answer["text"])
            for prompt, answer, good in zip(prompts, answered, ended, strict=True)
            if good
        ),
        tuple(prompt for prompt, good in zip(prompts, ended, strict=True) if not good),
    )


def read_prompts(path: Path) -> tuple[str, ...]:
    """Read prompts for golden answers from the data that `edgekit validate` reads: eight, spread over the file.

    Conversations with something before the prompt are passed over. Raises InputError, with the line, for what is no
    such data, or has no prompt that stands alone.
    """
    from edgekit.text.data import read_data

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
    from edgekit.runtime.ask.engine import failure_reason

    reason = failure_reason(log, "")
    if returncode < 0:
        crash = f"crashed on this file ({signal.Signals(-returncode).name})"
        return f"{crash}: {reason}" if reason else crash
    last = reason or (log.strip().splitlines() or [f"exit status {returncode}"])[-1]
    return f"could not be asked: {last}"


def _answer_here(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the child process does: one object when it is open, one per prompt; or one with an error."""
    from edgekit.runtime.ask.engine import open_engine
    from edgekit.text.answers import AnswerFormat
    from edgekit.text.generation import parse_sampler

    greedy = parse_sampler("greedy")
    where = request["model"]
    try:
        with open_engine(Path(request["model"]), threads=request["threads"]) as engine:
            yield {"suppressed": engine.suppressed_under_format}
            for task in request["tasks"]:
                answer = None if task["answer"] is None else AnswerFormat.from_manifest(task["answer"])
                system = task["system_prompt"]
                where = task["sidecar"] or request["model"]
                for prompt in task["prompts"]:
                    with engine.chat(
                        [{"role": "system", "content": system}] if system else [],
                        sampler=greedy,
                        answers=answer,
                        max_tokens=MOST_TOKENS,
                        chat_template=task["chat_template"],
                        sidecar=None if task["sidecar"] is None else Path(task["sidecar"]),
                    ) as chat:
                        reply = chat.send(prompt)
                    yield {"text": reply.text, "ended": reply.stop_reason == "end_of_turn"}
    except _PROBLEMS as error:
        yield {"error": error.message, "where": where}


if __name__ == "__main__":
    for event in _answer_here(json.load(sys.stdin)):
        print(json.dumps(event), flush=True)
