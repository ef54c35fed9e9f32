"""Open a bundle for conversations, the way its manifest and those of its adapters say."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundle.container import MAGIC
from edgekit.bundle.opening import Bundle, open_bundle
from edgekit.errors import BundleError, InputError
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import Sampler, parse_sampler

if TYPE_CHECKING:
    from edgekit.bundle.adapter.opening import Adapter
    from edgekit.runtime.ask.engine import Chat, Engine


@dataclass(frozen=True)
class Voice:
    """How to talk with an adapter, or with the base alone; None is what the base's model file says.

    system: sent before each conversation. answers: what answers are held to.
    """

    sidecar: Path | None = None
    system: str | None = None
    sampler: Sampler | None = None
    answers: AnswerFormat | None = None
    chat_template: str | None = None


class Chats:
    """A base in the engine, and one conversation at a time: with one of its adapters, or with the base alone.

    Made by `open_chats`.
    """

    def __init__(
        self, engine: Engine, voices: Mapping[str | None, Voice], seed: int | None, max_tokens: int | None
    ) -> None:
        self._engine = engine
        self._voices = voices
        self._seed = seed
        self._max_tokens = max_tokens
        self._open = ExitStack()
        self._chat: Chat | None = None
        self.adapter: str | None = None
        """Name of the adapter that speaks; None for the base alone."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the adapters that can speak."""
        return tuple(name for name in self._voices if name is not None)

    @property
    def chat(self) -> Chat:
        """The conversation that is open."""
        assert self._chat is not None
        return self._chat

    def begin(self, adapter: str | None) -> float:
        """End the conversation that is open and begin one with an adapter, None for the base alone.

        The base stays open. Returns the seconds that it took. Raises InputError for an adapter that is not there.
        """
        if adapter not in self._voices:
            raise InputError(
                f"there is no adapter {adapter!r}",
                remedy=f"one of {', '.join(self.adapters)}" if self.adapters else "open it with --adapter",
            )
        voice = self._voices[adapter]
        began = time.perf_counter()
        self.close()
        self._chat = self._open.enter_context(
            self._engine.chat(
                [{"role": "system", "content": voice.system}] if voice.system else [],
                sampler=voice.sampler,
                seed=self._seed,
                answers=voice.answers,
                max_tokens=self._max_tokens,
                chat_template=voice.chat_template,
                sidecar=voice.sidecar,
            )
        )
        self.adapter = adapter
        return time.perf_counter() - began

    def close(self) -> None:
        """End the conversation that is open."""
        self._open.close()


@contextmanager
def open_chats(
    bundle: str | Path,
    adapters: Sequence[str | Path] = (),
    *,
    system: str | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    max_tokens: int | None = None,
    constrained: bool = True,
    threads: int | None = None,
) -> Iterator[Chats]:
    """Open a bundle, or any .litertlm file, in the engine, and begin a conversation with the first adapter.

    adapters: bundles from `edgekit adapter`, to switch between; without any the base speaks.
    system, sampler: instead of each adapter's own, and of the bundle's; a sampler is "greedy" or
    "temperature=…,top_k=…,top_p=…". constrained: hold answers to the schema or regex in the manifest of whoever speaks.
    Raises BundleError when the file is not the manifest's, or the engine refuses it; AdapterError for an adapter that
    does not belong to the base; InputError when two adapters have one name.
    """
    from edgekit.runtime.ask.engine import open_engine

    opened = open_bundle(bundle)
    _refuse_what_cannot_chat(opened.model_path)
    chosen = parse_sampler(sampler) if sampler else None
    voices = _voices(opened, adapters, system, chosen, constrained)
    with open_engine(opened.model_path, threads=threads) as engine:
        chats = Chats(engine, voices, seed, max_tokens)
        try:
            chats.begin(chats.adapters[0] if adapters else None)
            yield chats
        finally:
            chats.close()


@contextmanager
def open_chat(
    bundle: str | Path,
    *,
    adapter: str | Path | None = None,
    system: str | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    max_tokens: int | None = None,
    constrained: bool = True,
    threads: int | None = None,
) -> Iterator[Chat]:
    """Open a bundle, or any .litertlm file, in the engine and start a conversation.

    adapter: a bundle from `edgekit adapter`, made for this base; None leaves the base as it is.
    The other arguments and the errors are those of `open_chats`.
    """
    with open_chats(
        bundle,
        () if adapter is None else (adapter,),
        system=system,
        sampler=sampler,
        seed=seed,
        max_tokens=max_tokens,
        constrained=constrained,
        threads=threads,
    ) as chats:
        yield chats.chat


def _voices(
    base: Bundle,
    adapters: Sequence[str | Path],
    system: str | None,
    sampler: Sampler | None,
    constrained: bool,
) -> dict[str | None, Voice]:
    """Everyone that can speak, by name: the adapters, and under None the base alone."""
    answer = base.manifest.answer if base.manifest is not None and constrained else None
    voices: dict[str | None, Voice] = {
        None: Voice(
            system=system,
            sampler=sampler,
            answers=None if answer is None else AnswerFormat.from_manifest(answer),
        )
    }
    if not adapters:
        return voices
    from edgekit.bundle.adapter.opening import open_adapter

    for path in adapters:
        adapter = open_adapter(path, base)
        if adapter.manifest.name in voices:
            raise InputError(
                f"two adapters are called {adapter.manifest.name}",
                where=adapter.directory,
                remedy="leave one away, or make it again with a --name of its own",
            )
        voices[adapter.manifest.name] = _voice(adapter, system, sampler, constrained)
    return voices


def _voice(adapter: Adapter, system: str | None, sampler: Sampler | None, constrained: bool) -> Voice:
    return Voice(
        sidecar=adapter.sidecar,
        system=adapter.manifest.system_prompt if system is None else system,
        sampler=sampler or adapter.sampler,
        answers=adapter.answer if constrained else None,
        chat_template=adapter.manifest.chat_template,
    )


def _refuse_what_cannot_chat(model: Path) -> None:
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
