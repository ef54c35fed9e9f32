"""What was made of a large tokenizer.json, kept in the user's cache: most fine-tunes have that of their base."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edgekit.files.cache import cache_directory, cached
from edgekit.progress import Progress
from edgekit.records.codec import decode, plain
from edgekit.text.tokenizer.files import TokenizerSettings
from edgekit.text.tokenizer.section import Tokenizer

WORTH_KEEPING: Final = 4 << 20
"""Bytes of a tokenizer.json below which it is read in no time."""


def kept(
    content: bytes,
    settings: TokenizerSettings,
    rows: int,
    make: Callable[[], Tokenizer],
    progress: Progress,
) -> Tokenizer:
    """Make a tokenizer, or take what an earlier run made of the same files with the same programs."""
    digest = hashlib.sha256(content)
    digest.update(
        json.dumps([plain(settings), rows, version("tokenizers"), version("sentencepiece")]).encode()
    )
    for program in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(program.read_bytes())
    path = cache_directory("tokenizers") / f"{digest.hexdigest()[:32]}.tokenizer"
    facts, _, data = cached(path, lambda: _packed(make()), progress).partition(b"\n")
    return replace(decode(Tokenizer, json.loads(facts) | {"data": ""}, where=path), data=data)


def _packed(tokenizer: Tokenizer) -> bytes:
    facts = plain(replace(tokenizer, data=""))  # type: ignore[arg-type]
    return json.dumps(facts).encode() + b"\n" + tokenizer.data
