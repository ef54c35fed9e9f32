"""ZIP archives as Android wants them: read strictly, written in order, aligned and without a clock.

An entry is a local header, its name, an extra field and its bytes. Android maps what is stored (not compressed)
straight from the APK, so bytes must begin at a multiple of a memory page for native libraries, of 4 for the rest. The
gap is an extra field of the id 0xd935: u16 alignment, then zeros (what zipalign and apksig write).

Nothing is compressed here: compressed entries of the base are copied as they are, new ones are stored. So the bytes do
not depend on a version of zlib. Sources: PKWARE's APPNOTE 4.3, apksig's ApkSigner.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import InputError
from edgekit.packaging.targets.apk.digest import HashingWriter
from edgekit.progress import Advance

PAGE = 16384
"""The largest memory page of Android devices."""

STORED, DEFLATED = 0, 8

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = 0x04034B50, 0x02014B50, 0x06054B50
_CRC_AT = 14  # in a local header
_ALIGNMENT_EXTRA = 0xD935
_UTF8_NAME, _ENCRYPTED, _SIZES_BEHIND = 1 << 11, 1, 1 << 3
_DATE, _TIME = 1 << 9 | 1 << 5 | 1, 0  # 1 January 1981: what has no time gets one that every tool takes
_LARGEST = (1 << 32) - (1 << 20)  # what 32 bits can address, and room for the signing block
_MOST_ENTRIES = 0xFFFF
_LONGEST_COMMENT = 0xFFFF


# ---------------------------------------- reading


@dataclass(frozen=True)
class Member:
    """An entry of an archive that exists. packed: bytes in the archive. offset: where its bytes begin."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int


@dataclass(frozen=True)
class End:
    """Where an archive ends. directory, directory_size: the central directory's place. offset: the end record's."""

    offset: int
    record: bytes
    entries: int
    directory: int
    directory_size: int


def find_end(file: BinaryIO, where: Path) -> End:
    """Find the end record of an archive. Raises InputError when there is none, or it is not at the file's end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
    start, tail = file.tell(), file.read()
    at = max(len(tail) - _END.size, -1)
    while (at := tail.rfind(b"PK\5\6", 0, at + 4)) >= 0:
        _, _, _, here, entries, directory_size, directory, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment == len(tail):
            if here != entries or directory + directory_size != start + at:
                raise InputError("this archive is damaged: its end record names another place", where=where)
            return End(start + at, tail[at:], entries, directory, directory_size)
        at -= 1
    raise InputError("this is no ZIP archive, or its end is missing", where=where)


def read_members(file: BinaryIO, where: Path) -> tuple[Member, ...]:
    """List the entries of an archive, in the order of its central directory.

    Raises InputError when it is damaged, or has what no APK of ours has: names twice, encryption, other compressions.
    """
    end = find_end(file, where)
    file.seek(end.directory)
    directory = file.read(end.directory_size)
    members, offset = [], 0
    try:
        for _ in range(end.entries):
            magic, _, _, flags, method, _, _, crc, packed, size, name_size, extra, comment, *_, local = (
                _CENTRAL.unpack_from(directory, offset)
            )
            offset += _CENTRAL.size
            name = directory[offset : offset + name_size].decode()
            offset += name_size + extra + comment
            if magic != _CENTRAL_MAGIC or offset > len(directory) or flags & (_ENCRYPTED | _SIZES_BEHIND):
                raise InputError(f"this archive is damaged at the entry “{name}”", where=where)
            if method not in (STORED, DEFLATED) or (method == STORED and packed != size):
                raise InputError(f"the entry “{name}” is compressed in an unknown way", where=where)
            start = _data_offset(file, local, name, method, where)
            if start + packed > end.directory:
                raise InputError(f"this archive is damaged: “{name}” reaches beyond its end", where=where)
            members.append(Member(name, method, crc, packed, size, start))
    except (struct.error, UnicodeDecodeError) as error:
        raise InputError(f"this archive is damaged: {error}", where=where) from error
    if offset != len(directory) or len({member.name for member in members}) != len(members):
        raise InputError("this archive is damaged: its directory does not say what is in it", where=where)
    return tuple(members)


def _data_offset(file: BinaryIO, local: int, name: str, method: int, where: Path) -> int:
    file.seek(local)
    header = file.read(_LOCAL.size)
    magic, _, _, local_method, _, _, _, _, _, name_size, extra = map(int, _LOCAL.unpack(header))
    if (magic, local_method, file.read(name_size)) != (_LOCAL_MAGIC, method, name.encode()):
        raise InputError(f"this archive is damaged: “{name}” is not where it should be", where=where)
    return local + _LOCAL.size + name_size + extra


def read_packed(file: BinaryIO, member: Member) -> bytes:
    """The bytes of an entry as they lie in the archive."""
    file.seek(member.offset)
    return file.read(member.packed)


def unpack(packed: bytes, member: Member, where: Path) -> bytes:
    """The content of an entry. Raises InputError when it is not what the directory says."""
    content: bytes | None = packed
    if member.method == DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflate.decompress(packed, member.size + 1)
        except zlib.error:
            content = None
    if content is None or len(content) != member.size or zlib.crc32(content) != member.crc:
        raise InputError(f"this archive is damaged: “{member.name}” has another checksum", where=where)
    return content


# ---------------------------------------- writing


@dataclass(frozen=True)
class Deflated:
    """A content that is already compressed. data: raw deflate. size, crc: of the content."""

    data: bytes
    size: int
    crc: int


@dataclass(frozen=True)
class Entry:
    """What becomes an entry. content: bytes or a file to be stored, or what is already compressed.

    alignment: its bytes begin at a multiple of this; without meaning for compressed ones.
    """

    name: str
    content: bytes | Path | Deflated
    alignment: int = 4


@dataclass(frozen=True)
class Placed:
    """An entry with its place. offset: of its local header. padding: the extra field. packed: bytes of its content."""

    entry: Entry
    offset: int
    padding: bytes
    packed: int

    @property
    def start(self) -> int:
        """Where its content begins."""
        return self.offset + _LOCAL.size + len(self.entry.name.encode()) + len(self.padding)


def lay_out(entries: Sequence[Entry]) -> tuple[Placed, ...]:
    """Say where each entry comes to lie. Raises InputError when the archive would pass 4 GB or 65,535 entries."""
    placed, offset, directory = [], 0, _END.size
    for entry in entries:
        name_size = len(entry.name.encode())
        start = offset + _LOCAL.size + name_size
        padding = b"" if isinstance(entry.content, Deflated) else _padding(start, entry.alignment)
        packed = packed_size(entry)
        placed.append(Placed(entry, offset, padding, packed))
        offset = start + len(padding) + packed
        directory += _CENTRAL.size + name_size
    if offset + directory > _LARGEST or len(placed) > _MOST_ENTRIES:
        raise InputError(
            f"the app would have {offset:,} bytes in {len(placed):,} files; an APK can have 4 GB and 65,535 files",
            remedy="convert with a recipe of fewer bits, or deliver the bundle apart from the app",
        )
    return tuple(placed)


def total_size(placed: Sequence[Placed]) -> int:
    """How many bytes the entries take, without the central directory."""
    return placed[-1].start + placed[-1].packed if placed else 0


def write_entries(placed: Sequence[Placed], out: HashingWriter, advance: Advance) -> bytes:
    """Write entries, which must have been laid out from where the writer stands; gives the central directory.

    advance: called with the number of bytes that have been written of a content. A file's checksum is known only when
    all of it has been read, so its header is corrected afterwards; nothing is read twice.
    Raises InputError when a file is no longer as long as it was.
    """
    directory = bytearray()
    for each in placed:
        content, name = each.entry.content, each.entry.name.encode()
        flags = 0 if each.entry.name.isascii() else _UTF8_NAME
        method, size, crc = STORED, each.packed, 0
        if isinstance(content, Deflated):
            method, size, crc = DEFLATED, content.size, content.crc
        elif isinstance(content, bytes):
            crc = zlib.crc32(content)
        version = 20 if method == DEFLATED else 10
        common = (version, flags, method, _TIME, _DATE)
        out.write(_LOCAL.pack(_LOCAL_MAGIC, *common, crc, each.packed, size, len(name), len(each.padding)))
        out.write(name + each.padding)
        if isinstance(content, Path):
            crc = _copy(content, each.packed, out, advance)
            out.patch(each.offset + _CRC_AT, struct.pack("<I", crc))
        else:
            data = content.data if isinstance(content, Deflated) else content
            out.write(data)
            advance(len(data))
        directory += _CENTRAL.pack(
            *(_CENTRAL_MAGIC, version, *common, crc, each.packed, size, len(name)),
            *(0, 0, 0, 0, 0, each.offset),
        )
        directory += name
    return bytes(directory)


def end_record(entries: int, directory: bytes, offset: int) -> bytes:
    """The end record of an archive. offset: of the central directory."""
    return _END.pack(_END_MAGIC, 0, 0, entries, entries, len(directory), offset, 0)


def with_directory_at(record: bytes, offset: int) -> bytes:
    """An end record with another offset of the central directory."""
    return record[:16] + struct.pack("<I", offset) + record[20:]


def packed_size(entry: Entry) -> int:
    """How many bytes the content of an entry takes in the archive. Raises InputError when it is a file that cannot be
    read."""
    if isinstance(entry.content, Path):
        with _telling_unreadable(entry.content):
            return entry.content.stat().st_size
    return len(entry.content.data if isinstance(entry.content, Deflated) else entry.content)


@contextlib.contextmanager
def _telling_unreadable(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"this file cannot be read: {error.strerror}", where=source) from error


def _padding(start: int, alignment: int) -> bytes:
    """The extra field that makes what follows begin at a multiple of the alignment; as apksig has it, also where what
    follows would begin there anyway, so that the alignment can be read from it."""
    if alignment <= 1:
        return b""
    zeros = -(start + 6) % alignment
    return struct.pack("<HHH", _ALIGNMENT_EXTRA, 2 + zeros, alignment) + bytes(zeros)


def _copy(source: Path, size: int, out: HashingWriter, advance: Advance) -> int:
    """Copy a file; gives its CRC-32."""
    crc, left = 0, size
    with _telling_unreadable(source):
        file = source.open("rb", buffering=0)
    with file:
        while left:
            room = out.room()[:left]
            with _telling_unreadable(source):
                count = file.readinto(room)
            if not count:
                break
            crc = zlib.crc32(room[:count], crc)
            out.advance(count)
            advance(count)
            left -= count
        if left or file.read(1):
            raise InputError(
                "this file changed while it was read", where=source, remedy="repeat when it is whole"
            )
    return crc
