"""The user's cache: bytes that can be made anew, kept for the next run."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgekit.errors import InputError
from edgekit.files.whole import whole
from edgekit.files.within import read_regular
from edgekit.progress import Progress

CACHE_VARIABLE: Final = "EDGEKIT_CACHE"
_MAX_BYTES: Final = 128 << 20
_DIGEST: Final = hashlib.sha256().digest_size


def cache_directory(kind: str) -> Path:
    """A directory of the cache: below `$EDGEKIT_CACHE`, or the platform's cache directory for edgekit."""
    if override := os.environ.get(CACHE_VARIABLE):
        return Path(override) / kind
    import platformdirs

    return Path(platformdirs.user_cache_dir("edgekit")) / kind


def cached(path: Path, make: Callable[[], bytes], progress: Progress) -> bytes:
    """What an earlier run kept in a file of the cache; made now, and kept, where there is none.

    What is damaged is dropped, with a note, and made anew. A cache that cannot be written is no reason to stop.
    """
    try:
        stored = read_regular(path, _MAX_BYTES) or b""
    except OSError:
        stored = None
    if stored is not None:
        content = stored[_DIGEST:]
        if hashlib.sha256(content).digest() == stored[:_DIGEST]:
            return content
        progress.note(f"a file in the cache is damaged, and made anew: {path}")
    content = make()
    with contextlib.suppress(InputError, OSError), whole(path, needed_bytes=len(content)) as file:
        for part in (hashlib.sha256(content).digest(), content):
            left = memoryview(part)
            while left:
                left = left[file.write(left) :]
    return content
