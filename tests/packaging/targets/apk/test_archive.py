"""Archives: read as Python's zipfile reads them, aligned, in order; damage is told."""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.packaging.targets.apk.archive import (
    PAGE,
    Deflated,
    Entry,
    end_record,
    lay_out,
    read_members,
    read_packed,
    total_size,
    unpack,
    write_entries,
)
from edgekit.packaging.targets.apk.digest import CHUNK, Hashers, HashingWriter, hash_chunk
from tests.packaging.damage import damaged


def write(entries: list[Entry], path: Path) -> list[bytes]:
    """Write an archive; gives the digests of the chunks before its directory."""
    placed = lay_out(entries)
    with path.open("w+b", buffering=0) as file, Hashers("sha256") as hashers:
        out = HashingWriter(file, hashers)
        directory = write_entries(placed, out, lambda amount: None)
        assert out.tell() == total_size(placed)
        chunks = out.finish()
        file.write(directory + end_record(len(placed), directory, out.tell()))
    return chunks


def deflated(content: bytes) -> Deflated:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Deflated(packer.compress(content) + packer.flush(), len(content), zlib.crc32(content))


SIZES = st.sampled_from((0, 1, 5, 4095, CHUNK - 60, CHUNK, CHUNK + 1)) | st.integers(0, 2 * CHUNK)
KINDS = st.sampled_from(("bytes", "file", "deflated"))
NAMES = st.sampled_from(("lib/x{}.so", "a/{}", "ø/{}.設定"))
WANTED = st.lists(st.tuples(SIZES, KINDS, NAMES, st.sampled_from((1, 4, PAGE))), min_size=1, max_size=6)
"""Of each entry: its size, around that of a signature's chunk too, its kind, its name, its alignment."""


@given(wanted=WANTED, seed=st.integers(0, 1 << 32))
def test_what_is_written_is_read_by_python_s_zipfile_and_what_is_stored_is_aligned(
    wanted: list[tuple[int, str, str, int]], seed: int
) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        entries, contents = [], {}
        for number, (size, kind, pattern, alignment) in enumerate(wanted):
            name, content = pattern.format(number), chance.randbytes(size)
            file = Path(folder, str(number))
            file.write_bytes(content)
            held = {"bytes": content, "file": file, "deflated": deflated(content)}[kind]
            entries.append(Entry(name, held, alignment))
            contents[name] = content
        path = Path(folder, "x.zip")
        chunks = write(entries, path)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert {name: archive.read(name) for name in archive.namelist()} == contents
            assert {info.date_time for info in archive.infolist()} == {(1981, 1, 1, 0, 0, 0)}
            body = path.read_bytes()[: archive.start_dir]
        assert chunks == [hash_chunk(body[at : at + CHUNK], "sha256") for at in range(0, len(body), CHUNK)]
        with path.open("rb") as file_:
            for member, entry in zip(read_members(file_, path), entries, strict=True):
                assert member.name == entry.name
                if not isinstance(entry.content, Deflated):
                    assert member.offset % entry.alignment == 0
                    assert body[member.offset : member.offset + member.size] == contents[member.name]


def test_our_reader_reads_what_zipfile_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stored", b"s" * 100)
        archive.writestr("packed", b"p" * 1000, zipfile.ZIP_DEFLATED)
        archive.comment = b"PK\5\6 a comment that looks like an end"
    with path.open("rb") as file:
        members = read_members(file, path)
        contents = {m.name: unpack(read_packed(file, m), m, path) for m in members}
    assert contents == {"stored": b"s" * 100, "packed": b"p" * 1000}


STORED, PACKED = b"abc" * 30, b"p" * 1000


def small_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("stored", STORED)
        archive.writestr("packed", PACKED, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@given(damaged(small_archive()))
def test_damage_is_an_error_that_names_the_file_or_does_not_matter(archive: bytes) -> None:
    path = Path("x.zip")
    file = io.BytesIO(archive)
    with contextlib.suppress(InputError):
        try:
            members = read_members(file, path)
            read = {unpack(read_packed(file, member), member, path) for member in members}
        except InputError as error:
            assert error.where == str(path)
            raise
        assert read <= {STORED, PACKED}


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "model"
    source.write_bytes(bytes(1000))
    for change in (bytes(999), bytes(1001)):
        placed = lay_out([Entry("model", source)])
        source.write_bytes(change)
        with (tmp_path / "x").open("w+b", buffering=0) as file, Hashers("sha256") as hashers:
            out = HashingWriter(file, hashers)
            with pytest.raises(InputError, match="changed while it was read"):
                write_entries(placed, out, lambda amount: None)
        source.write_bytes(bytes(1000))


def test_more_than_four_gigabytes_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 32)  # sparse
    with pytest.raises(InputError, match=r"4,294,967,3\d\d bytes in 1 files; an APK can have 4 GB"):
        lay_out([Entry("model", huge)])


@given(
    blocks=st.lists(st.sampled_from((1, 1000, CHUNK - 1, CHUNK, CHUNK // 2)), min_size=1, max_size=8),
    sizes=st.lists(st.sampled_from((1, 4, 700)), min_size=8, max_size=8),
    seed=st.integers(0, 1 << 32),
)
def test_corrections_are_hashed_wherever_they_fall(blocks: list[int], sizes: list[int], seed: int) -> None:
    chance = random.Random(seed)
    expected = bytearray()
    with tempfile.TemporaryFile(buffering=0) as file, Hashers("sha512") as hashers:
        out = HashingWriter(file, hashers)
        for length, wanted in zip(blocks, sizes, strict=False):
            block = chance.randbytes(length)
            out.write(block)
            expected += block
            size = min(wanted, len(expected))
            at = chance.choice((0, len(expected) - size, chance.randrange(len(expected) - size + 1)))
            correction = chance.randbytes(size)
            out.patch(at, correction)
            expected[at : at + size] = correction
        chunks = out.finish()
        file.seek(0)
        assert file.read() == expected
    assert chunks == [
        hash_chunk(expected[at : at + CHUNK], "sha512") for at in range(0, len(expected), CHUNK)
    ]
