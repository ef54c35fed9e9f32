"""Archives: read as Python's zipfile reads them, aligned, in order; damage is told."""

from __future__ import annotations

import contextlib
import io
import random
import zipfile
import zlib
from pathlib import Path

import pytest

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
from tests.packaging.targets.apk.making import garbled


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


def random_entries(seed: int, folder: Path) -> dict[str, tuple[Entry, bytes]]:
    """Entries of all kinds and sizes, around the chunk's size too, each with its content."""
    chance = random.Random(seed)
    entries = {}
    for number in range(chance.randrange(1, 12)):
        size = chance.choice((0, 1, 5, 4095, CHUNK - 60, CHUNK, CHUNK + 1, chance.randrange(3 * CHUNK)))
        content, name = (
            chance.randbytes(size),
            chance.choice(("lib/x{}.so", "a/{}", "ø/{}.設定")).format(number),
        )
        alignment = chance.choice((1, 4, PAGE))
        kind = chance.choice(("bytes", "file", "deflated"))
        if kind == "file":
            (folder / str(number)).write_bytes(content)
            entries[name] = (Entry(name, folder / str(number), alignment), content)
        else:
            entries[name] = (
                Entry(name, content if kind == "bytes" else deflated(content), alignment),
                content,
            )
    return entries


@pytest.mark.parametrize("seed", range(12))
def test_python_s_zipfile_reads_what_is_written(seed: int, tmp_path: Path) -> None:
    entries = random_entries(seed, tmp_path)
    path = tmp_path / "x.zip"
    chunks = write([entry for entry, _ in entries.values()], path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(entries)
        assert [archive.read(name) for name in entries] == [content for _, content in entries.values()]
        assert {info.date_time for info in archive.infolist()} == {(1981, 1, 1, 0, 0, 0)}
        body = path.read_bytes()[: archive.start_dir]
    assert chunks == [hash_chunk(body[at : at + CHUNK], "sha256") for at in range(0, len(body), CHUNK)]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_stored_is_aligned(seed: int, tmp_path: Path) -> None:
    entries = random_entries(seed, tmp_path)
    write([entry for entry, _ in entries.values()], tmp_path / "x.zip")
    data = (tmp_path / "x.zip").read_bytes()
    with (tmp_path / "x.zip").open("rb") as file:
        for member in read_members(file, tmp_path / "x.zip"):
            entry, content = entries[member.name]
            if not isinstance(entry.content, Deflated):
                assert member.offset % entry.alignment == 0
                assert data[member.offset : member.offset + member.size] == content


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


@pytest.mark.parametrize("seed", range(400))
def test_damage_is_an_error_that_names_the_file_or_does_not_matter(seed: int, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    contents = {"stored": b"abc" * 30, "packed": b"p" * 1000}
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("stored", contents["stored"])
        archive.writestr("packed", contents["packed"], zipfile.ZIP_DEFLATED)
    path = tmp_path / "x.zip"
    path.write_bytes(garbled(buffer.getvalue(), seed))
    with contextlib.suppress(InputError), path.open("rb") as file:
        try:
            members = read_members(file, path)
            read = {m.name: unpack(read_packed(file, m), m, path) for m in members}
        except InputError as error:
            assert error.where == str(path)
            raise
        assert set(read.values()) <= set(contents.values())


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


@pytest.mark.parametrize("seed", range(20))
def test_corrections_are_hashed_wherever_they_fall(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    expected = bytearray()
    with (tmp_path / "x").open("w+b", buffering=0) as file, Hashers("sha512") as hashers:
        out = HashingWriter(file, hashers)
        for _ in range(8):
            block = chance.randbytes(chance.choice((1, 1000, CHUNK - 1, CHUNK, CHUNK // 2)))
            out.write(block)
            expected += block
            size = min(chance.choice((1, 4, 700)), len(expected))
            at = chance.choice((0, len(expected) - size, chance.randrange(len(expected) - size + 1)))
            correction = chance.randbytes(size)
            out.patch(at, correction)
            expected[at : at + size] = correction
        chunks = out.finish()
    assert (tmp_path / "x").read_bytes() == expected
    assert chunks == [
        hash_chunk(expected[at : at + CHUNK], "sha512") for at in range(0, len(expected), CHUNK)
    ]
