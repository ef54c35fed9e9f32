"""The APK signing block: where the signatures lie, between the entries of the archive and its central directory.

    u64 size of what follows
    pairs: u64 length, u32 id, value
    u64 the same size
    16 bytes "APK Sig Block 42"

Nested in values, sequences are prefixed with their length (u32), and so is each element. Source: the document on APK
Signature Scheme v2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PAGE = 4096
"""The block begins and ends at multiples of this, as fs-verity wants it."""

V2, V3 = 0x7109871A, 0xF05368C0
PADDING = 0x42726577

MAGIC = b"APK Sig Block 42"
_FOOTER = 8 + len(MAGIC)


def sized(value: bytes) -> bytes:
    """A value prefixed with its length."""
    return struct.pack("<I", len(value)) + value


def sequence(elements: Iterable[bytes]) -> bytes:
    """Elements, each prefixed with its length; the sequence itself has no prefix."""
    return b"".join(sized(element) for element in elements)


def elements(sequence: bytes) -> Iterator[bytes]:
    """The elements of a sequence. Raises ValueError when lengths and bytes do not agree."""
    reader = Reader(sequence)
    while reader.left:
        yield reader.sized()


class Reader:
    """Takes values off the front of some bytes. Raises ValueError when there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > self.left:
            raise ValueError(f"{count} bytes are expected, {self.left} are left")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        """The next u32."""
        return int.from_bytes(self.take(4), "little")

    def sized(self) -> bytes:
        """The next value with a length before it."""
        return self.take(self.number())


@dataclass(frozen=True)
class Pair:
    """One value of a signing block. id: what it is, such as V2."""

    id: int
    value: bytes


def write_block(pairs: Sequence[Pair]) -> bytes:
    """A signing block, padded to whole pages."""
    body = b"".join(_pair_bytes(pair) for pair in pairs)
    bare = 8 + len(body) + _FOOTER
    if bare % PAGE:
        gap = -bare % PAGE
        if gap < 12:  # a pair has a length and an id
            gap += PAGE
        body += _pair_bytes(Pair(PADDING, bytes(gap - 12)))
    size = struct.pack("<Q", len(body) + _FOOTER)
    return size + body + size + MAGIC


def read_block(data: bytes) -> tuple[Pair, ...]:
    """Read the pairs of a signing block. Raises ValueError when it is damaged."""
    if len(data) < 8 + _FOOTER or data[-16:] != MAGIC:
        raise ValueError("there is no signing block")
    if not data[:8] == data[-24:-16] == struct.pack("<Q", len(data) - 8):
        raise ValueError("the signing block has another size than it says")
    reader = Reader(data[8:-_FOOTER])
    pairs = []
    while reader.left:
        length = int.from_bytes(reader.take(8), "little")
        if length < 4:
            raise ValueError("a value of the signing block has no id")
        identity = reader.number()
        pairs.append(Pair(identity, reader.take(length - 4)))
    return tuple(pairs)


def block_size(footer: bytes) -> int:
    """How long a signing block is, from the last 24 bytes before the central directory; 0 when there is none."""
    return int.from_bytes(footer[:8], "little") + 8 if footer[8:] == MAGIC else 0


def _pair_bytes(pair: Pair) -> bytes:
    return struct.pack("<QI", len(pair.value) + 4, pair.id) + pair.value
