"""`tokenizer.model`, and a tokenizer.json written as one: one piece per token, its score the rank of its merges."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import TokenizerError
from edgekit.records.extent import protobuf_excess
from edgekit.text.tokenizer.document import GEMMA_NORMALIZER, GEMMA_SPLIT, SPACE, filler
from edgekit.text.tokenizer.files import (
    IMAGE_TOKENS,
    MAX_FIELD_BYTES,
    MAX_PIECES,
    TOKENIZER_MODEL,
    check_rows,
    read_bytes,
    read_settings,
)
from edgekit.text.tokenizer.trial import refuse_unusable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Piece types of sentencepiece_model.proto.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BPE = 2  # TrainerSpec.ModelType


def read_model(directory: Path, *, rows: int) -> Any | None:
    """Read `tokenizer.model` with the tokens of the small files behind its pieces; None when there is none.

    A token that is named as a control token has the type of one, any other added token is user-defined.
    Returns a SentencePiece ModelProto. rows: of the embedding. Raises TokenizerError as `read_tokenizer` does.
    """
    path = directory / TOKENIZER_MODEL
    if not path.exists():
        return None
    settings = read_settings(directory)
    model = parse_model(read_bytes(path), path)
    ids = {piece.piece: i for i, piece in enumerate(model.pieces)}
    for token in settings.tokens:
        if token not in ids and token in IMAGE_TOKENS and len(model.pieces) >= rows:
            continue
        if token not in ids:
            ids[token] = len(model.pieces)
            model.pieces.add(piece=token, score=0.0, type=USER_DEFINED)
        piece = model.pieces[ids[token]]
        if piece.type in (NORMAL, USER_DEFINED):
            piece.type = CONTROL if token in settings.control else USER_DEFINED
    check_rows(ids, rows, path)
    return model


def parse_model(content: bytes, path: Path) -> Any:
    """Parse a tokenizer.model; raises TokenizerError when it is none, or not a byte-fallback BPE."""
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    damaged = TokenizerError("is not a SentencePiece model", where=path, remedy="copy the file again")
    if excess := protobuf_excess(content, MAX_PIECES, MAX_FIELD_BYTES):
        raise TokenizerError(f"is no SentencePiece model of a language model: it {excess}", where=path)
    try:
        model = sentencepiece_model_pb2.ModelProto.FromString(content)
    except DecodeError as error:
        raise damaged from error
    if not model.pieces:
        raise damaged
    for number, piece in enumerate(model.pieces):
        if not isinstance(piece.piece, str):  # protobuf hands out what is no UTF-8 as bytes
            raise TokenizerError(
                f"piece {number} is not UTF-8 text", where=path, remedy="copy the file again"
            )
    spec = model.trainer_spec
    if spec.model_type != BPE or not spec.byte_fallback:
        raise TokenizerError("is not a byte-fallback BPE model as Gemma's is", where=path)
    return model


# --- one as the other ---------------------------------------------------------------------------------------

RUN_SCORE = 1 << 20  # above the score of every other piece


@dataclass(frozen=True)
class Pieces:
    """Texts, scores (float32) and types of all pieces, by id."""

    texts: list[str]
    scores: NDArray[np.float32]
    types: NDArray[np.uint8]


def model_from_document(
    document: dict[str, Any],
    vocabulary: Mapping[str, int],
    added: Mapping[str, int],
    merged: Sequence[str],
    names: Mapping[str, str],
    rows: int,
) -> tuple[Pieces, bytes] | str:
    """Write a tokenizer.json as SentencePiece: its pieces, and the model's other fields, serialized.

    merged: the piece that each merge makes. Returns the reason instead when that cannot be.
    """
    import numpy as np
    from sentencepiece import sentencepiece_model_pb2

    model = document["model"]
    if document.get("normalizer") != GEMMA_NORMALIZER:
        return "its normalizer is not Gemma's"
    if document.get("pre_tokenizer") not in (None, GEMMA_SPLIT):
        return "its pre-tokenizer is not Gemma's"
    if not model.get("byte_fallback") or model.get("ignore_merges") or model.get("dropout"):
        return "it is not a byte-fallback BPE"
    unknown = str(model.get("unk_token") or names.get("unk_token"))
    if unknown not in vocabulary:
        return "it has no token for what is unknown"
    if any(f"<0x{byte:02X}>" not in vocabulary for byte in range(256)):
        return "it has no token for some bytes"
    for entry in document["added_tokens"]:
        if entry.get("lstrip") or entry.get("rstrip") or entry.get("single_word"):
            return f"the added token {entry['content']!r} swallows or requires spaces around it"
    rank = _ranks(merged)
    if isinstance(rank, str):
        return rank

    ids = {**vocabulary, **added}
    by_id: list[str | None] = [None] * rows
    for token, token_id in ids.items():
        by_id[token_id] = token
    places = list(map(rank.get, by_id))  # type: ignore[arg-type]
    scores = -np.array([len(rank) if place is None else place for place in places], np.float32)
    types = np.full(rows, NORMAL, np.uint8)
    texts = [filler(i) if piece is None else spaced(piece) for i, piece in enumerate(by_id)]
    others = {ids[token] for token in added} | {ids[unknown]}
    others.update(token_id for token_id, place in enumerate(places) if place is None)
    for token_id in others:
        piece = by_id[token_id]
        if piece is None:  # ids that nothing has
            scores[token_id], types[token_id] = 0, CONTROL
        elif piece == unknown:
            texts[token_id], scores[token_id], types[token_id] = piece, 0, UNKNOWN
        elif piece in added and piece.strip(SPACE):
            scores[token_id], types[token_id] = 0, USER_DEFINED
        elif piece in rank or len(piece) == 1:
            pass
        elif len(piece) == 6 and piece.startswith("<0x"):
            texts[token_id], scores[token_id], types[token_id] = piece, 0, BYTE
        else:
            types[token_id] = UNUSED

    rest = sentencepiece_model_pb2.ModelProto()
    trainer = rest.trainer_spec
    trainer.model_type, trainer.vocab_size, trainer.byte_fallback = BPE, rows, True
    for name in ("bos", "eos", "pad", "unk"):
        text = unknown if name == "unk" else names.get(f"{name}_token", "")
        setattr(trainer, f"{name}_piece", text)
        setattr(trainer, f"{name}_id", ids.get(text, -1))
    set_normalizer(rest.normalizer_spec)
    return Pieces(texts, scores, types), serialize(rest)


def set_normalizer(spec: Any) -> None:
    """Leave a text as it is: Gemma adds no leading space and keeps every one that is there."""
    spec.name = "identity"
    spec.add_dummy_prefix = spec.remove_extra_whitespaces = spec.escape_whitespaces = False


def spaced(piece: str) -> str:
    """Spell a piece with the spaces that it stands for.

    SentencePiece usually spells them ▁. The engine's constrained decoding takes a piece's spelling for its text: with
    ▁ no answer that contains a space can be forced, and choices such as "turn on" fail.
    """
    return piece.replace(SPACE, " ") if SPACE in piece else piece


def pack_model(pieces: Pieces, rest: bytes) -> bytes:
    """Serialize a ModelProto from its pieces and its other fields.

    By hand, in the bytes that protobuf would write: 262,144 message objects take a second.
    """
    import numpy as np

    texts = [text.encode() for text in pieces.texts]
    tails = np.empty((len(texts), 7), np.uint8)
    tails[:, 0], tails[:, 5], tails[:, 6] = 0x15, 0x18, pieces.types
    tails[:, 1:5] = pieces.scores.astype("<f4").view(np.uint8).reshape(-1, 4)
    heads = map(_Heads().__getitem__, map(len, texts))
    ends = (tail for (tail,) in struct.iter_unpack("7s", tails.tobytes()))
    return b"".join(itertools.chain.from_iterable(zip(heads, texts, ends, strict=True))) + rest


class _Heads(dict[int, bytes]):
    """What stands before a piece's text, by the text's length: the lengths of the message and of the text."""

    def __missing__(self, length: int) -> bytes:
        own = b"\x0a" + _varint(length)
        self[length] = head = b"\x0a" + _varint(len(own) + length + 7) + own
        return head


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    return bytes((value & 0x7F | 0x80,)) + _varint(value >> 7)


def _ranks(merged: Sequence[str]) -> dict[str, int] | str:
    """Order of the pieces that merges make: {piece: place of its first merge}, or why there is no such order.

    SentencePiece has one score per piece where BPE has one rank per pair, so the pairs that make a piece must
    stand next to each other in the list. Runs of spaces and of other single characters may be mixed: they are
    tried out.
    """
    rank: dict[str, int] = {}
    previous = ""
    for piece in merged:
        if piece != previous:
            if piece not in rank:
                rank[piece] = len(rank)
            elif piece.strip(piece[:1]):
                return f"its merges make {piece!r} in several places"
            previous = piece
    return rank


def fill_rows(model: Any, rows: int) -> None:
    """Give every row that has no piece an unused one."""
    for token_id in range(len(model.pieces), rows):
        # A control piece: never found in a text, decodes to nothing.
        model.pieces.add(piece=filler(token_id), score=0.0, type=CONTROL)


def serialize(model: Any) -> bytes:
    """Serialize a ModelProto to the same bytes every time."""
    return bytes(model.SerializeToString(deterministic=True))


def load_sentencepiece(data: bytes, where: Path | None = None) -> Any:
    """Load a serialized ModelProto; raises TokenizerError, at `where`, when SentencePiece refuses it."""
    import sentencepiece

    refuse_unusable(data, "sentencepiece", where)
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(data)
    except RuntimeError as error:
        raise TokenizerError(f"SentencePiece cannot use it ({error})", where=where) from error
    return processor
