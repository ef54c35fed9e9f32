"""What a runner says: ids, prompts, stop tokens and answers, whoever it is.

Transformers, the engine of this installation and other releases of it all fill in the same `Said`, so that one
set of checks compares any two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit.bundle.adapter.opening import Adapter
from edgekit.errors import BundleError, InputError, MissingToolError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.child import EngineError
from edgekit.runtime.ask.protocol import Decoding, Rendered, Turn
from edgekit.runtime.ask.session import Session, ask
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import GREEDY
from edgekit.text.messages import Message


@dataclass(frozen=True)
class Questions:
    """What runners are asked.

    texts: to tokenize. conversations: to render, ready for the model's turn. prompts: to answer greedily, with
    at most `max_tokens` tokens. answers: a format to hold a second set of answers to.
    """

    texts: tuple[str, ...]
    conversations: tuple[tuple[Message, ...], ...]
    prompts: tuple[tuple[Message, ...], ...]
    max_tokens: int
    answers: AnswerFormat | None = None


@dataclass(frozen=True)
class Answer:
    """A greedy answer. ids: of its text, without what ended it. ended: by itself, before the limit."""

    text: str
    ids: tuple[int, ...]
    tokens: int
    ended: bool


@dataclass(frozen=True)
class Said:
    """What one runner answered to `Questions`, in their order.

    start_id: what is put before a conversation; the engine's prompts do not hold it. asked: ids of each prompt
    that was answered, without it, where the runner is an engine. pieces: texts of ids, for showing.
    """

    name: str
    start_id: int | None
    stop_ids: tuple[tuple[int, ...], ...]
    ids: tuple[tuple[int, ...], ...]
    prompts: tuple[Rendered, ...]
    answers: tuple[Answer, ...]
    constrained: tuple[Answer, ...] | None = None
    asked: tuple[tuple[int, ...], ...] = ()
    pieces: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """The engine did not open the file, or crashed on it; reason: in the engine's own words.

    opened: it did open the file, but this release cannot be given the sidecar that the file needs.
    """

    reason: str
    opened: bool = False


_TAKES_NO_SIDECAR = (
    "it opens the file, but its Python package has no LoraConfig to give it a sidecar: an adapter has no effect, and "
    "the base itself answers at random, as nothing fills the inputs for adapters"
)


def ask_engine(
    model: Path,
    questions: Questions,
    *,
    name: str,
    adapter: Adapter | None = None,
    python: str | None = None,
    progress: Progress = SILENT,
) -> Said | Refusal:
    """Let a release of the engine answer questions.

    adapter: to answer with. python: of an environment with another release; this one's by default.
    Raises BundleError when the engine stops in the middle, InputError when it cannot take the answer format.
    """
    decoding = Decoding(
        sampler=GREEDY,
        max_tokens=questions.max_tokens,
        sidecar=None if adapter is None else adapter.sidecar,
        chat_template=None if adapter is None else adapter.manifest.chat_template,
    )
    answers: list[Answer] = []
    rounds = len(questions.prompts) * (1 if questions.answers is None else 2)
    with progress.step(f"answers of {name}", rounds, "answers") as advance, ExitStack() as stack:
        try:
            session = stack.enter_context(ask(model, python=python))
        except EngineError as error:
            return Refusal(error.reason)
        except MissingToolError as error:
            if python is None:
                raise
            return Refusal(error.message)
        if session.takes_adapters and not session.opened.takes_sidecars:
            return Refusal(_TAKES_NO_SIDECAR, opened=True)
        try:
            ids = tuple(_ids(session, text) for text in questions.texts)
            rendered = tuple(session.prompt(messages, decoding) for messages in questions.conversations)
            asked = []
            for messages in questions.prompts:
                asked.append(_ids(session, session.prompt(messages, decoding).text or ""))
                answers.append(_answer(session, Turn(messages, decoding)))
                advance(1)
            constrained = None
            if questions.answers is not None:
                constrained = _constrained(
                    session, questions.prompts, replace(decoding, answers=questions.answers), advance
                )
        except EngineError as error:
            if not error.crashed:
                raise
            raise BundleError(
                f"the engine stopped after {len(answers)} answers: {error.reason}", where=model
            ) from error
    return Said(
        name=name,
        start_id=session.opened.start_id,
        stop_ids=session.opened.stop_ids,
        ids=ids,
        prompts=rendered,
        answers=tuple(answers),
        constrained=constrained,
        asked=tuple(asked),
    )


def _constrained(
    session: Session,
    prompts: Sequence[tuple[Message, ...]],
    decoding: Decoding,
    advance: Callable[[int], None],
) -> tuple[Answer, ...]:
    answers = []
    for messages in prompts:
        try:
            answers.append(_answer(session, Turn(messages, decoding)))
        except EngineError as error:
            if error.crashed:
                raise
            raise InputError(
                f"the engine cannot take the answer format: {error.reason}", where=session.model
            ) from error
        advance(1)
    return tuple(answers)


def _answer(session: Session, turn: Turn) -> Answer:
    reply = session.say(turn)
    return Answer(
        text=reply.text,
        ids=_ids(session, reply.text),
        tokens=reply.stats.generated_tokens,
        ended=reply.ending == "end_of_turn",
    )


def _ids(session: Session, text: str) -> tuple[int, ...]:
    """The ids of a text; none for one that the engine cannot tokenize, which is a finding."""
    try:
        return session.ids(text)
    except InputError as error:
        if isinstance(error, EngineError) and error.crashed:
            raise
        return ()
