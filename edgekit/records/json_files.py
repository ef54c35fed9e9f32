"""Small files of a checkpoint directory, read with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit.errors import CheckpointError

MAX_JSON_BYTES = 256 << 20
"""A tokenizer.json of 262,144 pieces takes 33 MB; what is far larger is not a checkpoint's file."""


def read_json_object(path: Path, *, remedy: str | None = None) -> dict[str, Any]:
    """Read a UTF-8 JSON file that holds one object.

    Raises CheckpointError, naming the file, when it is absent, unreadable, too large, not UTF-8, not JSON, or
    not an object.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise CheckpointError(f"is larger than {MAX_JSON_BYTES >> 20} MiB", where=path, remedy=remedy)
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError("no such file", where=path, remedy=remedy) from None
    except OSError as error:
        raise CheckpointError(f"cannot be read ({error.strerror})", where=path, remedy=remedy) from error
    return parse_json_object(content, where=path, remedy=remedy)


def parse_json_object(content: bytes, *, where: Path, remedy: str | None = None) -> dict[str, Any]:
    """Parse UTF-8 JSON that holds one object and no key twice; raises CheckpointError naming `where`."""
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_object_without_duplicates)
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"is not UTF-8 text (byte {error.start})", where=where, remedy=remedy
        ) from error
    except json.JSONDecodeError as error:
        raise CheckpointError(
            f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})",
            where=where,
            remedy=remedy,
        ) from error
    except RecursionError as error:
        raise CheckpointError("is JSON nested too deeply", where=where, remedy=remedy) from error
    except ValueError as error:  # a duplicate key, or an integer of thousands of digits
        raise CheckpointError(f"is not usable JSON ({error})", where=where, remedy=remedy) from error
    if not isinstance(value, dict):
        raise CheckpointError(
            f"holds a JSON {type(value).__name__}, not an object", where=where, remedy=remedy
        )
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} appears twice")
            seen.add(key)
    return result
