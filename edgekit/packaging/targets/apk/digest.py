"""The digest that APK signatures protect: over chunks of 1 MiB, so that it can be computed on all cores.

An APK is three sections for it: what lies before the signing block, the central directory, and its end record (with
the signing block's offset in the place of the directory's). Each is cut into chunks of 1 MiB;

    chunk  = hash(0xa5 ‖ u32 length ‖ bytes)
    digest = hash(0x5a ‖ u32 number of chunks ‖ chunks of all sections in order)

Source: APK Signature Scheme v2, "Integrity-protected contents", which v3 shares.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from types import TracebackType
from typing import BinaryIO

CHUNK = 1 << 20
_IN_FLIGHT = 16


def hash_chunk(chunk: bytes | bytearray | memoryview, algorithm: str) -> bytes:
    """The digest of one chunk of at most 1 MiB. algorithm: "sha256" or "sha512"."""
    digest = hashlib.new(algorithm, b"\xa5" + struct.pack("<I", len(chunk)))
    digest.update(chunk)
    return digest.digest()


def hash_chunks(section: bytes, algorithm: str) -> list[bytes]:
    """The digests of the chunks of a section that is in memory."""
    return [hash_chunk(section[start : start + CHUNK], algorithm) for start in range(0, len(section), CHUNK)]


def combine(chunks: Iterable[bytes], algorithm: str) -> bytes:
    """The digest over the chunks of all sections."""
    digests = list(chunks)
    return hashlib.new(algorithm, b"\x5a" + struct.pack("<I", len(digests)) + b"".join(digests)).digest()


class Hashers:
    """Threads that hash chunks; hashlib lets go of the interpreter meanwhile. A context manager.

    At most 16 chunks wait at a time, so a file of any size passes through 16 MiB of memory.
    """

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1), thread_name_prefix="hash")
        self._waiting: deque[Future[None]] = deque()
        self.chunks: list[bytes] = []

    def __enter__(self) -> Hashers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, chunk: bytes | memoryview, done: Callable[[], None] = lambda: None) -> None:
        """Hash the next chunk, which must not change until `done` is called, on another thread."""
        place = len(self.chunks)
        self.chunks.append(b"")
        self._waiting.append(self._pool.submit(self._hash, place, chunk, done))
        if len(self._waiting) > _IN_FLIGHT:
            self._waiting.popleft().result()

    def finish(self) -> list[bytes]:
        """Wait for all; gives the digests of the chunks in order."""
        while self._waiting:
            self._waiting.popleft().result()
        return self.chunks

    def _hash(self, place: int, chunk: bytes | memoryview, done: Callable[[], None]) -> None:
        self.chunks[place] = hash_chunk(chunk, self.algorithm)
        done()


def hash_file(file: BinaryIO, size: int, algorithm: str) -> list[bytes]:
    """The digests of the chunks of a file's first `size` bytes."""
    with Hashers(algorithm) as hashers:
        file.seek(0)
        for start in range(0, size, CHUNK):
            hashers.submit(file.read(min(CHUNK, size - start)))
        return hashers.finish()


class HashingWriter:
    """Writes a file from its beginning, and has it hashed on the way.

    What was written can be corrected with `patch`; the chunks that this touches are hashed anew at the end.
    """

    def __init__(self, file: FileIO, hashers: Hashers) -> None:
        self._file = file
        self._hashers = hashers
        self._chunk = bytearray(CHUNK)
        self._spare: list[
            bytearray
        ] = []  # hashed and written: filling them again is faster than making new ones
        self._filled = 0
        self._written = 0
        self._corrected: set[int] = set()

    def tell(self) -> int:
        """How many bytes have been written."""
        return self._written + self._filled

    def write(self, data: bytes) -> None:
        """Append some bytes."""
        view = memoryview(data)
        while view:
            room = self.room()[: len(view)]
            room[:] = view[: len(room)]
            self.advance(len(room))
            view = view[len(room) :]

    def room(self) -> memoryview:
        """Where the next bytes go, for a source that can fill it itself; followed by `advance`."""
        return memoryview(self._chunk)[self._filled :]

    def advance(self, count: int) -> None:
        """Say that the first `count` bytes of `room` have been filled."""
        self._filled += count
        if self._filled == CHUNK:
            self._flush()

    def patch(self, offset: int, data: bytes) -> None:
        """Put other bytes in the place of some that have been written."""
        in_file = data[: max(0, self._written - offset)]
        if in_file:
            os.pwrite(self._file.fileno(), in_file, offset)
            self._corrected.update(range(offset // CHUNK, (offset + len(in_file) - 1) // CHUNK + 1))
        if len(in_file) < len(data):
            start = max(0, offset - self._written)
            self._chunk[start : start + len(data) - len(in_file)] = data[len(in_file) :]

    def finish(self) -> list[bytes]:
        """Write what is left; gives the digests of the chunks of all that was written."""
        if self._filled:
            self._flush()
        chunks = self._hashers.finish()
        for number in self._corrected:
            whole = os.pread(self._file.fileno(), min(CHUNK, self._written - number * CHUNK), number * CHUNK)
            chunks[number] = hash_chunk(whole, self._hashers.algorithm)
        return chunks

    def _flush(self) -> None:
        buffer = self._chunk
        left = memoryview(buffer)[: self._filled]
        self._hashers.submit(left, lambda: self._spare.append(buffer))
        while left:
            left = left[self._file.write(left) :]
        self._written += self._filled
        self._chunk = self._spare.pop() if self._spare else bytearray(CHUNK)
        self._filled = 0
