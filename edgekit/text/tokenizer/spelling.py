"""A tokenizer.json whose pieces hold real spaces, for checkpoints that call functions.

With the model type function_gemma the engine 0.18.1 makes its own constraint provider whenever answers are
constrained, and that refuses our SentencePiece form, and the conversation with it. For a tokenizer.json it steps aside,
and LLGuidance does the work, which takes pieces as they are spelled: with "▁" it would write no space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.errors import TokenizerError
from edgekit.text.tokenizer.compare import AWKWARD_TEXTS, encode_with, load_reference
from edgekit.text.tokenizer.document import SPACE, dump, padded_document, read_document
from edgekit.text.tokenizer.files import TOKENIZER_JSON
from edgekit.text.tokenizer.section import Tokenizer


def with_spaces(tokenizer: Tokenizer, directory: Path, *, rows: int) -> Tokenizer:
    """Return the tokenizer as a tokenizer.json that spells spaces as such.

    Raises TokenizerError when the checkpoint has none, or when it does not say the same ids.
    """
    where = directory / TOKENIZER_JSON
    document = read_document(directory, rows=rows)
    if document is None:
        raise TokenizerError(
            "is missing: a model that calls functions needs it for constrained decoding",
            where=where,
            remedy="save it with tokenizer.save_pretrained(directory)",
        )
    model = document["model"]
    vocabulary = {piece.replace(SPACE, " "): i for piece, i in model["vocab"].items()}
    merges = [_spaced(merge) for merge in model["merges"]]
    added = [{**one, "content": one["content"].replace(SPACE, " ")} for one in document["added_tokens"]]
    if len(vocabulary) < len(model["vocab"]):
        raise TokenizerError("has pieces with real spaces beside those with ▁", where=where)
    document = document | {
        "model": model | {"vocab": vocabulary, "merges": merges},
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
    }
    data = dump(padded_document(document, vocabulary, {one["content"]: one["id"] for one in added}, rows))
    respelled = replace(tokenizer, kind="huggingface", data=data)
    texts = [*AWKWARD_TEXTS, "<escape>a b<escape>"]
    found = encode_with(load_reference(data, where=where), texts)
    for text, ids, wanted in zip(texts, found, tokenizer.encode_all(texts), strict=True):
        if list(ids) != wanted:
            raise TokenizerError(
                f"reads {text[:40]!r} otherwise when its pieces hold real spaces", where=where
            )
    return respelled


def _spaced(merge: str | Sequence[str]) -> list[str]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    return [part.replace(SPACE, " ") for part in parts]
