"""Open a bundle for conversations, the way its manifest and those of its adapters say."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import BundleError, InputError
from edgekit.runtime.ask.child import start_child
from edgekit.runtime.ask.protocol import Decoding, Reply
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import parse_sampler
from edgekit.text.messages import Message

if TYPE_CHECKING:
    from edgekit.bundle.adapter.opening import Adapter
    from edgekit.bundle.opening import Bundle
    from edgekit.calling.tools import Calling
    from edgekit.runtime.ask.session import Conversation, Session


@dataclass(frozen=True)
class Speaker:
    """How to talk with an adapter, or with the base alone.

    system: sent before each conversation, behind it the tools of `calling`. one_turn: whether each message must begin a
    conversation of its own.
    """

    system: str | None
    decoding: Decoding
    one_turn: bool = False
    calling: Calling | None = None

    @property
    def first(self) -> tuple[Message, ...]:
        """What a conversation begins with, before anybody says anything."""
        if self.calling is not None:
            told = self.calling.first(self.system)
            return () if told is None else (told,)
        return ({"role": "system", "content": self.system},) if self.system else ()


class Chat:
    """A base in the engine, and one conversation at a time: with one of its adapters, or with the base alone.

    Made by `open_chat`.
    """

    def __init__(self, session: Session, speakers: Mapping[str | None, Speaker]) -> None:
        self._session = session
        self._speakers = speakers
        self._open = ExitStack()
        self._conversation: Conversation | None = None
        self._said = False
        self.adapter: str | None = None
        """Name of the adapter that speaks; None for the base alone."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the adapters that can speak."""
        return tuple(name for name in self._speakers if name is not None)

    @property
    def reply(self) -> Reply | None:
        """The last reply of this conversation, complete once `stream` is exhausted."""
        return self._talking.reply

    @property
    def token_count(self) -> int:
        """Tokens of this conversation so far."""
        return self._talking.token_count

    def say(self, message: Message | str) -> Reply:
        """Send a message and wait for the whole reply. Raises BundleError when the engine fails."""
        self._begin_again()
        return self._talking.say(message)

    def tell(self, results: Message) -> Reply:
        """Send what calls gave, always in the conversation in which they were made, and wait for the reply."""
        return self._talking.say(results)

    def stream(self, message: Message | str) -> Iterator[str]:
        """Send a message; yield the reply's text piece by piece. Closing the iterator ends the answer."""
        self._begin_again()
        return self._talking.stream(message)

    @property
    def one_turn(self) -> bool:
        """Whether each message begins a conversation of its own, as the manifest of whoever speaks says."""
        return self._speakers[self.adapter].one_turn

    @property
    def calling(self) -> Calling | None:
        """What whoever speaks may call, and how; None when it calls nothing."""
        return self._speakers[self.adapter].calling

    def prepare(self) -> None:
        """Begin the next message's conversation, where it needs one of its own, while nobody has asked for it yet.

        Returns at once: an answer format is prepared anew for each conversation, which takes seconds with a large
        vocabulary. What was said is over then: call it when `token_count` and `tell` are not needed any more.
        """
        if self._said and self.one_turn:
            self._begin(self.adapter, wait=False)

    def _begin_again(self) -> None:
        self.prepare()
        self._said = True

    def begin(self, adapter: str | None) -> float:
        """End the conversation that is open and begin one with an adapter, None for the base alone.

        The base stays open. Returns the seconds that it took. Raises InputError for an adapter that is not there.
        """
        if adapter not in self._speakers:
            raise InputError(
                f"there is no adapter {adapter!r}",
                remedy=f"one of {', '.join(self.adapters)}" if self.adapters else "open it with --adapter",
            )
        began = time.perf_counter()
        self._begin(adapter, wait=True)
        return time.perf_counter() - began

    def _begin(self, adapter: str | None, *, wait: bool) -> None:
        speaker = self._speakers[adapter]
        self.close()
        talk = self._session.talk(speaker.decoding, speaker.first, wait=wait)
        self._conversation = self._open.enter_context(talk)
        self.adapter = adapter
        self._said = False

    def close(self) -> None:
        """End the conversation that is open."""
        self._open.close()

    @property
    def _talking(self) -> Conversation:
        assert self._conversation is not None
        return self._conversation


@contextmanager
def open_chat(
    bundle: str | Path,
    adapters: Sequence[str | Path] = (),
    *,
    system: str | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    max_tokens: int | None = None,
    constrained: bool = True,
    threads: int | None = None,
) -> Iterator[Chat]:
    """Open a bundle, or any .litertlm file, in the engine, and begin a conversation with the first adapter.

    adapters: bundles from `edgekit adapter`, to switch between; without any the base speaks.
    system, sampler: instead of each adapter's own, and of the bundle's; a sampler is "greedy" or
    "temperature=…,top_k=…,top_p=…". constrained: hold answers to the schema or regex in the manifest of whoever speaks.
    Raises BundleError when the file is not the manifest's, or the engine refuses it; AdapterError for an adapter that
    does not belong to the base; InputError when two adapters have one name.
    """
    with start_child(bundle) as child:  # it loads the engine while we import the rest and check the bundle
        from edgekit.bundle.opening import open_bundle
        from edgekit.runtime.ask.session import ask

        opened = open_bundle(bundle)
        _refuse_what_cannot_chat(opened.model_path)
        decoding = Decoding(
            sampler=parse_sampler(sampler) if sampler else None, seed=seed, max_tokens=max_tokens
        )
        speakers = _speakers(opened, adapters, system, decoding, constrained)
        with ask(opened.model_path, child=child, threads=threads) as session:
            chat = Chat(session, speakers)
            try:
                chat.begin(chat.adapters[0] if adapters else None)
                yield chat
            finally:
                chat.close()


def _speakers(
    base: Bundle,
    adapters: Sequence[str | Path],
    system: str | None,
    decoding: Decoding,
    constrained: bool,
) -> dict[str | None, Speaker]:
    """Everyone that can speak, by name: the adapters, and under None the base alone.

    decoding: what the caller wants of all of them.
    """
    answer = base.manifest.answer if base.manifest is not None and constrained else None
    alone = replace(decoding, answers=None if answer is None else AnswerFormat.from_manifest(answer))
    one_turn = base.manifest is not None and base.manifest.one_turn
    calling = None if base.manifest is None else base.manifest.calling
    if constrained and calling is not None and calling.format is not None:
        alone = replace(alone, answers=AnswerFormat("regex", calling.format))
    speakers: dict[str | None, Speaker] = {None: Speaker(system, alone, one_turn, calling)}
    if not adapters:
        return speakers
    from edgekit.bundle.adapter.opening import open_adapter

    for path in adapters:
        adapter = open_adapter(path, base)
        if adapter.manifest.name in speakers:
            raise InputError(
                f"two adapters are called {adapter.manifest.name}",
                where=adapter.directory,
                remedy="leave one away, or make it again with a --name of its own",
            )
        speaker = _speaker(adapter, system, decoding, constrained)
        assert base.manifest is not None  # else it takes no adapters
        turns = adapter.manifest.one_turn_on(base.manifest)
        speakers[adapter.manifest.name] = replace(speaker, one_turn=turns)
    return speakers


def _speaker(adapter: Adapter, system: str | None, decoding: Decoding, constrained: bool) -> Speaker:
    return Speaker(
        system=adapter.manifest.system_prompt if system is None else system,
        decoding=replace(
            decoding,
            sidecar=adapter.sidecar,
            sampler=decoding.sampler or adapter.sampler,
            answers=adapter.answer if constrained else None,
            chat_template=adapter.manifest.chat_template,
        ),
    )


def _refuse_what_cannot_chat(model: Path) -> None:
    from edgekit.bundle.container import MAGIC

    if model.suffix == ".tflite":
        raise BundleError(
            "a bare graph has no tokenizer to chat with", where=model, remedy="convert with --format litertlm"
        )
    with model.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BundleError(
                "not a .litertlm file: it does not begin with LITERTLM",
                where=model,
                remedy="name a bundle directory, or a model file for LiteRT-LM",
            )


def reply_json(reply: Reply, adapter: str | None) -> dict[str, object]:
    """A reply as JSON values. adapter: name of the one that spoke, None for the base alone."""
    return {
        "adapter": adapter,
        "text": reply.text,
        "stop_reason": reply.ending,
        "stats": asdict(reply.stats),
    }
