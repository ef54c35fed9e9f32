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

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import TokenizerError
from edgekit.progress import SILENT, Progress
from edgekit.records.large import uncollected
from edgekit.text import bounded
from edgekit.text.tokenizer.compare import (
    AWKWARD_TEXTS,
    begin_attempts,
    first_that_agrees,
    texts_with,
)
from edgekit.text.tokenizer.document import GEMMA_NORMALIZER, SPACE, complete_document, dump, padded_document
from edgekit.text.tokenizer.files import (
    TOKENIZER_JSON,
    TOKENIZER_MODEL,
    TokenizerSettings,
    check_rows,
    read_bytes,
    read_settings,
)
from edgekit.text.tokenizer.kept import WORTH_KEEPING, kept
from edgekit.text.tokenizer.reduced import pairs, reduced_document
from edgekit.text.tokenizer.section import Tokenizer, bytes_among
from edgekit.text.tokenizer.sentencepiece import (
    BYTE,
    CONTROL,
    NORMAL,
    RUN_SCORE,
    UNKNOWN,
    USER_DEFINED,
    fill_rows,
    load_sentencepiece,
    model_from_document,
    parse_model,
    serialize,
    set_normalizer,
    spaced,
)
from edgekit.text.tokenizer.trial import TRIED, refuse_unusable, try_out

END_OF_TURN = "<end_of_turn>"


def read_tokenizer(directory: Path, *, rows: int, progress: Progress = SILENT) -> Tokenizer:
    """Read the tokenizer of a checkpoint directory.

    rows: rows of the embedding. The section gets exactly as many ids: the engine ends generation with
        NOT_FOUND when the model emits an id that its tokenizer does not know.
    Raises TokenizerError when there is no tokenizer, when a file is damaged, when ids exceed the embedding,
    or when the tokenizer is of a kind that is not Gemma's.
    """
    settings = read_settings(directory)
    json_path, model_path = directory / TOKENIZER_JSON, directory / TOKENIZER_MODEL
    if json_path.exists():
        content = read_bytes(json_path)

        def make() -> Tokenizer:
            with uncollected():
                return _from_json(content, json_path, settings, rows)

        return make() if len(content) < WORTH_KEEPING else kept(content, settings, rows, make, progress)
    if model_path.exists():
        return _from_model(model_path, settings, rows)
    raise TokenizerError(
        f"has neither {TOKENIZER_JSON} nor {TOKENIZER_MODEL}",
        where=directory,
        remedy="save the tokenizer next to the weights: tokenizer.save_pretrained(directory)",
    )


def _from_json(content: bytes, path: Path, settings: TokenizerSettings, rows: int) -> Tokenizer:
    bounded.tokenizers.start()
    completed = complete_document(content, path, settings, rows)
    document, vocabulary, added = completed.values, completed.vocabulary, completed.added
    notes = list(completed.notes)
    ids = vocabulary | added
    texts = [*AWKWARD_TEXTS, *texts_with(added, settings.names.get("unk_token"))]
    reference = dump(document) if completed.changed else content

    merged = pairs(document["model"].get("merges") or [])
    made = model_from_document(document, vocabulary, added, merged or [], settings.names, rows)
    if merged is None and not isinstance(made, str):
        made = "its merges are no pairs of pieces"
    with ThreadPoolExecutor(1, thread_name_prefix="trial") as pool:
        # The child tries the first form while the reference is made.
        attempts = [] if isinstance(made, str) else begin_attempts(*made, texts, path, pool)
        reduced = merged and _reduced(document, vocabulary, added, merged, texts)
        wanted, beginning = try_out(reduced or reference, "huggingface", path, texts)
        data, reason = (b"", made) if isinstance(made, str) else first_that_agrees(attempts, wanted, texts)
    kind: Literal["sentencepiece", "huggingface"] = "sentencepiece"
    if reason is not None:
        refuse_unusable(reference, "huggingface", path)
        kind = "huggingface"
        data = dump(padded_document(document, vocabulary, added, rows))
        notes.append(f"embedded tokenizer.json itself, which opens slower than SentencePiece: {reason}")
    if len(ids) < rows:
        notes.append(_padding_note(len(ids), rows))
    named = {name: ids.get(text) for name, text in settings.names.items()}
    # To SentencePiece an added token is a text, whatever its spelling.
    texts_only = added if kind == "sentencepiece" else ()
    return Tokenizer(
        kind=kind,
        data=data,
        size=rows,
        bos_id=named.get("bos_token"),
        eos_id=named.get("eos_token"),
        pad_id=named.get("pad_token"),
        unk_id=named.get("unk_token"),
        adds_bos=named.get("bos_token") in beginning[:1],
        names=dict(settings.names),
        special=dict(added),
        ascii_bytes=bytes_among(ids, texts_only) if document["model"].get("byte_fallback") else (),
        notes=tuple(notes),
    )


def _reduced(
    document: dict[str, Any],
    vocabulary: Mapping[str, int],
    added: Mapping[str, int],
    merged: Sequence[str],
    texts: Sequence[str],
) -> bytes | None:
    """The reference with all that these texts need of it, where that is sure to be as good."""
    if document.get("normalizer") != GEMMA_NORMALIZER:
        return None
    reduced = reduced_document(document, vocabulary, added, merged, [*texts, *TRIED, "x"])
    return None if reduced is None else dump(reduced)


def _padding_note(tokens: int, rows: int) -> str:
    return f"the tokenizer has {tokens:,} tokens, the embedding {rows:,} rows: the rest was filled with unused ones"


# --- tokenizer.model ----------------------------------------------------------------------------------------


def _from_model(path: Path, settings: TokenizerSettings, rows: int) -> Tokenizer:
    model = parse_model(read_bytes(path), path)
    pieces = model.pieces
    ids: dict[str, int] = {}
    special: dict[str, int] = {}
    bytes_only: dict[str, int] = {}
    for i, piece in enumerate(pieces):
        if piece.piece in ids:
            raise TokenizerError(f"holds the piece {piece.piece!r} twice", where=path)
        ids[piece.piece] = i
        if len(piece.piece) > 1 and not piece.piece.strip(SPACE):
            # A run of spaces: not a token to Transformers, but what merges make, shorter runs first.
            piece.type, piece.score = NORMAL, float(RUN_SCORE - len(piece.piece))
        elif piece.type in (CONTROL, USER_DEFINED, UNKNOWN):
            special[piece.piece] = i
        elif piece.type == BYTE:
            bytes_only[piece.piece] = i
        if piece.type == CONTROL:
            # Transformers finds "<bos>" and its like in a text; SentencePiece finds only user-defined pieces.
            piece.type = USER_DEFINED
        piece.piece = spaced(piece.piece)
    model.normalizer_spec.Clear()
    set_normalizer(model.normalizer_spec)
    added = sorted(settings.added.items(), key=lambda item: item[1])
    for token, written in [*added, *((t, -1) for t in (*settings.names.values(), *settings.appended))]:
        if token in ids:
            if pieces[ids[token]].type == NORMAL:
                pieces[ids[token]].type = USER_DEFINED
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
        pieces.add(piece=token, score=0.0, type=USER_DEFINED)
    check_rows(ids, rows, path)
    notes = (_padding_note(len(ids), rows),) if len(ids) < rows else ()
    fill_rows(model, rows)
    model.trainer_spec.vocab_size = rows
    data = serialize(model)
    load_sentencepiece(data, where=path)
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
        ascii_bytes=bytes_among(bytes_only),
        notes=notes,
    )
