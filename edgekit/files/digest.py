"""SHA-256 of files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from edgekit.files.within import open_regular

_READ_BYTES: Final = 4 << 20


def file_digest(path: Path, *, first: int | None = None) -> str:
    """Return a file's SHA-256 in hexadecimal, or that of its first bytes, read in bounded memory."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_READ_BYTES))
    left = first
    with os.fdopen(open_regular(path, links=True), "rb", buffering=0) as file:
        while count := file.readinto(buffer if left is None else buffer[:left]):
            digest.update(buffer[:count])
            left = None if left is None else left - count
    return digest.hexdigest()
