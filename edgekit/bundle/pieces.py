"""The pieces of a bundle's tokenizer, of whichever kind it is."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.bundle.container import (
    Container,
    SectionKind,
    naming,
    section_bytes,
    unpack_hf_tokenizer,
)
from edgekit.bundle.flat import FlatError
from edgekit.bundle.summary import (
    TokenizerSummary,
)
from edgekit.records import documents
from edgekit.records.extent import protobuf_excess
from edgekit.text.tokenizer.files import (
    MAX_FIELD_BYTES,
    MAX_PIECES,
    MAX_TOKENIZER_BYTES,
    MAX_TOKENIZER_VALUES,
)

Texts = Mapping[int, str]
"""The text of each id."""


def read_pieces(container: Container) -> tuple[TokenizerSummary | None, Texts]:
    """Return the first tokenizer, and the text of each of its ids."""
    for index, section in enumerate(container.sections):
        with naming(container.path, f"section {index} ({section.name})"):
            data = section_bytes(container, section)
            if section.kind is SectionKind.SP_TOKENIZER:
                pieces = _sentencepieces(data)
                return TokenizerSummary("SentencePiece", section.size, len(pieces)), pieces
            if section.kind is SectionKind.HF_TOKENIZER:
                kind, pieces = _hf_pieces(unpack_hf_tokenizer(data))
                return TokenizerSummary(f"Hugging Face ({kind})", section.size, len(pieces)), pieces
    return None, {}


def _sentencepieces(data: memoryview) -> dict[int, str]:
    """Return the pieces of a SentencePiece model."""
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    if len(data) > MAX_TOKENIZER_BYTES:
        raise FlatError(f"it has {len(data):,} bytes, more than any vocabulary needs")
    if excess := protobuf_excess(bytes(data), MAX_PIECES, MAX_FIELD_BYTES):
        raise FlatError(f"it {excess}")
    try:
        model = sentencepiece_model_pb2.ModelProto.FromString(bytes(data))
    except DecodeError as error:
        raise FlatError(f"it is no SentencePiece model ({error})") from None
    pieces = {number: entry.piece for number, entry in enumerate(model.pieces)}
    if not pieces:
        raise FlatError("it holds no pieces")
    for number, piece in pieces.items():
        if not isinstance(piece, str):  # protobuf hands out what is no UTF-8 as bytes
            raise FlatError(f"piece {number} is not valid UTF-8")
    return pieces


def _hf_pieces(text: bytes) -> tuple[str, dict[int, str]]:
    """Return the model's kind and the pieces, added tokens included, of a tokenizer.json."""
    try:
        content = documents.loads(text, max_values=MAX_TOKENIZER_VALUES)
        model, added = content["model"], content.get("added_tokens") or []
        vocabulary = model["vocab"]
        if isinstance(
            vocabulary, dict
        ):  # BPE, WordPiece: piece → id; Unigram: [piece, score] in the order of ids
            pieces = {int(number): str(piece) for piece, number in vocabulary.items()}
        else:
            pieces = {number: str(entry[0]) for number, entry in enumerate(vocabulary)}
        pieces |= {int(token["id"]): str(token["content"]) for token in added}
        return str(model.get("type", "unknown kind")), pieces
    except ValueError as error:
        raise FlatError(f"it holds no valid JSON ({error})") from None
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise FlatError(f"its JSON is no tokenizer ({error!r})") from None
