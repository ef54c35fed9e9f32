"""The .litertlm container: its format, and reading it.

A .litertlm file is, little-endian (source: litert-lm-builder 0.18.1, `litertlm_core` and the header schema):

    0    8 bytes  "LITERTLM"
    8    3 x u32  version: major, minor, patch
    24   u64      where the header's flatbuffer ends
    32   …        the header: a flatbuffer `LiteRTLMMetaData` (system metadata; of each section its
                  kind, begin, end and metadata)
    then          the sections, each beginning at a multiple of 16 KiB, the gaps filled with zeros

Written by `edgekit.bundle.writing`.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final

from edgekit.bundle.flat import Flat, FlatError, Table
from edgekit.errors import BundleError
from edgekit.files.within import open_regular

MAGIC: Final = b"LITERTLM"
VERSION: Final = (1, 7, 0)
"""The container version written: that of litert-lm-builder 0.18.1."""

ALIGNMENT: Final = 16 * 1024
"""Sections begin at multiples of this many bytes, so that they can be mapped on any page size."""

HEADER_BEGIN: Final = 32
_HEADER_END_AT: Final = 24
_MAX_HEADER_BYTES: Final = 4 * 1024 * 1024
_MAX_TOKENIZER_BYTES: Final = 64 << 20  # of 262,144 pieces: 33 MB
_SMALL_TOKENIZER_BYTES: Final = 4 << 20
_MOST_PACKED: Final = 50
"""Bytes that one packed byte may stand for in a tokenizer of more than the bytes above. Vocabularies pack to a quarter,
rows that were filled up to a tenth; zlib alone ends at 1,032."""
_AGAIN: Final = "copy or convert the file again"

MetadataValue = str | bool | int | float
"""What a metadata entry holds; written as String, Bool, Int64 (UInt64 above 2**63 - 1) and Double."""


class SectionKind(IntEnum):
    """What a section holds: the schema's `AnySectionDataType`, and UNKNOWN for what later versions add."""

    UNKNOWN = -1
    NONE = 0
    GENERIC_BINARY = 1
    DEPRECATED = 2
    TFLITE_MODEL = 3
    SP_TOKENIZER = 4
    LLM_METADATA = 5
    HF_TOKENIZER = 6
    TFLITE_WEIGHTS = 7
    EMBEDDING_METADATA = 8
    EXECUTOR_METADATA = 9
    TTS_METADATA = 10
    ASR_METADATA = 11


SCHEMA_NAMES: Final[Mapping[SectionKind, str]] = {
    SectionKind.UNKNOWN: "Unknown",
    SectionKind.NONE: "NONE",
    SectionKind.GENERIC_BINARY: "GenericBinaryData",
    SectionKind.DEPRECATED: "Deprecated",
    SectionKind.TFLITE_MODEL: "TFLiteModel",
    SectionKind.SP_TOKENIZER: "SP_Tokenizer",
    SectionKind.LLM_METADATA: "LlmMetadataProto",
    SectionKind.HF_TOKENIZER: "HF_Tokenizer_Zlib",
    SectionKind.TFLITE_WEIGHTS: "TFLiteWeights",
    SectionKind.EMBEDDING_METADATA: "EmbeddingMetadataProto",
    SectionKind.EXECUTOR_METADATA: "ExecutorMetadataProto",
    SectionKind.TTS_METADATA: "TtsMetadataProto",
    SectionKind.ASR_METADATA: "AsrMetadataProto",
}
"""The names that the schema, and the engine's messages, use."""

PREFILL_DECODE: Final[Mapping[str, MetadataValue]] = {"model_type": "tf_lite_prefill_decode"}
"""The metadata by which the engine finds the language model among the TFLite sections."""


@dataclass(frozen=True)
class SectionInfo:
    """Where a section lies in a file.

    code: the kind's number in the file (tells which one when `kind` is UNKNOWN).
    begin, end: byte offsets in the file; end is exclusive.
    """

    kind: SectionKind
    code: int
    begin: int
    end: int
    metadata: Mapping[str, MetadataValue]

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.end - self.begin

    @property
    def name(self) -> str:
        """The schema's name of the kind."""
        return SCHEMA_NAMES[self.kind] if self.kind is not SectionKind.UNKNOWN else f"Unknown({self.code})"


@dataclass(frozen=True)
class Container:
    """An opened .litertlm file; its bytes stay in a memory map and are read when touched.

    header_end: byte offset of the first byte behind the header.
    """

    path: Path
    size: int
    version: tuple[int, int, int]
    system_metadata: Mapping[str, MetadataValue]
    sections: tuple[SectionInfo, ...]
    header_end: int
    data: memoryview = field(repr=False, compare=False)


# ---------------------------------------- reading


def read_container(path: str | Path) -> Container:
    """Open a .litertlm file and check everything that its header says.

    Only the header is read; section contents are checked by who reads them. Raises BundleError for a file
    that cannot be opened or is no sound container: not even a header whose content is random can crash, hang
    or allocate more than a few megabytes.
    """
    path = Path(path)
    return parse_container(path, map_file(path))


def parse_container(path: Path, data: memoryview) -> Container:
    """Like `read_container`, of a file that is already in memory."""
    try:
        return _parse(path, data)
    except FlatError as error:
        raise BundleError(f"the header is damaged: {error}", where=path, remedy=_AGAIN) from None


def section_bytes(container: Container, section: SectionInfo) -> memoryview:
    """Return a section's content as a view into the memory map."""
    return container.data[section.begin : section.end]


def unpack_hf_tokenizer(data: memoryview) -> bytes:
    """Return the tokenizer.json inside an HF_TOKENIZER section.

    Raises FlatError when it is damaged, larger than it announces, or announces more than a tokenizer of its packed size
    holds (at most 64 MiB): never more than the announced size is unpacked.
    """
    if len(data) < 8:
        raise FlatError("it is shorter than its size field")
    size = int.from_bytes(data[:8], "little")
    if size > min(_MAX_TOKENIZER_BYTES, max(_SMALL_TOKENIZER_BYTES, _MOST_PACKED * len(data))):
        raise FlatError(f"it announces {size} bytes")
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data[8:], size + 1)
    except zlib.error as error:
        raise FlatError(f"it cannot be unpacked ({error})") from None
    if len(text) != size or not unpacker.eof:
        raise FlatError(f"it announces {size} bytes and holds {'fewer' if len(text) < size else 'more'}")
    return text


@contextlib.contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Turn what is wrong inside a section into an error that names it."""
    try:
        yield
    except FlatError as error:
        raise BundleError(
            f"{what} is damaged: {error}", where=path, remedy="copy or convert the file again"
        ) from None


def map_file(path: Path) -> memoryview:
    """Map a regular file into memory, read only.

    Raises BundleError when it cannot be read, is none, or is too short for anything that a bundle holds.
    """
    try:
        with os.fdopen(open_regular(path, links=True), "rb") as file:
            size = file.seek(0, 2)
            if size < HEADER_BEGIN:
                raise BundleError(
                    f"not a .litertlm file: only {size} bytes long",
                    where=path,
                    remedy=_AGAIN,
                )
            return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise BundleError("not a file", where=path, remedy="name a .litertlm file") from error
        raise BundleError(f"cannot be read: {error.strerror}", where=path) from error


def _parse(path: Path, data: memoryview) -> Container:
    if bytes(data[:8]) != MAGIC:
        raise BundleError("not a .litertlm file: it does not begin with LITERTLM", where=path)
    version: tuple[int, int, int] = struct.unpack_from("<III", data, 8)
    if version[0] != VERSION[0]:
        raise BundleError(
            f"container version {'.'.join(map(str, version))} is not known here (only {VERSION[0]}.x)",
            where=path,
            remedy="upgrade edgekit, or make the file again",
        )
    header_end = int.from_bytes(data[_HEADER_END_AT:HEADER_BEGIN], "little")
    if not HEADER_BEGIN < header_end <= len(data):
        raise FlatError(f"it claims to end at byte {header_end} of {len(data)}")
    if header_end > _MAX_HEADER_BYTES:
        raise FlatError(f"it claims to be {header_end} bytes long")
    root = Flat(data[HEADER_BEGIN:header_end]).root()
    system = root.table(0, "the system metadata")
    listed = root.table(1, "the section list")
    sections = () if listed is None else tuple(_section(t) for t in listed.tables(0, "the section list"))
    _check_places(sections, header_end, len(data))
    metadata = {} if system is None else _entries(system, "the system metadata")
    return Container(path, len(data), version, metadata, sections, header_end, data)


def _section(table: Table) -> SectionInfo:
    code = table.code(3)
    known = code in SectionKind._value2member_map_
    return SectionInfo(
        SectionKind(code) if known else SectionKind.UNKNOWN,
        code,
        table.integer(1, _U64),
        table.integer(2, _U64),
        _entries(table, f"the metadata of {table.what}"),
    )


def _check_places(sections: tuple[SectionInfo, ...], header_end: int, file_size: int) -> None:
    """Check that sections lie behind the header, inside the file and apart from each other."""
    before, before_index = header_end, -1
    for index, section in sorted(enumerate(sections), key=lambda pair: (pair[1].begin, pair[1].end)):
        name = f"section {index} ({section.name})"
        if section.begin > section.end:
            raise FlatError(f"{name} begins at {section.begin} and ends before, at {section.end}")
        if section.end > file_size:
            raise FlatError(f"{name} reaches to byte {section.end} of {file_size}: cut off or damaged")
        if section.begin < before:
            other = "the header" if before_index < 0 else f"section {before_index}"
            raise FlatError(f"{name} begins at {section.begin}, inside {other}")
        before, before_index = section.end, index


_U64 = struct.Struct("<Q")
_STRING_VALUE = 9
_NUMBER_VALUES: Final[Mapping[int, struct.Struct]] = {
    1: struct.Struct("<B"),
    2: struct.Struct("<b"),
    3: struct.Struct("<H"),
    4: struct.Struct("<h"),
    5: struct.Struct("<I"),
    6: struct.Struct("<i"),
    7: struct.Struct("<f"),
    8: struct.Struct("<?"),
    10: _U64,
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
"""The schema's union `VData`: each member but the string is a table with one number."""


def _entries(table: Table, what: str) -> dict[str, MetadataValue]:
    """Read the KeyValuePairs of field 0 (where both SystemMetadata and SectionObject keep theirs)."""
    entries: dict[str, MetadataValue] = {}
    for pair in table.tables(0, what):
        key = pair.text(0, f"a key of {what}")
        if key is None:
            raise FlatError(f"{pair.what} has no key")
        kind = pair.code(1)
        value = pair.table(2, f"the value of {key!r} in {what}")
        if value is None:
            raise FlatError(f"{key!r} in {what} has no value")
        if kind == _STRING_VALUE:
            entries[key] = value.text(0, value.what) or ""
        elif kind in _NUMBER_VALUES:
            form = _NUMBER_VALUES[kind]
            default: float = False if kind == 8 else 0.0 if kind in (7, 12) else 0
            entries[key] = value.number(0, form, default)
        else:
            raise FlatError(f"{key!r} in {what} has a value of unknown type {kind}")
    return entries
