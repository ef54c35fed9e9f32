"""Golden answers: what this machine's engine answers, greedily, to compare a phone's with.

Each prompt is asked in a conversation of its own, with its task's adapter, answer format and system prompt. The bundle
is opened once for all tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import InputError
from edgekit.progress import SILENT, Progress

if TYPE_CHECKING:
    from edgekit.runtime.ask.session import Session

MOST_PROMPTS = 8
"""A self-test that a person waits for on a phone."""

MOST_TOKENS = 256
"""An answer that has not ended by then tells little more, and is left out."""


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
    from edgekit.runtime.ask.session import ask

    count = sum(len(task.chosen) for task in tasks)
    with (
        progress.step("golden answers", count + 1, "answers") as advance,
        ask(model, threads=threads) as session,
    ):
        advance(1)
        answers = tuple(_answers(session, task, advance) for task in tasks)
        return Asked(answers, session.opened.suppressed)


def _answers(session: Session, task: Prompts, advance: Callable[[int], None]) -> Answers:
    from edgekit.runtime.ask.protocol import Decoding, Turn
    from edgekit.text.answers import AnswerFormat
    from edgekit.text.generation import GREEDY

    decoding = Decoding(
        sampler=GREEDY,
        max_tokens=MOST_TOKENS,
        answers=None if task.answer is None else AnswerFormat.from_manifest(task.answer),
        sidecar=task.sidecar,
        chat_template=task.chat_template,
    )
    system: tuple[Mapping[str, Any], ...] = ()
    if task.system_prompt:
        system = ({"role": "system", "content": task.system_prompt},)
    golden, left_out = [], []
    for prompt in task.chosen:
        reply = session.say(Turn((*system, {"role": "user", "content": prompt}), decoding))
        if reply.ending == "end_of_turn" and reply.text:
            golden.append(Golden(prompt, reply.text))
        else:
            left_out.append(prompt)
        advance(1)
    return Answers(tuple(golden), tuple(left_out))


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
