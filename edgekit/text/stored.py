"""The bytes of a file of rows, unpacked where it is packed, within limits."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from edgekit.errors import InputError, MissingToolError
from edgekit.files.within import open_regular

PACKED: Final = (".gz", ".zst")
MAX_BYTES: Final = 1 << 30
MAX_LINE: Final = 16 << 20
MAX_LINES: Final = 2_000_000
MAX_VALUES: Final = 20_000_000
"""JSON values of all rows together."""
MAX_ARRAY_BYTES, MAX_ARRAY_VALUES = 128 << 20, 4_000_000
"""Of a JSON array, which is read as a whole."""

_SMALL: Final = 64 << 20
_MOST_PACKED: Final = 50
"""Bytes that one packed byte may stand for where there are more than the bytes above; text packs to a quarter."""
_FEWER: Final = "a part of it will do (head -n 10000)"


class Bounded(io.RawIOBase):
    """A file of rows that ends in InputError where it has more bytes than its size lets expect."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        with _naming(path):
            self._source = os.fdopen(open_regular(path, links=True), "rb")
        self._unpacked = _unpacked(path, self._source)
        self._most = MAX_BYTES
        if self._unpacked is not self._source:
            self._most = most_unpacked(os.fstat(self._source.fileno()).st_size)
        self._left = self._most

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something left."""
        with _naming(self._path):
            block = self._unpacked.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise InputError(f"holds more than {self._most >> 20} MiB", where=self._path, remedy=_FEWER)
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        super().close()


def most_unpacked(size: int) -> int:
    """The bytes that a packed file of so many may unpack to."""
    return min(MAX_BYTES, max(_SMALL, _MOST_PACKED * size))


def opened(path: Path) -> io.BufferedReader:
    """Open a file of rows. Raises InputError, now or while it is read, and MissingToolError."""
    return io.BufferedReader(Bounded(path), 1 << 16)


def lines(file: IO[bytes] | io.TextIOWrapper, path: Path) -> Iterator[Any]:
    """Yield the lines of a file; raises InputError for one that is too long, and where there are too many."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise InputError(f"line {number} is longer than {MAX_LINE >> 20} MiB", where=path)
        if number > MAX_LINES:
            raise InputError(f"has more than {MAX_LINES:,} lines", where=path, remedy=_FEWER)
        yield line


def _unpacked(path: Path, source: IO[bytes]) -> IO[bytes]:
    suffix = path.suffix.lower()
    unpacked: Any = source
    if suffix == ".gz":
        unpacked = gzip.GzipFile(fileobj=source)
    elif suffix == ".zst":
        try:
            import zstandard
        except ImportError as error:
            raise MissingToolError(
                "a .zst file needs the zstandard package", where=path, remedy='pip install "edgekit[data]"'
            ) from error
        # A frame may ask for a window of gigabytes.
        unpacked = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
            source, read_across_frames=True
        )
    return unpacked  # type: ignore[no-any-return]


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"cannot be unpacked ({error})", where=path) from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=path) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise InputError(f"cannot be unpacked ({error})", where=path) from error
