"""A checkpoint with some rows of its vocabulary only: rows gathered, the tokenizer's files rebuilt.

A trimmed checkpoint is a `Checkpoint` like any other, whose tokenizer, template and generation settings lie in a
directory of their own. Whatever reads it finds the new ids everywhere: nothing behind this module knows of trimming.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.lazy import Derived
from edgekit.checkpoint.open import Checkpoint
from edgekit.checkpoint.safetensors import FLOAT_DTYPES, WeightTensor
from edgekit.records.documents import read_json_object
from edgekit.text.generation import GENERATION_CONFIG
from edgekit.text.template.parse import TEMPLATE_FILE, TEMPLATE_JSON
from edgekit.text.tokenizer.document import read_document
from edgekit.text.tokenizer.files import SPECIAL_TOKENS_MAP, TOKENIZER_CONFIG, TOKENIZER_JSON, TOKENIZER_MODEL
from edgekit.text.tokenizer.sentencepiece import read_model
from edgekit.text.vocabulary import merge_pair

VOCABULARY_TENSORS = ("model.embed_tokens.weight", "lm_head.weight")
"""The tensors with a row for every id."""

_ID_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id")


@dataclass(frozen=True)
class GatheredRows(Derived):
    """Some rows of a tensor, in an order of their own; read from the checkpoint when they are needed."""

    ids: tuple[int, ...]
    """Row n of this tensor is row `ids[n]` of the base."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As many rows as ids, each as long as the base's."""
        return (len(self.ids), *self.base.shape[1:])

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Read these rows, one stretch of neighbours in the base after the other."""
        ids = self.ids if rows is None else self.ids[rows]
        values = np.empty((len(ids), *self.base.shape[1:]), np.float32)
        start = 0
        for stop in range(1, len(ids) + 1):
            if stop == len(ids) or ids[stop] != ids[stop - 1] + 1:
                values[start:stop] = self.base.read(slice(ids[start], ids[stop - 1] + 1))
                start = stop
        return values

    def raw(self) -> NDArray[Any]:
        """Return all rows, in the base's dtype."""
        return self.read().astype(FLOAT_DTYPES[self.dtype])


def gather_rows(checkpoint: Checkpoint, kept: Sequence[int]) -> Checkpoint:
    """Return a checkpoint whose embedding, and head if it has one, hold the rows of the kept ids, in their order.

    Its text is still that of the whole vocabulary.
    """
    ids = tuple(kept)
    tensors: dict[str, WeightTensor] = dict(checkpoint.tensors)
    for name in VOCABULARY_TENSORS:
        if name in tensors:
            tensors[name] = GatheredRows(tensors[name], ids)
    return replace(
        checkpoint, architecture=replace(checkpoint.architecture, vocab_size=len(ids)), tensors=tensors
    )


def trim_checkpoint(checkpoint: Checkpoint, kept: Sequence[int], directory: Path) -> Checkpoint:
    """Return a checkpoint of the kept ids alone: row n of the embedding and id n of the tokenizer were `kept[n]`.

    kept: ids without one twice; ids that no piece has come last. directory: an empty one, into which tokenizer,
    template and generation settings are written; it must stay as long as the text is to be read.
    """
    rows = checkpoint.architecture.vocab_size
    new = {old: number for number, old in enumerate(kept)}
    source = checkpoint.text_path
    document = read_document(source, rows=rows)
    if document is not None:
        _write(directory / TOKENIZER_JSON, trim_document(document, new))
    # Where there is a tokenizer.json nobody looks at tokenizer.model: it may be older.
    model = read_model(source, rows=rows) if document is None else None
    if model is not None:
        data: bytes = trim_model(model, new).SerializeToString(deterministic=True)
        (directory / TOKENIZER_MODEL).write_bytes(data)
    for name in (TEMPLATE_FILE, TEMPLATE_JSON, SPECIAL_TOKENS_MAP):
        if (source / name).exists():
            shutil.copyfile(source / name, directory / name)
    if (source / TOKENIZER_CONFIG).exists():
        config = read_json_object(source / TOKENIZER_CONFIG)
        # The tokens in there are in the tokenizer itself now; their ids were the old ones.
        decoder = config.get("added_tokens_decoder")
        if isinstance(decoder, dict):
            config["added_tokens_decoder"] = {
                str(new[int(key)]): entry for key, entry in decoder.items() if int(key) in new
            }
        _write(directory / TOKENIZER_CONFIG, config)
    generation = checkpoint.generation_path / GENERATION_CONFIG
    if generation.exists():
        _write(directory / GENERATION_CONFIG, renumber_settings(read_json_object(generation), new))
    return replace(gather_rows(checkpoint, kept), text_path=directory, generation_path=directory)


def trim_document(document: Mapping[str, Any], new: Mapping[int, int]) -> dict[str, Any]:
    """Return a tokenizer.json with the kept pieces only.

    new: the new id of each kept one. A merge stays when its product and both its sides do. Added tokens are
    listed in the vocabulary as well: `tokenizers` would number those that are not by itself.
    """
    model = document["model"]
    added = [entry | {"id": new[entry["id"]]} for entry in document["added_tokens"] if entry["id"] in new]
    ids = {text: new[number] for text, number in model["vocab"].items() if number in new}
    ids |= {entry["content"]: entry["id"] for entry in added}
    merges = []
    for pair in model.get("merges") or []:
        left, right = merge_pair(pair)
        if left in ids and right in ids and left + right in ids:
            merges.append(pair)
    vocabulary = dict(sorted(ids.items(), key=lambda item: item[1]))
    return {
        **document,
        "added_tokens": sorted(added, key=lambda entry: entry["id"]),
        "post_processor": _renumber_post_processor(document.get("post_processor"), new),
        "model": {**model, "vocab": vocabulary, "merges": merges},
    }


def trim_model(model: Any, new: Mapping[int, int]) -> Any:
    """Return a SentencePiece ModelProto with the kept pieces only, in the order of their new ids.

    Scores stay as they are: what counts is which of two is higher.
    """
    from sentencepiece import sentencepiece_model_pb2

    trimmed = sentencepiece_model_pb2.ModelProto()
    trimmed.CopyFrom(model)
    del trimmed.pieces[:]
    trimmed.pieces.extend(model.pieces[old] for old in new if old < len(model.pieces))
    spec = trimmed.trainer_spec
    spec.vocab_size = len(trimmed.pieces)
    for name in ("bos_id", "eos_id", "pad_id", "unk_id"):
        setattr(spec, name, new.get(getattr(spec, name), -1))
    return trimmed


def renumber_settings(values: Mapping[str, Any], new: Mapping[int, int]) -> dict[str, Any]:
    """Return generation settings with new ids; an id that is gone is left out."""
    result = dict(values)
    for key in _ID_KEYS:
        value = result.get(key)
        if isinstance(value, list):
            result[key] = [new[number] for number in value if number in new]
        elif value is not None:
            result[key] = new.get(value)
    return result


def _renumber_post_processor(processor: Any, new: Mapping[int, int]) -> Any:
    """Give the tokens that a post-processor puts around a text their new ids."""
    if isinstance(processor, list):
        return [_renumber_post_processor(entry, new) for entry in processor]
    if not isinstance(processor, dict):
        return processor
    return {
        key: [new.get(number, 0) for number in value]
        if key == "ids" and isinstance(value, list)
        else _renumber_post_processor(value, new)
        for key, value in processor.items()
    }


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
