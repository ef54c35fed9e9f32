"""Writing a .litertlm container; its format is told in `edgekit.bundle.container`.

Unlike the stock builder, which adds a random id and the time, the writer here is a pure function of its
input, and it writes the file from front to back without seeking, so that the digest is known the moment the
last byte is out.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from edgekit.bundle.container import (
    ALIGNMENT,
    HEADER_BEGIN,
    MAGIC,
    VERSION,
    MetadataValue,
    SectionInfo,
    SectionKind,
)
from edgekit.progress import Advance

_SLICE_BYTES: Final = 1024 * 1024
_HASH_QUEUE: Final = 8


@dataclass(frozen=True)
class Section:
    """A section to write.

    size: bytes, known beforehand so that the header can be written first.
    chunks: the content in order, together exactly `size` bytes. A chunk must not change after it was handed
        over: it is hashed while the next one is made.
    """

    kind: SectionKind
    size: int
    chunks: Iterable[bytes | bytearray | memoryview]
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What was written: size in bytes, SHA-256 (hexadecimal) of the file, and where the sections lie."""

    size: int
    sha256: str
    sections: tuple[SectionInfo, ...]


def write_container(
    file: BinaryIO,
    sections: Sequence[Section],
    system_metadata: Mapping[str, MetadataValue] | None = None,
    *,
    advance: Advance | None = None,
) -> Written:
    """Write a container from front to back, in bounded memory.

    file: opened for binary writing; need not be seekable; neither flushed nor closed here.
    advance: told of the bytes written.
    Raises ValueError when a section's chunks do not add up to its size, OSError (for example a full disk) as
    it comes.
    """
    header, placed = _layout(sections, system_metadata or {})
    with ThreadPoolExecutor(1, thread_name_prefix="sha256") as pool:
        out = _HashedOutput(file, pool, advance)
        out.write(header)
        for section, info in zip(sections, placed, strict=True):
            out.pad_to(info.begin)
            for chunk in section.chunks:
                out.write(chunk)
                if out.position > info.end:
                    break
            if out.position != info.end:
                came = out.position - info.begin
                raise ValueError(f"section {info.name}: {info.size} bytes announced, {came} or more came")
        return Written(out.position, out.hexdigest(), placed)


def container_size(
    sections: Sequence[Section], system_metadata: Mapping[str, MetadataValue] | None = None
) -> int:
    """Return the bytes that `write_container` would write, without touching any chunk."""
    header, placed = _layout(sections, system_metadata or {})
    return placed[-1].end if placed else len(header)


def pack_hf_tokenizer(tokenizer_json: bytes) -> bytes:
    """Return the content of an HF_TOKENIZER section: the plain size as u64, then the JSON under zlib."""
    return len(tokenizer_json).to_bytes(8, "little") + zlib.compress(tokenizer_json)


class _HashedOutput:
    """Writes to a file and hashes what it writes in a second thread.

    SHA-256 and writing both release Python's lock, so on two cores hashing is free as long as it is faster
    than what produces the chunks.
    """

    def __init__(self, file: BinaryIO, pool: ThreadPoolExecutor, advance: Advance | None) -> None:
        self.position = 0
        self._file = file
        self._pool = pool
        self._advance = advance
        self._digest = hashlib.sha256()
        self._pending: deque[Future[None]] = deque()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        view = memoryview(chunk)
        if view.nbytes == 0:
            return
        view = view.cast("B")
        for start in range(0, len(view), _SLICE_BYTES):
            piece = view[start : start + _SLICE_BYTES]
            self._pending.append(self._pool.submit(self._digest.update, piece))
            left = piece
            while left:  # an unbuffered file may take less than it is given
                left = left[self._file.write(left) :]
            self.position += len(piece)
            if self._advance is not None:
                self._advance(len(piece))
            while len(self._pending) > _HASH_QUEUE:
                self._pending.popleft().result()

    def pad_to(self, position: int) -> None:
        self.write(bytes(position - self.position))

    def hexdigest(self) -> str:
        while self._pending:
            self._pending.popleft().result()
        return self._digest.hexdigest()


def _layout(
    sections: Sequence[Section], system_metadata: Mapping[str, MetadataValue]
) -> tuple[bytes, tuple[SectionInfo, ...]]:
    """Return the file's head (magic, version, header) and where each section goes."""
    # Offsets have a fixed width, so a first packing with placeholders tells how long the header will be.
    placeholders = [SectionInfo(s.kind, int(s.kind), 1, 1, dict(s.metadata)) for s in sections]
    position = HEADER_BEGIN + len(_pack_header(placeholders, system_metadata))
    placed: list[SectionInfo] = []
    for section in sections:
        begin = -(-position // ALIGNMENT) * ALIGNMENT
        position = begin + section.size
        placed.append(SectionInfo(section.kind, int(section.kind), begin, position, dict(section.metadata)))
    packed = _pack_header(placed, system_metadata)
    head = MAGIC + struct.pack("<III4xQ", *VERSION, HEADER_BEGIN + len(packed)) + packed
    return head, tuple(placed)


def _pack_header(sections: Sequence[SectionInfo], system_metadata: Mapping[str, MetadataValue]) -> bytes:
    import flatbuffers
    from litert_lm_builder import litertlm_header_schema_py_generated as schema

    def entries(metadata: Mapping[str, MetadataValue]) -> list[object]:
        packed = []
        for key, value in metadata.items():
            if isinstance(value, str):
                kind, boxed = schema.VData.StringValue, schema.StringValueT(value)
            elif isinstance(value, bool):  # before int: True is an int to Python
                kind, boxed = schema.VData.Bool, schema.BoolT(value)
            elif isinstance(value, int):
                large = value >= 1 << 63
                kind = schema.VData.UInt64 if large else schema.VData.Int64
                boxed = schema.UInt64T(value) if large else schema.Int64T(value)
            else:
                kind, boxed = schema.VData.Double, schema.DoubleT(value)
            packed.append(schema.KeyValuePairT(key=key, valueType=kind, value=boxed))
        return packed

    objects = [
        schema.SectionObjectT(
            items=entries(s.metadata), beginOffset=s.begin, endOffset=s.end, dataType=int(s.kind)
        )
        for s in sections
    ]
    root = schema.LiteRTLMMetaDataT(
        systemMetadata=schema.SystemMetadataT(entries=entries(system_metadata)),
        sectionMetadata=schema.SectionMetadataT(objects=objects),
    )
    builder = flatbuffers.Builder(ALIGNMENT)
    builder.Finish(root.Pack(builder))
    return bytes(builder.Output())
