"""A tokenizer section, and what the rest of a bundle needs to know of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from edgekit.text.tokenizer.compare import encode_with, load_reference
from edgekit.text.tokenizer.sentencepiece import load_sentencepiece


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer section and what the metadata needs to know of it."""

    kind: Literal["sentencepiece", "huggingface"]
    data: bytes = field(repr=False)
    """A serialized SentencePiece ModelProto, or the text of a tokenizer.json (not yet compressed)."""
    size: int
    """Number of ids that the section knows: as many as the embedding has rows."""
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    unk_id: int | None
    adds_bos: bool
    """Whether Transformers puts the BOS token before a text of its own accord."""
    names: Mapping[str, str] = field(repr=False)
    """The control tokens by Transformers' names: {"bos_token": "<bos>", …}."""
    special: Mapping[str, int] = field(repr=False)
    """Tokens that are found whole in a text, such as "<end_of_turn>", and their ids."""
    ascii_bytes: tuple[int, ...] = field(repr=False)
    """The tokens of single ASCII bytes, by their pieces (see `bytes_among`); none without byte fallback."""
    notes: tuple[str, ...] = ()
    """What a user should know about how the section came to be."""

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, or None when there is none of that name."""
        return self.special.get(token)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text as the engine will find them, without a BOS."""
        return list(self._encoder([text])[0])

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text: `encode` for many, which is faster."""
        return [list(ids) for ids in self._encoder(list(texts))]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        return load_decoder(self.kind, self.data)(ids)

    @cached_property
    def _encoder(self) -> Any:
        if self.kind == "sentencepiece":
            return load_sentencepiece(self.data).encode
        reference = load_reference(self.data, where=None)
        return lambda texts: encode_with(reference, texts)


def bytes_among(ids: Mapping[str, int], texts: Container[str] = ()) -> tuple[int, ...]:
    """The ids of "<0x00>" to "<0x7F>", as far as they are there, and not among these texts.

    What a tokenizer makes of a control character tells them only where that has no piece of its own, as it has in
    Gemma's vocabulary.
    """
    pieces = (f"<0x{byte:02X}>" for byte in range(128))
    return tuple(ids[piece] for piece in pieces if piece in ids and piece not in texts)


def load_decoder(
    kind: Literal["sentencepiece", "huggingface"], data: bytes
) -> Callable[[Sequence[int]], str]:
    """Return what turns ids into their text, control tokens spelled out; kind, data: of a tokenizer section."""
    if kind == "sentencepiece":
        processor = load_sentencepiece(data)
        return lambda ids: str(processor.decode(list(ids)))
    reference = load_reference(data, where=None)
    return lambda ids: str(reference.decode(list(ids), skip_special_tokens=False))
