"""What a runner says: ids, prompts, stop tokens and answers, whoever it is.

Transformers, the engine of this installation and other releases of it all fill in the same `Said`, so that one
set of checks compares any two.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

from edgekit.bundle.adapter.opening import Adapter
from edgekit.errors import BundleError, InputError, MissingToolError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.child import EngineError
from edgekit.runtime.ask.gpu import Gpu
from edgekit.runtime.ask.protocol import Backend, Decoding, Rendered, Turn
from edgekit.runtime.ask.session import Session, ask
from edgekit.text.allowed import surely_allows
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import GREEDY
from edgekit.text.messages import Message

T = TypeVar("T")
Prompt = tuple[Message, ...]

_MOST_CHILDREN = 4
_PROMPTS_PER_CHILD = 24
"""Another child takes a second to start, and as much memory as the model."""
_TRIED = 2
"""Answers that should be the same when they are held, and are asked all the same."""


@dataclass(frozen=True)
class Questions:
    """What runners are asked.

    texts: to tokenize. conversations: to render, ready for the model's turn. prompts: to answer greedily, with
    at most `max_tokens` tokens. answers: a format to hold a second set of answers to. second: what is said behind the
    first answer, to see what a conversation that goes on is fed; None to leave that out.
    """

    texts: tuple[str, ...]
    conversations: tuple[tuple[Message, ...], ...]
    prompts: tuple[tuple[Message, ...], ...]
    max_tokens: int
    answers: AnswerFormat | None = None
    second: str | None = None


@dataclass(frozen=True)
class SecondTurn:
    """What an engine feeds for a second message: prompt and answer are in its cache already, and `more` is added."""

    prompt: str
    answer: str
    more: str


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
    that was answered, without it, where the runner is an engine. pieces: texts of ids, for showing. second: the first
    prompt's conversation as it went on, where that was asked and its answer ended by itself.
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
    second: SecondTurn | None = None


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
    backend: Backend = "cpu",
    adapter: Adapter | None = None,
    python: str | None = None,
    progress: Progress = SILENT,
) -> Said | Refusal:
    """Let a release of the engine answer questions.

    backend: what it computes on. adapter: to answer with. python: of an environment with another release; this one's
    by default.
    Raises BundleError when the engine stops in the middle, InputError when it cannot take the answer format.
    """
    decoding = Decoding(
        sampler=GREEDY,
        max_tokens=questions.max_tokens,
        sidecar=None if adapter is None else adapter.sidecar,
        chat_template=None if adapter is None else adapter.manifest.chat_template,
    )
    rounds = len(questions.prompts) * (1 if questions.answers is None else 2)
    # A GPU is one device, whatever the number of processes.
    children, threads = (1, None) if backend == "gpu" else _crew(len(questions.prompts))
    with progress.step(f"answers of {name}", rounds, "answers") as advance, ExitStack() as stack:
        try:
            session = stack.enter_context(ask(model, backend=backend, python=python, threads=threads))
        except EngineError as error:
            return Refusal(error.reason)
        except MissingToolError as error:
            if python is None:
                raise
            return Refusal(error.message)
        if session.takes_adapters and not session.opened.takes_sidecars:
            return Refusal(_TAKES_NO_SIDECAR, opened=True)
        sessions = [session]
        for _ in range(children - 1):
            with suppress(EngineError):  # no room for one more
                sessions.append(stack.enter_context(ask(model, python=python, threads=threads)))
        try:
            ids = tuple(_ids(session, text) for text in questions.texts)
            rendered = tuple(session.prompt(messages, decoding) for messages in questions.conversations)
            second = None
            if questions.second is not None and questions.prompts:
                second = _second(session, questions.prompts[0], questions.second, decoding)
        except EngineError as error:
            if not error.crashed:
                raise
            raise _stopped(0, error, model) from error
        said = share(
            sessions, questions.prompts, lambda one, messages: _free(one, messages, decoding), advance
        )
        answers = tuple(answer for _, answer in said)
        constrained = None
        if questions.answers is not None:
            constrained = _constrained(
                sessions, questions.prompts, replace(decoding, answers=questions.answers), answers, advance
            )
    return Said(
        name=name,
        start_id=session.opened.start_id,
        stop_ids=session.opened.stop_ids,
        ids=ids,
        prompts=rendered,
        answers=answers,
        constrained=constrained,
        asked=tuple(asked for asked, _ in said),
        second=second,
    )


def _second(session: Session, messages: Prompt, more: str, decoding: Decoding) -> SecondTurn | None:
    """Let a conversation go on behind its answer."""
    prompt = session.prompt(messages, decoding).text
    with session.talk(decoding, messages[:-1]) as conversation:
        reply = conversation.say(messages[-1])
        rendered = conversation.render(more)
    if prompt is None or rendered.text is None or reply.ending != "end_of_turn" or not reply.text.strip():
        return None
    return SecondTurn(prompt, reply.text, rendered.text)


def _crew(prompts: int) -> tuple[int, int | None]:
    """How many children share these prompts, and with how many threads each; None leaves that to the engine.

    Decoding waits for memory: two threads on one answer do less than two children with an answer each.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    children = max(1, min(cores, _MOST_CHILDREN, prompts // _PROMPTS_PER_CHILD))
    return children, None if children == 1 else max(1, cores // children)


def share(
    sessions: Sequence[Session],
    prompts: Sequence[Prompt],
    work: Callable[[Session, Prompt], T],
    advance: Callable[[int], None],
) -> list[T]:
    """Let sessions of one model work through prompts, each on the next that is left; results are in their order.

    Raises what the first that failed raised, BundleError for a crash.
    """
    waiting, found, lock = deque(enumerate(prompts)), dict[int, T](), Lock()

    def run(session: Session) -> None:
        while True:
            with lock:
                if not waiting:
                    return
                number, prompt = waiting.popleft()
            done = work(session, prompt)
            with lock:
                found[number] = done
                advance(1)

    try:
        if len(sessions) == 1:
            run(sessions[0])
        else:
            with ThreadPoolExecutor(len(sessions), thread_name_prefix="ask") as pool:
                running = [pool.submit(run, session) for session in sessions]
                try:
                    for future in as_completed(running):
                        future.result()
                except BaseException:
                    for session in sessions:  # nobody listens to the others' answers any more
                        session.child.close()
                    raise
    except EngineError as error:
        if not error.crashed:
            raise
        raise _stopped(len(found), error, sessions[0].model) from error
    return [found[number] for number in range(len(prompts))]


def _stopped(answers: int, error: EngineError, model: Path) -> BundleError:
    return BundleError(f"the engine stopped after {answers} answers: {error.reason}", where=model)


def _free(session: Session, messages: Prompt, decoding: Decoding) -> tuple[tuple[int, ...], Answer]:
    """The ids of a prompt, and its answer."""
    asked = _ids(session, session.prompt(messages, decoding).text or "")
    return asked, _answer(session, Turn(messages, decoding))


def read_answers(
    model: Path,
    pairs: Sequence[tuple[tuple[Message, ...], str]],
    backend: Backend,
    *,
    progress: Progress = SILENT,
) -> tuple[tuple[tuple[float, ...], ...], Gpu | None]:
    """Let the engine read answers to prompts.

    Returns the log-likelihood of each token of each answer, and the device of the GPU backend. Raises EngineError when
    the engine fails.
    """
    where = "GPU" if backend == "gpu" else "processor"
    with (
        progress.step(f"answers read on the {where}", len(pairs), "answers") as advance,
        ask(model, backend=backend) as session,
    ):
        found = []
        for messages, answer in pairs:
            found.append(session.scores(session.prompt(messages).text or "", answer))
            advance(1)
        return tuple(found), session.gpu


def _constrained(
    sessions: Sequence[Session],
    prompts: Sequence[Prompt],
    decoding: Decoding,
    free: Sequence[Answer],
    advance: Callable[[int], None],
) -> tuple[Answer, ...]:
    """The answers held to the format of `decoding`.

    The engine prepares the format anew for each conversation, which takes seconds, so that it is asked only where the
    format changes something: not for answers that it lets through as they are. The first ones of these are asked all
    the same; should one come out otherwise, all are.
    """
    form = decoding.answers
    assert form is not None

    def held(session: Session, messages: Prompt) -> Answer:
        try:
            return _answer(session, Turn(messages, decoding))
        except EngineError as error:
            if error.crashed:
                raise
            raise InputError(
                f"the engine cannot take the answer format: {error.reason}", where=session.model
            ) from error

    def ask_for(numbers: Sequence[int]) -> dict[int, Answer]:
        return dict(zip(numbers, share(sessions, [prompts[n] for n in numbers], held, advance), strict=True))

    sure = [n for n, answer in enumerate(free) if _same_when_held(sessions[0], answer, form)]
    tried, untried = sure[:_TRIED], sure[_TRIED:]
    found = ask_for([n for n in range(len(prompts)) if n not in set(untried)])
    if all(found[n] == free[n] for n in tried):
        found |= {n: free[n] for n in untried}
        advance(len(untried))
    else:
        found |= ask_for(untried)
    return tuple(found[n] for n in range(len(prompts)))


def _same_when_held(session: Session, answer: Answer, form: AnswerFormat) -> bool:
    """Whether the format lets an answer through as it is; False where that is not known."""
    return (
        answer.ended
        # One more ended it. As many as the tokenizer makes of the text: it was spelled as that does.
        and answer.tokens == len(answer.ids) + 1
        and not set(answer.ids) & set(session.opened.suppressed)
        and surely_allows(form, answer.text)
        # Tokens of single bytes pass for other text under a format.
        and (answer.text.isascii() or "".join(session.text((n,)) for n in answer.ids) == answer.text)
    )


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
