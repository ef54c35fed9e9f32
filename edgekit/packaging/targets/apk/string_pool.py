"""The string pool of Android's binary files: every text of a file once; the rest names texts by their index."""

from __future__ import annotations

import struct
from pathlib import Path

from edgekit.errors import InputError

STRING_POOL = 0x0001
"""The type of its chunk."""

_UTF8_FLAG = 0x100
_POOL = struct.Struct("<HHIIIIII")


def read_string_pool(chunk: bytes, where: str | Path) -> tuple[list[str], bool]:
    """Read the texts of a string pool chunk; also tells whether they are UTF-8.

    A text of a UTF-8 pool is preceded by its length in UTF-16 units and its length in bytes, one of a UTF-16 pool by
    its length in units; lengths above 127 (above 32767) take two bytes (units), the first with its highest bit set.
    UTF-8 is Java's modified form: a character beyond U+FFFF is two surrogates of three bytes each.
    """
    _, header, size, count, styles, flags, start, _ = _POOL.unpack_from(chunk)
    if styles or header != _POOL.size or start > size:
        raise InputError("its texts are styled or damaged, no manifest's are", where=where)
    if count > (len(chunk) - header) // 4:
        raise InputError(f"it says that it has {count} texts, more than fit into it", where=where)
    utf8 = bool(flags & _UTF8_FLAG)
    read = _utf8_text if utf8 else _utf16_text
    offsets = struct.unpack_from(f"<{count}I", chunk, header)
    return [read(chunk, start + offset) for offset in offsets], utf8


def _utf8_text(chunk: bytes, offset: int) -> str:
    for _ in range(2):  # the length in units, which is not needed, then the length in bytes
        length = chunk[offset]
        offset += 1
        if length & 0x80:
            length = (length & 0x7F) << 8 | chunk[offset]
            offset += 1
    if chunk[offset + length] != 0:
        raise IndexError("a text has no end")
    units = chunk[offset : offset + length].decode("utf-8", "surrogatepass")
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _utf16_text(chunk: bytes, offset: int) -> str:
    (length,) = struct.unpack_from("<H", chunk, offset)
    offset += 2
    if length & 0x8000:
        length = (length & 0x7FFF) << 16 | struct.unpack_from("<H", chunk, offset)[0]
        offset += 2
    if struct.unpack_from("<H", chunk, offset + 2 * length)[0] != 0:
        raise IndexError("a text has no end")
    return chunk[offset : offset + 2 * length].decode("utf-16-le")


def string_pool_bytes(texts: list[str], *, utf8: bool) -> bytes:
    """Write a string pool chunk. Raises InputError for a text that is too long for one."""
    write = _utf8_bytes if utf8 else _utf16_bytes
    offsets, body = [], bytearray()
    for text in texts:
        offsets.append(len(body))
        body += write(text)
    body += bytes(-len(body) % 4)
    start = _POOL.size + 4 * len(texts)
    flags = _UTF8_FLAG if utf8 else 0
    header = _POOL.pack(
        STRING_POOL, _POOL.size, start + len(body), len(texts), 0, flags, start if texts else 0, 0
    )
    return header + struct.pack(f"<{len(offsets)}I", *offsets) + bytes(body)


def _utf8_bytes(text: str) -> bytes:
    units = text.encode("utf-16-le")
    surrogates = "".join(chr(unit) for (unit,) in struct.iter_unpack("<H", units))
    encoded = surrogates.encode("utf-8", "surrogatepass")
    if len(encoded) > 0x7FFF:
        raise InputError(f"a text of {len(encoded)} bytes is too long for binary XML", where=text[:40])
    return _utf8_length(len(units) // 2) + _utf8_length(len(encoded)) + encoded + b"\0"


def _utf8_length(length: int) -> bytes:
    return bytes([length]) if length < 0x80 else bytes([0x80 | length >> 8, length & 0xFF])


def _utf16_bytes(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    length = len(encoded) // 2
    prefix = (
        struct.pack("<H", length)
        if length < 0x8000
        else struct.pack("<HH", 0x8000 | length >> 16, length & 0xFFFF)
    )
    return prefix + encoded + b"\0\0"
