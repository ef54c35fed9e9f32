"""Whether a tokenizer can be used at all, found out in a child: its libraries trust the file, and Rust's panics, C++'s
crashes and endless memory end the process that reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import TokenizerError
from edgekit.text import bounded

_TEXTS = ("", "x", "Hello, world! 123\n", " æøå 日本語 🙂\x00\t<bos><end_of_turn>")


_FOUND: dict[tuple[bytes, str], str | None] = {}
"""Why a tokenizer cannot be used, by its digest: each is tried once."""


def use(content: bytes, kind: str, texts: Sequence[str]) -> None:
    """Load a tokenizer, encode and decode; raises whatever comes. kind: "huggingface" or "sentencepiece"."""
    if kind == "sentencepiece":
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_proto=content)
        for ids in processor.encode(list(texts)):
            processor.decode(ids)
        return
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content.decode())
    for special in (False, True):
        for found in tokenizer.encode_batch(list(texts), add_special_tokens=special):
            tokenizer.decode(found.ids)


def refuse_unusable(content: bytes, kind: str, where: Path | None) -> None:
    """Raise TokenizerError, at `where`, for a tokenizer that cannot be used."""
    key = (hashlib.sha256(content).digest(), kind)
    if key not in _FOUND:
        _FOUND[key] = _reason(content, kind)
    if (reason := _FOUND[key]) is not None:
        raise TokenizerError(
            reason, where=where, remedy="save the tokenizer again: tokenizer.save_pretrained(directory)"
        )


def _reason(content: bytes, kind: str) -> str | None:
    library = "SentencePiece" if kind == "sentencepiece" else "the tokenizers library"
    try:
        bounded.tokenizers.ask("tokenizer", content, kind=kind, texts=_TEXTS)
    except bounded.Failed as error:
        return f"{library} cannot read it ({error})"
    except bounded.LimitExceeded as error:
        return f"{library} cannot use it: {error}"
    return None
