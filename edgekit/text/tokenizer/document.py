"""`tokenizer.json`, as Transformers completes it with the small files beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import TokenizerError
from edgekit.records.large import parse_large_object
from edgekit.text.tokenizer.files import (
    IMAGE_TOKENS,
    MAX_TOKENIZER_VALUES,
    TOKENIZER_JSON,
    TokenizerSettings,
    check_rows,
    read_bytes,
    read_settings,
)

SPACE = "▁"  # U+2581 stands for a space inside a piece


GEMMA_CLASSES = {None, "GemmaTokenizer", "GemmaTokenizerFast"}
# What Transformers' GemmaTokenizer puts around the vocabulary, whatever tokenizer.json says.
GEMMA_NORMALIZER = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
GEMMA_SPLIT = {
    "type": "Split",
    "pattern": {"String": " "},
    "behavior": "MergedWithPrevious",
    "invert": False,
}
GEMMA_DECODER = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ],
}


def read_document(directory: Path, *, rows: int) -> dict[str, Any] | None:
    """Read `tokenizer.json` as Transformers completes it; None when a checkpoint has none.

    Every token of the small files is among its `added_tokens`, those named as control tokens with
    `"special": true`. rows: of the embedding. Raises TokenizerError as `read_tokenizer` does.
    """
    path = directory / TOKENIZER_JSON
    if not path.exists():
        return None
    settings = read_settings(directory)
    document = complete_document(read_bytes(path), path, settings, rows).values
    for entry in document["added_tokens"]:
        entry["special"] = bool(entry.get("special")) or entry["content"] in settings.control
    return document


@dataclass(frozen=True)
class Document:
    """A tokenizer.json with the tokens of the small files in it, as Transformers completes it.

    changed: whether that changed what the file says. notes: tokens that were left out.
    """

    values: dict[str, Any]
    vocabulary: dict[str, int]
    added: dict[str, int]
    changed: bool
    notes: tuple[str, ...]


def complete_document(content: bytes, path: Path, settings: TokenizerSettings, rows: int) -> Document:
    """Parse a tokenizer.json and complete it.

    Raises TokenizerError for what is not Gemma's, and for ids without a row.
    """
    document = parse_large_object(
        content,
        parent="model",
        large={"vocab": (dict[str, int],), "merges": (list[tuple[str, str]], list[str])},
        where=path,
        error=TokenizerError,
        max_values=MAX_TOKENIZER_VALUES,
    )
    vocabulary, added = _vocabulary(document, path)
    changed = _add_missing(document, settings, vocabulary, added)
    changed |= _set_pipeline(document, settings)
    notes: list[str] = []
    for token, token_id in list(added.items()):
        if token_id >= rows and token in IMAGE_TOKENS:
            notes.append(f"left out {token} (id {token_id}): the embedding has no row for it")
            del added[token]
            vocabulary.pop(token, None)
            document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] != token]
            # Not `changed`: the reference may keep it, no text that is compared contains it.
    check_rows(vocabulary | added, rows, path)
    return Document(document, vocabulary, added, changed, tuple(notes))


def _vocabulary(document: dict[str, Any], path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """(pieces of the model, added tokens), each with its id."""
    model = document.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        kind = model.get("type") if isinstance(model, dict) else None
        raise TokenizerError(f"holds a tokenizer of type {kind!r}, not Gemma's BPE", where=path)
    vocabulary = model.get("vocab")
    # Told before pieces are put in their places; the libraries would refuse such ids only later.
    if (
        not isinstance(vocabulary, dict)
        or not set(map(type, vocabulary.values())) <= {int}
        or min(vocabulary.values(), default=0) < 0
    ):
        raise TokenizerError('key "model.vocab" is not an object of ids (whole numbers from 0)', where=path)
    added: dict[str, int] = {}
    entries = document.setdefault("added_tokens", [])
    for entry in entries if isinstance(entries, list) else [None]:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("content"), str)
            or type(entry.get("id")) is not int
            or entry["id"] < 0
        ):
            raise TokenizerError(
                'key "added_tokens" is not a list of tokens with ids (whole numbers from 0)', where=path
            )
        added[entry["content"]] = entry["id"]
    return vocabulary, added


def _add_missing(
    document: dict[str, Any], settings: TokenizerSettings, vocabulary: dict[str, int], added: dict[str, int]
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


def _set_pipeline(document: dict[str, Any], settings: TokenizerSettings) -> bool:
    """Make normalizer, splitter and decoder what Transformers would run; tell whether anything changed."""
    changed = False
    # Saved by trainers that pad or truncate; the engine would do it too.
    for key in ("truncation", "padding"):
        if document.get(key) is not None:
            document[key] = None
            changed = True
    if settings.tokenizer_class in GEMMA_CLASSES:
        wanted = {"normalizer": GEMMA_NORMALIZER, "pre_tokenizer": GEMMA_SPLIT, "decoder": GEMMA_DECODER}
        for key, value in wanted.items():
            if document.get(key) != value:
                document[key] = value
                changed = True
    return changed


def padded_document(
    document: dict[str, Any], vocabulary: dict[str, int], added: dict[str, int], rows: int
) -> dict[str, Any]:
    """A tokenizer.json with a piece for every row that has none."""
    # The added tokens are listed in the vocabulary as well: `tokenizers` numbers those that are not by itself,
    # from the vocabulary's end on, which is no longer where it was.
    known = vocabulary | added
    taken = set(known.values())
    fill = {filler(i): i for i in range(rows) if i not in taken}
    return document | {"model": document["model"] | {"vocab": known | fill}}


def filler(token_id: int) -> str:
    """The spelling of an id that stands for nothing.

    Constrained decoding takes it for the id's text, although nothing is shown for it: the newlines keep it out of
    JSON strings and of what a dot matches.
    """
    return f"\n<row {token_id}>\n"


def dump(document: dict[str, Any]) -> bytes:
    """Write a tokenizer.json without free space."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
