"""The tokenizer that goes into a bundle, made so that the engine finds the ids that Transformers finds.

A checkpoint brings `tokenizer.json`, `tokenizer.model`, or both; tokens added in fine-tuning live only in
the JSON, in `added_tokens.json` or in `tokenizer_config.json`. Where there is a tokenizer.json, Transformers
does not look at tokenizer.model, so that is what counts here too.

The engine reads either form. A SentencePiece model opens four times as fast and takes less than half the
memory of the JSON (0.12 s and 182 MB against 0.52 s and 437 MB at 262,144 pieces), so the JSON is rewritten
as a SentencePiece model: one piece per token, its score the rank of the merges that make it. The two
algorithms are not the same, so the outcome is compared on a list of awkward texts; where any differs, the
JSON itself is embedded.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.errors import TokenizerError
from edgekit.records.documents import MAX_JSON_BYTES, parse_json_object, read_json_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Reference

TOKENIZER_JSON = "tokenizer.json"
TOKENIZER_MODEL = "tokenizer.model"
TOKENIZER_CONFIG = "tokenizer_config.json"
ADDED_TOKENS = "added_tokens.json"
SPECIAL_TOKENS_MAP = "special_tokens_map.json"

END_OF_TURN = "<end_of_turn>"

_SPACE = "▁"  # U+2581 stands for a space inside a piece
_IMAGE_TOKENS = frozenset(
    {"<image_soft_token>"}
)  # text-only checkpoints keep its entry, without a row for it

# Piece types of sentencepiece_model.proto.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
_BPE = 2  # TrainerSpec.ModelType

_GEMMA_CLASSES = {None, "GemmaTokenizer", "GemmaTokenizerFast"}
# What Transformers' GemmaTokenizer puts around the vocabulary, whatever tokenizer.json says.
_GEMMA_NORMALIZER = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
_GEMMA_SPLIT = {
    "type": "Split",
    "pattern": {"String": " "},
    "behavior": "MergedWithPrevious",
    "invert": False,
}
_GEMMA_DECODER = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ],
}


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
            return _sentencepiece(self.data).encode
        reference = _reference(self.data, where=None)
        return lambda texts: _encode(reference, texts)


def read_tokenizer(directory: Path, *, rows: int) -> Tokenizer:
    """Read the tokenizer of a checkpoint directory.

    rows: rows of the embedding. The section gets exactly as many ids: the engine ends generation with
        NOT_FOUND when the model emits an id that its tokenizer does not know.
    Raises TokenizerError when there is no tokenizer, when a file is damaged, when ids exceed the embedding,
    or when the tokenizer is of a kind that is not Gemma's.
    """
    settings = _Settings.read(directory)
    json_path, model_path = directory / TOKENIZER_JSON, directory / TOKENIZER_MODEL
    if json_path.exists():
        return _from_json(json_path, settings, rows)
    if model_path.exists():
        return _from_model(model_path, settings, rows)
    raise TokenizerError(
        f"has neither {TOKENIZER_JSON} nor {TOKENIZER_MODEL}",
        where=directory,
        remedy="save the tokenizer next to the weights: tokenizer.save_pretrained(directory)",
    )


@dataclass(frozen=True)
class TokenNames:
    """What the small files beside a tokenizer say: control tokens by Transformers' names, and added tokens by id."""

    names: Mapping[str, str]
    added: Mapping[str, int]


def read_token_names(directory: Path) -> TokenNames:
    """Read the small files of a tokenizer and not the tokenizer, which takes a second at Gemma's size.

    Raises TokenizerError when one of them is damaged.
    """
    settings = _Settings.read(directory)
    return TokenNames(settings.names, settings.added)


def load_decoder(
    kind: Literal["sentencepiece", "huggingface"], data: bytes
) -> Callable[[Sequence[int]], str]:
    """Return what turns ids into their text, control tokens spelled out; kind, data: of a tokenizer section."""
    if kind == "sentencepiece":
        processor = _sentencepiece(data)
        return lambda ids: str(processor.decode(list(ids)))
    reference = _reference(data, where=None)
    return lambda ids: str(reference.decode(list(ids), skip_special_tokens=False))


def read_document(directory: Path, *, rows: int) -> dict[str, Any] | None:
    """Read `tokenizer.json` as Transformers completes it; None when a checkpoint has none.

    Every token of the small files is among its `added_tokens`, those named as control tokens with
    `"special": true`. rows: of the embedding. Raises TokenizerError as `read_tokenizer` does.
    """
    path = directory / TOKENIZER_JSON
    if not path.exists():
        return None
    settings = _Settings.read(directory)
    document = _complete(_read(path), path, settings, rows).values
    for entry in document["added_tokens"]:
        entry["special"] = bool(entry.get("special")) or entry["content"] in settings.control
    return document


def read_model(directory: Path, *, rows: int) -> Any | None:
    """Read `tokenizer.model` with the tokens of the small files behind its pieces; None when there is none.

    A token that is named as a control token has the type of one, any other added token is user-defined.
    Returns a SentencePiece ModelProto. rows: of the embedding. Raises TokenizerError as `read_tokenizer` does.
    """
    path = directory / TOKENIZER_MODEL
    if not path.exists():
        return None
    settings = _Settings.read(directory)
    model = _parse_model(_read(path), path)
    ids = {piece.piece: i for i, piece in enumerate(model.pieces)}
    for token in settings.tokens:
        if token not in ids and token in _IMAGE_TOKENS and len(model.pieces) >= rows:
            continue
        if token not in ids:
            ids[token] = len(model.pieces)
            model.pieces.add(piece=token, score=0.0, type=_USER_DEFINED)
        piece = model.pieces[ids[token]]
        if piece.type in (_NORMAL, _USER_DEFINED):
            piece.type = _CONTROL if token in settings.control else _USER_DEFINED
    _check_rows(ids, rows, path)
    return model


# --- what stands around the vocabulary ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Settings:
    """The small files: names of the control tokens, the tokenizer class, tokens added beside
    tokenizer.json."""

    tokenizer_class: str | None
    names: Mapping[str, str]
    add_bos: bool
    added: Mapping[str, int]
    """Tokens with the ids that were written down for them."""
    appended: tuple[str, ...]
    """Tokens without an id: they get the next free one when they are new."""

    @property
    def control(self) -> frozenset[str]:
        """Tokens that steer the model and stand for no text."""
        return frozenset((*self.names.values(), *self.appended))

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token that is named, those with an id first, in the order of their ids."""
        added = sorted(self.added, key=lambda token: self.added[token])
        return tuple(dict.fromkeys((*added, *self.names.values(), *self.appended)))

    @staticmethod
    def read(directory: Path) -> _Settings:
        config_path = directory / TOKENIZER_CONFIG
        config = read_json_object(config_path) if config_path.exists() else {}
        map_path = directory / SPECIAL_TOKENS_MAP
        names_source = (read_json_object(map_path) if map_path.exists() else {}) | config
        added_path = directory / ADDED_TOKENS
        added: dict[str, int] = {}
        for token, token_id in (read_json_object(added_path) if added_path.exists() else {}).items():
            if isinstance(token_id, bool) or not isinstance(token_id, int) or token_id < 0:
                raise TokenizerError(f"gives {token!r} the id {token_id!r}", where=added_path)
            added[token] = token_id
        decoder = config.get("added_tokens_decoder") or {}
        if not isinstance(decoder, dict):
            raise TokenizerError('key "added_tokens_decoder" is not an object', where=config_path)
        for key, entry in decoder.items():
            content = _token_text(entry)
            if not key.isdecimal() or content is None:
                raise TokenizerError(f'key "added_tokens_decoder.{key}" is not a token', where=config_path)
            added[content] = int(key)
        names = {}
        for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
            value = names_source[name] if name in names_source else f"<{name[:3]}>"
            text = _token_text(value)
            if text is not None:
                names[name] = text
        kind = config.get("tokenizer_class")
        return _Settings(
            tokenizer_class=kind if isinstance(kind, str) else None,
            names=names,
            add_bos=config.get("add_bos_token") is True,
            added=added,
            appended=tuple(
                _texts(names_source.get("additional_special_tokens"))
                + _texts(names_source.get("extra_special_tokens"))
            ),
        )


def _token_text(value: object) -> str | None:
    """The text of a token, written as a string or as an AddedToken object."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for text in map(_token_text, entries) if text is not None]


# --- tokenizer.json -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Document:
    """A tokenizer.json with the tokens of the small files in it, as Transformers completes it.

    changed: whether that changed what the file says. notes: tokens that were left out.
    """

    values: dict[str, Any]
    vocabulary: dict[str, int]
    added: dict[str, int]
    changed: bool
    notes: tuple[str, ...]


def _complete(content: bytes, path: Path, settings: _Settings, rows: int) -> _Document:
    document = parse_json_object(content, where=path)
    vocabulary, added = _vocabulary(document, path)
    changed = _add_missing(document, settings, vocabulary, added)
    changed |= _set_pipeline(document, settings)
    notes: list[str] = []
    for token, token_id in list(added.items()):
        if token_id >= rows and token in _IMAGE_TOKENS:
            notes.append(f"left out {token} (id {token_id}): the embedding has no row for it")
            del added[token]
            vocabulary.pop(token, None)
            document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] != token]
            # Not `changed`: the reference may keep it, no text that is compared contains it.
    _check_rows(vocabulary | added, rows, path)
    return _Document(document, vocabulary, added, changed, tuple(notes))


def _from_json(path: Path, settings: _Settings, rows: int) -> Tokenizer:
    content = _read(path)
    completed = _complete(content, path, settings, rows)
    document, vocabulary, added = completed.values, completed.vocabulary, completed.added
    notes = list(completed.notes)
    ids = vocabulary | added
    reference = _reference(_dump(document) if completed.changed else content, where=path)

    made = _model_from_document(document, vocabulary, added, settings.names, rows)
    kind: Literal["sentencepiece", "huggingface"] = "sentencepiece"
    reason: str | None
    if isinstance(made, str):
        data, reason = b"", made
    else:
        texts = [*AWKWARD_TEXTS, *_texts_with(added, settings.names.get("unk_token"))]
        data, reason = _first_that_agrees(*made, reference, texts)
    if reason is not None:
        kind = "huggingface"
        data = _dump(_padded(document, vocabulary, added, rows))
        notes.append(f"embedded tokenizer.json itself, which opens slower than SentencePiece: {reason}")
    if len(ids) < rows:
        notes.append(_padding_note(len(ids), rows))
    named = {name: ids.get(text) for name, text in settings.names.items()}
    return Tokenizer(
        kind=kind,
        data=data,
        size=rows,
        bos_id=named.get("bos_token"),
        eos_id=named.get("eos_token"),
        pad_id=named.get("pad_token"),
        unk_id=named.get("unk_token"),
        adds_bos=_post_processor_adds(reference, named.get("bos_token")),
        names=dict(settings.names),
        special=dict(added),
        notes=tuple(notes),
    )


def _vocabulary(document: dict[str, Any], path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """(pieces of the model, added tokens), each with its id."""
    model = document.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        kind = model.get("type") if isinstance(model, dict) else None
        raise TokenizerError(f"holds a tokenizer of type {kind!r}, not Gemma's BPE", where=path)
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict) or not all(isinstance(i, int) for i in vocabulary.values()):
        raise TokenizerError('key "model.vocab" is not an object of ids', where=path)
    added: dict[str, int] = {}
    entries = document.setdefault("added_tokens", [])
    for entry in entries if isinstance(entries, list) else [None]:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("content"), str)
            or not isinstance(entry.get("id"), int)
        ):
            raise TokenizerError('key "added_tokens" is not a list of tokens with ids', where=path)
        added[entry["content"]] = entry["id"]
    return vocabulary, added


def _add_missing(
    document: dict[str, Any], settings: _Settings, vocabulary: dict[str, int], added: dict[str, int]
) -> bool:
    """Add the tokens of the small files, as Transformers does; tell whether there were any."""
    taken = set(vocabulary.values()) | set(added.values())
    following = max(taken, default=-1) + 1
    before = len(added)
    # Tokens with an id first, in the order of their ids.
    wanted = sorted(settings.added.items(), key=lambda item: item[1])
    wanted += [(token, -1) for token in (*settings.names.values(), *settings.appended)]
    for token, written in wanted:
        if token in added or not token:
            continue
        if token in vocabulary:
            token_id = vocabulary[token]
        else:
            # `tokenizers` numbers added tokens by itself; a written id only counts when it is the next one.
            token_id = following
            following += 1
        special = written < 0 or token in settings.names.values()
        document["added_tokens"].append(
            {
                "id": token_id,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": not special,
                "special": special,
            }
        )
        added[token] = token_id
    return len(added) != before


def _set_pipeline(document: dict[str, Any], settings: _Settings) -> bool:
    """Make normalizer, splitter and decoder what Transformers would run; tell whether anything changed."""
    changed = False
    # Saved by trainers that pad or truncate; the engine would do it too.
    for key in ("truncation", "padding"):
        if document.get(key) is not None:
            document[key] = None
            changed = True
    if settings.tokenizer_class in _GEMMA_CLASSES:
        wanted = {"normalizer": _GEMMA_NORMALIZER, "pre_tokenizer": _GEMMA_SPLIT, "decoder": _GEMMA_DECODER}
        for key, value in wanted.items():
            if document.get(key) != value:
                document[key] = value
                changed = True
    return changed


def _padded(
    document: dict[str, Any], vocabulary: dict[str, int], added: dict[str, int], rows: int
) -> dict[str, Any]:
    # The added tokens are listed in the vocabulary as well: `tokenizers` numbers those that are not by itself,
    # from the vocabulary's end on, which is no longer where it was.
    known = vocabulary | added
    taken = set(known.values())
    fill = {_filler(i): i for i in range(rows) if i not in taken}
    return document | {"model": document["model"] | {"vocab": known | fill}}


def _padding_note(tokens: int, rows: int) -> str:
    return f"the tokenizer has {tokens:,} tokens, the embedding {rows:,} rows: the rest was filled with unused ones"


def _filler(token_id: int) -> str:
    """The spelling of an id that stands for nothing.

    Constrained decoding takes it for the id's text, although nothing is shown for it: the newlines keep it out of
    JSON strings and of what a dot matches.
    """
    return f"\n<row {token_id}>\n"


def _post_processor_adds(reference: Reference, bos_id: int | None) -> bool:
    return bos_id is not None and reference.encode("x").ids[:1] == [bos_id]


# --- tokenizer.model ----------------------------------------------------------------------------------------


def _from_model(path: Path, settings: _Settings, rows: int) -> Tokenizer:
    model = _parse_model(_read(path), path)
    pieces = model.pieces
    ids: dict[str, int] = {}
    special: dict[str, int] = {}
    for i, piece in enumerate(pieces):
        if piece.piece in ids:
            raise TokenizerError(f"holds the piece {piece.piece!r} twice", where=path)
        ids[piece.piece] = i
        if len(piece.piece) > 1 and not piece.piece.strip(_SPACE):
            # A run of spaces: not a token to Transformers, but what merges make, shorter runs first.
            piece.type, piece.score = _NORMAL, float(_RUN_SCORE - len(piece.piece))
        elif piece.type in (_CONTROL, _USER_DEFINED, _UNKNOWN):
            special[piece.piece] = i
        if piece.type == _CONTROL:
            # Transformers finds "<bos>" and its like in a text; SentencePiece finds only user-defined pieces.
            piece.type = _USER_DEFINED
        piece.piece = _spaced(piece.piece)
    model.normalizer_spec.Clear()
    _set_normalizer(model.normalizer_spec)
    added = sorted(settings.added.items(), key=lambda item: item[1])
    for token, written in [*added, *((t, -1) for t in (*settings.names.values(), *settings.appended))]:
        if token in ids:
            if pieces[ids[token]].type == _NORMAL:
                pieces[ids[token]].type = _USER_DEFINED
            special[token] = ids[token]
            continue
        if written not in (-1, len(pieces)):
            raise TokenizerError(
                f"has {len(pieces):,} pieces, but the added token {token!r} is to have the id {written:,}",
                where=path,
                remedy="save the tokenizer again with the Transformers version that trained it, "
                "so that there is a tokenizer.json",
            )
        ids[token] = special[token] = len(pieces)
        pieces.add(piece=token, score=0.0, type=_USER_DEFINED)
    _check_rows(ids, rows, path)
    notes = (_padding_note(len(ids), rows),) if len(ids) < rows else ()
    _fill(model, rows)
    model.trainer_spec.vocab_size = rows
    data = _serialize(model)
    _sentencepiece(data, where=path)
    named = {name: ids.get(text) for name, text in settings.names.items()}
    return Tokenizer(
        kind="sentencepiece",
        data=data,
        size=rows,
        bos_id=named.get("bos_token"),
        eos_id=named.get("eos_token"),
        pad_id=named.get("pad_token"),
        unk_id=named.get("unk_token"),
        adds_bos=settings.add_bos,
        names=dict(settings.names),
        special=special,
        notes=notes,
    )


def _parse_model(content: bytes, path: Path) -> Any:
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    damaged = TokenizerError("is not a SentencePiece model", where=path, remedy="copy the file again")
    try:
        model = sentencepiece_model_pb2.ModelProto.FromString(content)
    except DecodeError as error:
        raise damaged from error
    if not model.pieces:
        raise damaged
    spec = model.trainer_spec
    if spec.model_type != _BPE or not spec.byte_fallback:
        raise TokenizerError("is not a byte-fallback BPE model as Gemma's is", where=path)
    return model


# --- one as the other ---------------------------------------------------------------------------------------

_RUN_SCORE = 1 << 20  # above the score of every other piece


def _model_from_document(
    document: dict[str, Any],
    vocabulary: Mapping[str, int],
    added: Mapping[str, int],
    names: Mapping[str, str],
    rows: int,
) -> tuple[list[tuple[str, float, int]], bytes] | str:
    """Write a tokenizer.json as SentencePiece: (piece, score, type) by id and the model's other fields,
    serialized.

    Returns the reason instead when that cannot be.
    """
    from sentencepiece import sentencepiece_model_pb2

    model = document["model"]
    if document.get("normalizer") != _GEMMA_NORMALIZER:
        return "its normalizer is not Gemma's"
    if document.get("pre_tokenizer") not in (None, _GEMMA_SPLIT):
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
    rank = _ranks(model.get("merges") or [])
    if isinstance(rank, str):
        return rank

    ids = {**vocabulary, **added}
    by_id: list[str | None] = [None] * rows
    for token, token_id in ids.items():
        by_id[token_id] = token
    last = -float(len(rank))
    pieces: list[tuple[str, float, int]] = []
    for token_id, piece in enumerate(by_id):  # ids that nothing has remain None
        if piece is None:
            pieces.append((_filler(token_id), 0.0, _CONTROL))
        elif piece == unknown:
            pieces.append((piece, 0.0, _UNKNOWN))
        elif piece in added and piece.strip(_SPACE):
            pieces.append((_spaced(piece), 0.0, _USER_DEFINED))
        elif piece in rank:
            pieces.append((_spaced(piece), -float(rank[piece]), _NORMAL))
        elif len(piece) == 1:
            pieces.append((_spaced(piece), last, _NORMAL))
        elif len(piece) == 6 and piece.startswith("<0x"):
            pieces.append((piece, 0.0, _BYTE))
        else:
            pieces.append((_spaced(piece), last, _UNUSED))

    rest = sentencepiece_model_pb2.ModelProto()
    trainer = rest.trainer_spec
    trainer.model_type, trainer.vocab_size, trainer.byte_fallback = _BPE, rows, True
    for name in ("bos", "eos", "pad", "unk"):
        text = unknown if name == "unk" else names.get(f"{name}_token", "")
        setattr(trainer, f"{name}_piece", text)
        setattr(trainer, f"{name}_id", ids.get(text, -1))
    _set_normalizer(rest.normalizer_spec)
    return pieces, _serialize(rest)


def _set_normalizer(spec: Any) -> None:
    """Leave a text as it is: Gemma adds no leading space and keeps every one that is there."""
    spec.name = "identity"
    spec.add_dummy_prefix = spec.remove_extra_whitespaces = spec.escape_whitespaces = False


def _spaced(piece: str) -> str:
    """Spell a piece with the spaces that it stands for.

    SentencePiece usually spells them ▁. The engine's constrained decoding takes a piece's spelling for its text: with
    ▁ no answer that contains a space can be forced, and choices such as "turn on" fail.
    """
    return piece.replace(_SPACE, " ")


def _pack_model(pieces: Sequence[tuple[str, float, int]], rest: bytes) -> bytes:
    """Serialize a ModelProto from (piece, score, type) and its other fields.

    By hand, in the bytes that protobuf would write: 262,144 message objects take a second.
    """
    out = bytearray()
    for piece, score, kind in pieces:
        text = piece.encode()
        body = b"\x0a" + _varint(len(text)) + text + b"\x15" + _float32(score) + bytes((0x18, kind))
        out += b"\x0a" + _varint(len(body)) + body
    return bytes(out) + rest


_float32 = struct.Struct("<f").pack


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    return bytes((value & 0x7F | 0x80,)) + _varint(value >> 7)


def _ranks(merges: Sequence[Any]) -> dict[str, int] | str:
    """Order of the pieces that merges make: {piece: place of its first merge}, or why there is no such order.

    SentencePiece has one score per piece where BPE has one rank per pair, so the pairs that make a piece must
    stand next to each other in the list. Runs of spaces and of other single characters may be mixed: they are
    tried out.
    """
    rank: dict[str, int] = {}
    previous = ""
    for pair in merges:
        left, right = pair if isinstance(pair, list) else pair.split(" ", 1)
        piece = left + right
        if piece != previous:
            if piece not in rank:
                rank[piece] = len(rank)
            elif piece.strip(piece[0]):
                return f"its merges make {piece!r} in several places"
            previous = piece
    return rank


def _first_that_agrees(
    pieces: list[tuple[str, float, int]], rest: bytes, reference: Reference, texts: list[str]
) -> tuple[bytes, str | None]:
    """Pack the model so that it gives the reference's ids for every text; else say which text differs.

    Two forms are tried: runs of spaces are taken whole as long as they are, as in Gemma's tokenizers, or grow by
    merging as other pieces do. Which of them Transformers does depends on the order in which its converter once
    wrote the merges.
    """
    wanted = _encode(reference, texts)
    reason: str | None = None
    whole = [
        (piece, 0.0, _USER_DEFINED) if len(piece) > 1 and not piece.strip(" ") else (piece, score, kind)
        for piece, score, kind in pieces
    ]
    for form in (whole, pieces):
        data = _pack_model(form, rest)
        found = _sentencepiece(data).encode(texts)
        differing = next((i for i, ids in enumerate(found) if ids != wanted[i]), None)
        if differing is None:
            return data, None
        reason = reason or (
            f"of {_shortened(texts[differing])} SentencePiece would make {found[differing][:8]}, "
            f"Transformers makes {wanted[differing][:8]}"
        )
    return b"", reason


def _fill(model: Any, rows: int) -> None:
    for token_id in range(len(model.pieces), rows):
        # A control piece: never found in a text, decodes to nothing.
        model.pieces.add(piece=_filler(token_id), score=0.0, type=_CONTROL)


# --- shared -------------------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise TokenizerError(f"is larger than {MAX_JSON_BYTES >> 20} MiB", where=path)
        return path.read_bytes()
    except OSError as error:
        raise TokenizerError(f"cannot be read ({error.strerror})", where=path) from error


def _check_rows(ids: Mapping[str, int], rows: int, path: Path) -> None:
    highest = max(ids.values(), default=-1)
    if highest >= rows:
        above = sorted((i, t) for t, i in ids.items() if i >= rows)
        names = ", ".join(f"{token!r} ({i})" for i, token in above[:3]) + (", …" if len(above) > 3 else "")
        raise TokenizerError(
            f"has ids up to {highest:,}, but the embedding has only {rows:,} rows: {len(above):,} tokens "
            f"have none, {names}",
            where=path,
            remedy="save the model after model.resize_token_embeddings(len(tokenizer)), "
            "or the tokenizer that the model was trained with",
        )


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _serialize(model: Any) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))


def _sentencepiece(data: bytes, where: Path | None = None) -> Any:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(data)
    except RuntimeError as error:
        raise TokenizerError(f"SentencePiece cannot use it ({error})", where=where) from error
    return processor


def _reference(content: bytes, where: Path | None) -> Reference:
    from tokenizers import Tokenizer as Reference

    try:
        return Reference.from_str(content.decode())
    except Exception as error:  # `tokenizers` raises exactly Exception, for every fault in the file
        if type(error) is not Exception:
            raise
        raise TokenizerError(f"the tokenizers library cannot read it ({error})", where=where) from error


def _encode(reference: Reference, texts: Sequence[str]) -> list[list[int]]:
    return [e.ids for e in reference.encode_batch(list(texts), add_special_tokens=False)]


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 24 else text[:24] + "…")


def _texts_with(added: Iterable[str], unknown: str | None) -> list[str]:
    """Texts with added tokens in them, less those that AWKWARD_TEXTS leaves out too."""
    tokens = [token for token in added if token != unknown and _SPACE not in token]
    step = max(1, len(tokens) // 100)
    some = [*tokens[:20], *tokens[20:-60:step], *tokens[-60:]]
    return [text for token in some for text in (token, f"a{token}b {token} {token}\n")]


AWKWARD_TEXTS: tuple[str, ...] = (
    "",
    "a",
    " ",
    "Hello, world!",
    " leading and trailing ",
    "  two  spaces   three    four     five",
    *(" " * n + "x" for n in (2, 3, 5, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 100)),
    *("x" + " " * n for n in (2, 3, 9, 31, 35)),
    *("a" + "\n" * n + "b" for n in (1, 2, 3, 5, 8, 17, 31, 32, 40)),
    *("\t" * n + "z" for n in (1, 2, 3, 8, 33)),
    " \n \n  \n",
    "\r\n\r\n",
    "\u00a0no-break\u00a0space\u2003em\u3000ideographic",
    "Skjermen er for mørk, kan du øke lysstyrken på æøå? Ærlig talt, Åse!",
    "画面が暗すぎます。明るくしてください。",
    "音量を下げて、Bluetoothをオンにする",
    "简体中文 繁體中文 한국어 العربية עברית ไทย हिन्दी ქართული",
    "Ελληνικά Кириллица Ünïcödé ﬁ ﬂ ½ ² ∑ ∞ ≠ →",
    "e\u0301 vs é, Å vs Å",
    "🙂🙃 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇳🇴 ☎️",
    "0 1 12 123 1234 12345 3.14159 1,000,000 1e-9 0x1F",
    "!!! ??? ... --- *** ### $$$ %% && @@ ~~ `` ^^ || \\\\ // <> [] {} ()",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbb ababababab hahahahaha",
    "the the the The THE tHe theTHEthe",
    '{"screen": "display", "setting": "brightness", "action": "increase"}',
    'def main(argv: list[str]) -> int:\n    return len(argv)  # "count"\n\n\nif __name__ == "__main__":',
    "\tmain([])\n",
    "SELECT * FROM t WHERE a='b'; -- comment\n",
    "<html><body class='x'>&nbsp;</body></html>",
    "https://example.org/path?q=1&r=%20#top user.name+tag@example.co.uk",
    "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "<start_of_turn >user <end_of_turn",
    "<bos><eos><pad>",
    "a<eos>b <bos>c",
    "<0x41><0x0A>",
    "<unused0><unused1>",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis Donaudampfschifffahrt",
    "\x00\x01\x02\x07\x08\x0b\x0c\x0e\x1f\x7f",
    "\u200b\u200d\ufeff\u2028\u2029\u00ad",
    "".join(chr(c) for c in range(32, 127)),
    "".join(chr(c) for c in range(128, 256)),
    "".join(chr(c) for c in range(0x250, 0x2B0)),
    "\U0001f600\U0001f4a9\U00020000\U0010ffff\ue000\ufffd",
)
"""Texts on which two tokenizers that are not the same are likely to differ.

Two are missing on purpose, because no SentencePiece model can tell them apart: "▁" itself, which is its
spelling of a space, and the token for the unknown written out.
"""
