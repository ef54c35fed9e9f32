"""Whether a tokenizer can be used at all, found out in a child: its libraries trust the file, and Rust's panics, C++'s
crashes and endless memory end the process that reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from edgekit.errors import TokenizerError
from edgekit.text import bounded

TRIED = ("", "x", "Hello, world! 123\n", " æøå 日本語 🙂\x00\t<bos><end_of_turn>")


_FOUND: dict[tuple[bytes, str], str | None] = {}
"""Why a tokenizer cannot be used, by its digest: each is tried once."""


Cut: TypeAlias = tuple[list[list[int]], list[int]]
"""The ids of texts, without what the tokenizer adds; and those of "x", with it."""


def use(content: bytes, kind: str, texts: Sequence[str]) -> Cut:
    """Load a tokenizer, encode and decode; raises whatever comes. kind: "huggingface" or "sentencepiece"."""
    if kind == "sentencepiece":
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_proto=content)
        cut = processor.encode([*texts, "x"])
        for ids in cut:
            processor.decode(ids)
        return cut[:-1], cut[-1]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content.decode())
    for special in (True, False):
        found = tokenizer.encode_batch(list(texts), add_special_tokens=special)
        for each in found:
            tokenizer.decode(each.ids)
    return [each.ids for each in found], tokenizer.encode("x").ids


def refuse_unusable(content: bytes, kind: str, where: Path | None) -> None:
    """Raise TokenizerError, at `where`, for a tokenizer that cannot be used."""
    if _key(content, kind) not in _FOUND:
        try_out(content, kind, where, ())
    elif (reason := _FOUND[_key(content, kind)]) is not None:
        raise _refused(reason, where)


def try_out(content: bytes, kind: str, where: Path | None, texts: Sequence[str]) -> Cut:
    """What a tokenizer makes of texts; raises TokenizerError, at `where`, for one that cannot be used."""
    library = "SentencePiece" if kind == "sentencepiece" else "the tokenizers library"
    reason = None
    try:
        ids, beginning = bounded.tokenizers.ask("tokenizer", content, kind=kind, texts=[*texts, *TRIED])
    except bounded.Failed as error:
        reason = f"{library} cannot read it ({error})"
    except bounded.LimitExceeded as error:
        reason = f"{library} cannot use it: {error}"
    _FOUND[_key(content, kind)] = reason
    if reason is not None:
        raise _refused(reason, where)
    return ids[: len(texts)], beginning


def _key(content: bytes, kind: str) -> tuple[bytes, str]:
    return hashlib.sha256(content).digest(), kind


def _refused(reason: str, where: Path | None) -> TokenizerError:
    remedy = "save the tokenizer again: tokenizer.save_pretrained(directory)"
    return TokenizerError(reason, where=where, remedy=remedy)
