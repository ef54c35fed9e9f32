"""What native libraries write to the terminal behind Python's back."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def native_log() -> Iterator[Callable[[], str]]:
    """Catch what is written to file descriptor 2; yields a function that returns it so far."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)

        def text() -> str:
            size = os.fstat(file.fileno()).st_size
            return os.pread(file.fileno(), min(size, 1 << 20), 0).decode(errors="replace")

        try:
            yield text
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
