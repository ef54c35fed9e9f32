"""The engine, opened in a child program of its own: a file that crashes it is an error here, not the end of us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from edgekit.bundle.opening import suppressed_beside
from edgekit.bundle.sidecar import empty_sidecar
from edgekit.errors import BundleError, InputError
from edgekit.records.codec import decode, plain
from edgekit.records.documents import Json
from edgekit.runtime.ask.child import Child, EngineError, start_child
from edgekit.runtime.ask.gpu import Gpu, find_gpu
from edgekit.runtime.ask.protocol import AS_BUNDLED, Backend, Decoding, Open, Opened, Rendered, Reply, Turn
from edgekit.text.messages import Message

T = TypeVar("T")


class Session:
    """A model that is open in the engine. Made by `ask`.

    Its methods raise EngineError when the engine fails, or has crashed.
    """

    def __init__(self, model: Path, child: Child, opened: Opened, no_adapter: Path | None) -> None:
        self.model = model
        self.opened = opened
        self.child = child
        self._no_adapter = no_adapter
        """The sidecar of none, for a model that takes adapters."""
        self._conversation: Conversation | None = None

    @property
    def gpu(self) -> Gpu | None:
        """The device that it computes on; None for the processor."""
        return find_gpu(self.child.log())

    @property
    def takes_adapters(self) -> bool:
        """Whether the graph has inputs for an adapter."""
        return self._no_adapter is not None

    def ids(self, text: str) -> tuple[int, ...]:
        """Return the ids that the engine makes of a text, without a start token."""
        if "\0" in text:
            raise InputError("the engine's C interface ends a text at a NUL character")
        return tuple(self.child.answer("ids", "cannot tokenize", text=text))

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        return str(self.child.answer("text", "cannot detokenize", ids=list(ids)))

    def scores(self, prompt: str, answer: str) -> tuple[float, ...]:
        """Return the log-likelihood of each token of an answer behind a rendered prompt; NaN where the model broke."""
        found = self.child.answer("score", "cannot read an answer", prompt=prompt, answer=answer)
        return tuple(float(score) for score in found)

    def prompt(self, messages: Sequence[Message], decoding: Decoding = AS_BUNDLED) -> Rendered:
        """Render a conversation whose last message asks the model, without the start token."""
        values = self.child.answer(
            "prompt", "cannot render", messages=plain(list(messages)), decoding=self._plain_decoding(decoding)
        )
        return _rendered(values, self.child, self.model)

    def prompt_ids(self, messages: Sequence[Message], decoding: Decoding = AS_BUNDLED) -> tuple[int, ...]:
        """Return every id that the engine feeds for a conversation whose last message asks the model."""
        prompt = self.prompt(messages, decoding)
        if prompt.text is None:
            raise BundleError(f"the engine cannot render the prompt: {prompt.error}", where=self.model)
        start = () if self.opened.start_id is None else (self.opened.start_id,)
        return start + self.ids(prompt.text)

    @contextmanager
    def talk(
        self, decoding: Decoding = AS_BUNDLED, history: Sequence[Message] = (), *, wait: bool = True
    ) -> Iterator[Conversation]:
        """Open a conversation; one at a time.

        history: messages before the first, such as a system message. wait: until it is open, which an answer format
        makes a matter of seconds with a large vocabulary; else its first use waits, and raises what went wrong.
        """
        assert self._conversation is None, "one conversation at a time"
        self.child.send("begin", history=plain(list(history)), decoding=self._plain_decoding(decoding))
        self._conversation = Conversation(self.model, self.child, decoding.sidecar)
        try:
            if wait:
                self._conversation.await_begin()
            yield self._conversation
        finally:
            self._conversation = None
            self.child.send("end")

    def say(self, turn: Turn, listen: Callable[[str], None] | None = None) -> Reply:
        """Answer in a conversation of its own. listen: gets the text piece by piece, as it comes."""
        with self.talk(turn.decoding, turn.messages[:-1]) as conversation:
            for piece in conversation.stream(turn.messages[-1]):
                if listen is not None:
                    listen(piece)
            assert conversation.reply is not None
            return conversation.reply

    def _plain_decoding(self, decoding: Decoding) -> Json:
        sidecar = decoding.sidecar or self._no_adapter
        return {
            **plain(replace(decoding, sidecar=None)),
            "sidecar": None if sidecar is None else str(sidecar),
        }


class Conversation:
    """One conversation. Made by `Session.talk`; its methods raise EngineError as the session's do."""

    def __init__(self, model: Path, child: Child, sidecar: Path | None) -> None:
        self._model = model
        self._child = child
        self._sidecar = sidecar
        self._begun = False
        self.reply: Reply | None = None
        """The last reply, complete once `stream` is exhausted."""

    def await_begin(self) -> None:
        """Wait until the engine has it open."""
        if not self._begun:
            for _ in self._child.lines("cannot start a conversation", where=self._sidecar):
                self._begun = True

    @property
    def token_count(self) -> int:
        """Tokens in the cache so far."""
        self.await_begin()
        return int(self._child.answer("count", "cannot count"))

    def render(self, message: Message | str) -> Rendered:
        """Return the text that the engine would feed for this message, as the conversation stands."""
        self.await_begin()
        values = self._child.answer("render", "cannot render", message=_message(message))
        return _rendered(values, self._child, self._model)

    def say(self, message: Message | str) -> Reply:
        """Send a message and wait for the whole reply."""
        for _ in self.stream(message):
            pass
        assert self.reply is not None
        return self.reply

    def stream(self, message: Message | str) -> Iterator[str]:
        """Send a message; yield the reply's text piece by piece. `reply` has the whole afterwards.

        Closing the iterator early ends the answer, as an interrupt does. Raises EngineError, for example because the
        prompt does not fit.
        """
        self.await_begin()
        self._child.send("say", message=_message(message))
        ended = False
        try:
            for kind, value in self._child.lines("cannot answer"):
                if kind == "piece":
                    yield str(value)
                else:
                    ended = True
                    self.reply = _read(Reply, value, self._model)
        except EngineError:
            ended = True
            raise
        finally:
            if not ended:
                self._child.cancel()


@contextmanager
def ask(
    model: Path,
    *,
    backend: Backend = "cpu",
    python: str | None = None,
    child: Child | None = None,
    max_num_tokens: int | None = None,
    threads: int | None = None,
    cache_dir: Path | None = None,
    suppressed: tuple[int, ...] | None = None,
) -> Iterator[Session]:
    """Open a .litertlm file in the engine, in a child program.

    backend: what it computes on. python: of an environment with another release of the engine. child: one that was
    started in advance. suppressed: instead of what a manifest beside the file says; where neither does, the engine is
    asked. The others are those of `protocol.Open`. Raises EngineError when the engine refuses the file or crashes on
    it, MissingToolError where there is no engine.
    """
    if not model.is_file():
        raise BundleError("no such file", where=model)
    task = Open(
        path=str(model),
        backend=backend,
        max_num_tokens=max_num_tokens,
        threads=threads,
        cache_dir=None if cache_dir is None else str(cache_dir),
        suppressed=suppressed_beside(model) if suppressed is None else suppressed,
    )
    with ExitStack() as stack:
        used = stack.enter_context(start_child(model, python)) if child is None else child
        opened = _read(Opened, used.answer("open", "refuses the file", model=plain(task)), model)
        yield Session(model, used, opened, stack.enter_context(empty_sidecar(model)))


def _read(kind: type[T], values: Json, model: Path) -> T:
    return decode(kind, values, where=model, error=BundleError)


def _rendered(values: Json, child: Child, model: Path) -> Rendered:
    rendered = _read(Rendered, values, model)
    return rendered if rendered.error is None else replace(rendered, error=child.reason(rendered.error))


def _message(message: Message | str) -> Json:
    return {"role": "user", "content": message} if isinstance(message, str) else plain(message)
