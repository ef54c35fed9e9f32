"""A tokenizer's vocabulary: its pieces by id, and which pieces merge into which.

A byte-pair tokenizer makes a long piece by merging two shorter ones that stand next to each other. Keep a piece, and
keep every piece that it can be merged from, and a text that needs no other piece is cut as before: at each step the
merge that was best among all is still there, and no new one came. So a set of pieces that is *closed*, that is, holds
the parts of all that it holds, can be taken out of a vocabulary without changing how its texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgekit.errors import TokenizerError
from edgekit.text.tokenizer.document import read_document
from edgekit.text.tokenizer.sentencepiece import read_model

SPACE = "▁"  # U+2581 stands for a space inside a piece
_RESERVED = "<unused"  # Gemma's rows for tokens that a fine-tune may define

# Piece types of sentencepiece_model.proto.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of a tokenizer, by id.

    texts: of each row of the embedding; None for a row that no piece has. A space is spelled ▁.
    control: tokens that stand for no text, such as <bos>. added: other tokens that are found whole in a text, and
    reserved ones, whatever they are marked as: Gemma has 6,242 of them, and a task that uses one shows it.
    byte: the 256 byte tokens. rank: place of a merged piece in the order of merges, smaller is earlier.
    """

    texts: tuple[str | None, ...]
    control: frozenset[int]
    added: frozenset[int]
    byte: frozenset[int]
    rank: Mapping[int, float]

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """The id of each piece."""
        return {text: number for number, text in enumerate(self.texts) if text is not None}

    @cached_property
    def whole(self) -> frozenset[int]:
        """Ids of tokens that no merge makes: control, added and byte tokens."""
        return self.control | self.added | self.byte

    @cached_property
    def runs(self) -> frozenset[int]:
        """Ids of the pieces that repeat one white-space character, single ones included."""
        return frozenset(
            i
            for text, i in self.ids.items()
            if text[:1] and text[0] in f"{SPACE}\n\t" and not text.strip(text[0])
        )

    def parts(self, number: int) -> set[int]:
        """Return every piece that a merge which makes this piece can begin with."""
        text = self.texts[number]
        if text is None or len(text) == 1 or number in self.whole:
            return set()
        found = set()
        for at in range(1, len(text)):
            left, right = self.ids.get(text[:at]), self.ids.get(text[at:])
            if left is not None and right is not None and not {left, right} & self.whole:
                found |= {left, right}
        return found

    def closure(self, numbers: Iterable[int], known: frozenset[int] | set[int] = frozenset()) -> set[int]:
        """Return these pieces and every ancestor in the merge graph, less what is known (and closed) already."""
        found: set[int] = set()
        waiting = [number for number in numbers if number not in known]
        while waiting:
            number = waiting.pop()
            if number in found:
                continue
            found.add(number)
            waiting += [part for part in self.parts(number) if part not in known]
        return found

    def by_rank(self) -> list[int]:
        """Return all pieces in the tokenizer's own order, the most useful first.

        Added tokens, then merged pieces in the order of their merges, then single characters, then what no text
        reaches: pieces that no merge makes, and reserved tokens.
        """
        single, last = float(len(self.texts)), float(2 * len(self.texts))

        def place(number: int) -> tuple[float, int]:
            text = self.texts[number] or ""
            if text.startswith(_RESERVED):
                return last, number
            if number in self.added or number in self.control:
                return -1.0, number
            if len(text) == 1:
                return single, number
            return self.rank.get(number, last), number

        return sorted(self.ids.values(), key=place)


def read_vocabulary(directory: Path, *, rows: int) -> Vocabulary:
    """Read the vocabulary that Transformers would use: of tokenizer.json where there is one, else tokenizer.model.

    rows: of the embedding. Raises TokenizerError when there is none, and when it has no tokens for all 256 bytes:
    without them a character whose piece is gone could not be written any more.
    """
    document = read_document(directory, rows=rows)
    model = None if document is not None else read_model(directory, rows=rows)
    if document is not None:
        vocabulary = _of_document(document, rows)
    elif model is not None:
        vocabulary = _of_model(model, rows)
    else:
        raise TokenizerError("has no tokenizer", where=directory)
    if len(vocabulary.byte) < 256:
        raise TokenizerError(
            f"has tokens for {len(vocabulary.byte)} of the 256 bytes: characters without a piece would be lost",
            where=directory,
            remedy="convert it with its whole vocabulary",
        )
    return vocabulary


def _of_document(document: Mapping[str, Any], rows: int) -> Vocabulary:
    model, entries = document["model"], document["added_tokens"]
    ids: dict[str, int] = model["vocab"] | {entry["content"]: entry["id"] for entry in entries}
    control = {e["id"] for e in entries if e["special"] and not e["content"].startswith(_RESERVED)}
    added = {entry["id"] for entry in entries} - control
    rank: dict[int, float] = {}
    for place, pair in enumerate(model.get("merges") or []):
        left, right = merge_pair(pair)
        if left + right in ids:
            rank.setdefault(ids[left + right], float(place))
    unknown = ids.get(str(model.get("unk_token")))
    return Vocabulary(
        texts=_by_id(ids, rows),
        control=frozenset(control if unknown is None else control | {unknown}),
        added=frozenset(added - {unknown}),
        byte=_bytes(ids),
        rank=rank,
    )


def _of_model(model: Any, rows: int) -> Vocabulary:
    pieces = model.pieces
    ids = {piece.piece: i for i, piece in enumerate(pieces)}
    merged = sorted(
        (i for i, p in enumerate(pieces) if p.type == _NORMAL and len(p.piece) > 1),
        key=lambda i: (-pieces[i].score, i),
    )
    return Vocabulary(
        texts=_by_id(ids, rows),
        control=frozenset(
            i
            for i, p in enumerate(pieces)
            if p.type in (_CONTROL, _UNKNOWN) and not p.piece.startswith(_RESERVED)
        ),
        added=frozenset(
            i for i, p in enumerate(pieces) if p.type == _USER_DEFINED or p.piece.startswith(_RESERVED)
        ),
        byte=frozenset(i for i, p in enumerate(pieces) if p.type == _BYTE),
        rank={number: float(place) for place, number in enumerate(merged)},
    )


def merge_pair(pair: Sequence[str] | str) -> tuple[str, str]:
    """Return both sides of a merge, which tokenizer.json writes as a list or, in older files, as one text."""
    left, right = pair if not isinstance(pair, str) else pair.split(" ", 1)
    return left, right


def _by_id(ids: Mapping[str, int], rows: int) -> tuple[str | None, ...]:
    texts: list[str | None] = [None] * rows
    for text, number in ids.items():
        texts[number] = text
    return tuple(texts)


def _bytes(ids: Mapping[str, int]) -> frozenset[int]:
    spelled = (f"<0x{value:02X}>" for value in range(256))
    return frozenset(ids[text] for text in spelled if text in ids)
