"""The files of a tokenizer, and the small ones around its vocabulary: control tokens, added tokens, class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import TokenizerError
from edgekit.files.within import read_regular
from edgekit.records.documents import read_json_object

TOKENIZER_JSON = "tokenizer.json"
TOKENIZER_MODEL = "tokenizer.model"
TOKENIZER_CONFIG = "tokenizer_config.json"
ADDED_TOKENS = "added_tokens.json"
SPECIAL_TOKENS_MAP = "special_tokens_map.json"

MAX_TOKENIZER_BYTES = 64 << 20
"""A tokenizer.json of 262,144 pieces takes 33 MB."""
MAX_TOKENIZER_VALUES = 3_000_000
"""With its merges as pairs that one holds 1.9 million."""
MAX_PIECES, MAX_FIELD_BYTES = 1 << 20, 8 << 20
"""Of a tokenizer.model; its largest field, the rules of its normalizer, takes 0.3 MB."""

IMAGE_TOKENS = frozenset({"<image_soft_token>"})  # text-only checkpoints keep its entry, without a row for it


@dataclass(frozen=True)
class TokenizerSettings:
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


def read_settings(directory: Path) -> TokenizerSettings:
    """Read the small files of a directory; raises TokenizerError or CheckpointError for a damaged one."""
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
        content = token_text(entry)
        if not key.isdecimal() or content is None:
            raise TokenizerError(f'key "added_tokens_decoder.{key}" is not a token', where=config_path)
        added[content] = int(key)
    names = {}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = names_source[name] if name in names_source else f"<{name[:3]}>"
        text = token_text(value)
        if text is not None:
            names[name] = text
    kind = config.get("tokenizer_class")
    return TokenizerSettings(
        tokenizer_class=kind if isinstance(kind, str) else None,
        names=names,
        add_bos=config.get("add_bos_token") is True,
        added=added,
        appended=tuple(
            _texts(names_source.get("additional_special_tokens"))
            + _texts(names_source.get("extra_special_tokens"))
        ),
    )


def token_text(value: object) -> str | None:
    """The text of a token, written as a string or as an AddedToken object."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for text in map(token_text, entries) if text is not None]


def read_bytes(path: Path) -> bytes:
    """Read a file of bounded size; raises TokenizerError."""
    try:
        content = read_regular(path, MAX_TOKENIZER_BYTES)
    except OSError as error:
        raise TokenizerError(f"cannot be read ({error.strerror})", where=path) from error
    if content is None:
        raise TokenizerError(f"is larger than {MAX_TOKENIZER_BYTES >> 20} MiB", where=path)
    return content


def check_rows(ids: Mapping[str, int], rows: int, path: Path) -> None:
    """Raise TokenizerError when an id has no row in the embedding."""
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
