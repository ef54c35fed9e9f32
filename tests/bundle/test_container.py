"""The .litertlm container against the stock builder, the stock reader, and damage."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.container import (
    ALIGNMENT,
    HEADER_BEGIN,
    MAGIC,
    PREFILL_DECODE,
    SCHEMA_NAMES,
    VERSION,
    SectionKind,
    parse_container,
    read_container,
    section_bytes,
    unpack_hf_tokenizer,
)
from edgekit.bundle.writing import Section, container_size, pack_hf_tokenizer, write_container
from edgekit.errors import BundleError
from tests.fixtures import mutations

MODEL = bytes(range(256)) * 300
TOKENIZER = b'{"version": "1.0"}' * 50
METADATA = {
    "name": "settings-navigator",
    "layers": 6,
    "tied": True,
    "scale": 0.5,
    "large": 2**63,
    "below": -7,
}


def sections() -> list[Section]:
    packed = pack_hf_tokenizer(TOKENIZER)
    return [
        Section(SectionKind.LLM_METADATA, 3, [b"\x28\x80\x20"]),
        Section(SectionKind.HF_TOKENIZER, len(packed), [packed]),
        Section(
            SectionKind.TFLITE_MODEL, len(MODEL), [MODEL[:100], b"", memoryview(MODEL)[100:]], PREFILL_DECODE
        ),
        Section(SectionKind.GENERIC_BINARY, 0, []),
    ]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "model.litertlm"
    with path.open("wb") as file:
        write_container(file, sections(), METADATA)
    return path


def test_constants_are_the_stock_builders() -> None:
    from litert_lm_builder import litertlm_core
    from litert_lm_builder import litertlm_header_schema_py_generated as schema

    core = (litertlm_core.LITERTLM_MAJOR_VERSION, litertlm_core.LITERTLM_MINOR_VERSION)
    assert (*core, litertlm_core.LITERTLM_PATCH_VERSION) == VERSION
    assert (litertlm_core.HEADER_MAGIC_BYTES, litertlm_core.BLOCK_SIZE) == (MAGIC, ALIGNMENT)
    assert litertlm_core.HEADER_BEGIN_BYTE_OFFSET == HEADER_BEGIN
    theirs = {k: v for k, v in vars(schema.AnySectionDataType).items() if not k.startswith("_")}
    assert theirs == {
        SCHEMA_NAMES[kind]: int(kind) for kind in SectionKind if kind is not SectionKind.UNKNOWN
    }


def test_what_is_written_is_read_back(written: Path) -> None:
    container = read_container(written)
    assert container.version == VERSION
    assert container.system_metadata == METADATA
    assert [s.kind for s in container.sections] == [s.kind for s in sections()]
    assert [dict(s.metadata) for s in container.sections] == [dict(s.metadata) for s in sections()]
    assert all(s.begin % ALIGNMENT == 0 for s in container.sections)
    assert section_bytes(container, container.sections[2]) == MODEL
    assert unpack_hf_tokenizer(section_bytes(container, container.sections[1])) == TOKENIZER


def test_digest_size_and_progress(tmp_path: Path) -> None:
    moved: list[int] = []
    path = tmp_path / "m.litertlm"
    with path.open("wb", buffering=0) as file:
        result = write_container(file, sections(), METADATA, advance=moved.append)
    data = path.read_bytes()
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    assert result.size == len(data) == sum(moved) == container_size(sections(), METADATA)
    assert result.sections == read_container(path).sections


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    write_container(first, sections(), METADATA)
    time.sleep(0.01)
    write_container(second, sections(), METADATA)
    assert first.getvalue() == second.getvalue()


def test_no_seek_and_short_writes() -> None:
    class Trickle(io.RawIOBase):
        """A pipe-like file that takes at most 1,000 bytes at once."""

        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += data[:1000]
            return min(1000, len(data))

    trickle, whole = Trickle(), io.BytesIO()
    write_container(trickle, sections(), METADATA)  # type: ignore[arg-type]
    write_container(whole, sections(), METADATA)
    assert bytes(trickle.data) == whole.getvalue()


@pytest.mark.parametrize("chunks", [[b"abc"], [b"abc", b"defg"], []])
def test_chunks_that_do_not_add_up(chunks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="5 bytes announced"):
        write_container(io.BytesIO(), [Section(SectionKind.GENERIC_BINARY, 5, chunks)])


def test_an_endless_source_is_stopped_at_its_size() -> None:
    def endless() -> Any:
        while True:
            yield bytes(1000)

    with pytest.raises(ValueError, match="announced"):
        write_container(io.BytesIO(), [Section(SectionKind.GENERIC_BINARY, 5000, endless())])


def test_errors_of_the_source_and_the_file_come_through() -> None:
    def broken() -> Any:
        yield bytes(10)
        raise RuntimeError("source")

    with pytest.raises(RuntimeError, match="source"):
        write_container(io.BytesIO(), [Section(SectionKind.GENERIC_BINARY, 20, broken())])
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        write_container(full, sections())


def test_equal_to_the_stock_builder_but_for_id_and_time(tmp_path: Path) -> None:
    import litert_lm_builder as stock

    (tmp_path / "m.tflite").write_bytes(MODEL)
    (tmp_path / "t.json").write_bytes(TOKENIZER)
    builder = stock.LitertLmFileBuilder()
    builder.add_tflite_model(
        str(tmp_path / "m.tflite"), stock.TfLiteModelType.PREFILL_DECODE, backend_constraint="cpu"
    )
    builder.add_hf_tokenizer(str(tmp_path / "t.json"))
    theirs = tmp_path / "theirs.litertlm"
    with theirs.open("wb") as file:
        builder.build(file)
    container = read_container(theirs)
    assert set(container.system_metadata) == {"uuid", "creation_timestamp"}
    assert container.sections[0].metadata == {**PREFILL_DECODE, "backend_constraint": "cpu"}

    ours = io.BytesIO()
    packed = pack_hf_tokenizer(TOKENIZER)
    write_container(
        ours,
        [
            Section(
                SectionKind.TFLITE_MODEL, len(MODEL), [MODEL], {**PREFILL_DECODE, "backend_constraint": "cpu"}
            ),
            Section(SectionKind.HF_TOKENIZER, len(packed), [packed]),
        ],
        container.system_metadata,
    )
    assert ours.getvalue() == theirs.read_bytes()


def test_the_stock_reader_reads_ours(written: Path) -> None:
    from litert_lm_builder import litertlm_peek

    text = io.StringIO()
    litertlm_peek.peek_litertlm_file(str(written), None, text)
    assert "LiteRT-LM Version: 1.7.0" in text.getvalue()
    assert "Key: layers, Value (Int64): 6" in text.getvalue()
    assert "Key: model_type, Value (String): tf_lite_prefill_decode" in text.getvalue()
    assert "max_num_tokens: 4096" in text.getvalue()


# ---------------------------------------- damage


def damaged(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(BundleError) as caught:
        read_container(path)
    assert caught.value.where == str(path)
    return str(caught.value)


def test_no_container_at_all(tmp_path: Path, written: Path) -> None:
    good = written.read_bytes()
    path = tmp_path / "x.litertlm"
    assert "only 0 bytes" in damaged(path, b"")
    assert "only 31 bytes" in damaged(path, good[:31])
    assert "does not begin with LITERTLM" in damaged(path, b"GGUF" + good[4:])
    assert "version 2.0.0" in damaged(path, good[:8] + struct.pack("<III", 2, 0, 0) + good[20:])
    assert "claims to end" in damaged(path, good[:24] + (1 << 63).to_bytes(8, "little") + good[32:])
    assert "claims to end" in damaged(path, good[:24] + (0).to_bytes(8, "little") + good[32:])
    assert "cut off" in damaged(path, good[: len(good) - 1 - ALIGNMENT])
    with pytest.raises(BundleError, match="No such file"):
        read_container(tmp_path / "none.litertlm")
    with pytest.raises(BundleError, match="not a file"):
        read_container(tmp_path)
    os.mkfifo(tmp_path / "pipe.litertlm")
    with pytest.raises(BundleError, match="not a file"):
        read_container(tmp_path / "pipe.litertlm")


def header_with(places: list[tuple[int, int]], kind: int = 1, value_type: int | None = None) -> bytes:
    """A container of 64 KiB whose sections lie where `places` says."""
    import flatbuffers
    from litert_lm_builder import litertlm_header_schema_py_generated as schema

    items = [] if value_type is None else [schema.KeyValuePairT("key", value_type, schema.BoolT(True))]
    objects = [schema.SectionObjectT(items, begin, end, kind) for begin, end in places]
    root = schema.LiteRTLMMetaDataT(None, schema.SectionMetadataT(objects))
    builder = flatbuffers.Builder(0)
    builder.Finish(root.Pack(builder))
    packed = bytes(builder.Output())
    head = MAGIC + struct.pack("<III4xQ", *VERSION, HEADER_BEGIN + len(packed)) + packed
    return head.ljust(65536, b"\0")


def test_sections_in_impossible_places(tmp_path: Path) -> None:
    path = tmp_path / "x.litertlm"
    assert "begins at 20000 and ends before" in damaged(path, header_with([(20000, 16384)]))
    assert "reaches to byte 65537 of 65536" in damaged(path, header_with([(16384, 65537)]))
    assert "inside the header" in damaged(path, header_with([(64, 20000)]))
    assert "inside section 0" in damaged(path, header_with([(16384, 20000), (16384, 17000)][::-1]))
    assert "inside section 1" in damaged(path, header_with([(19999, 30000), (16384, 20000)]))
    path.write_bytes(header_with([(32768, 40000), (16384, 20000)]))
    assert len(read_container(path).sections) == 2  # the order does not matter


def test_kinds_and_values_of_later_versions(tmp_path: Path) -> None:
    path = tmp_path / "x.litertlm"
    path.write_bytes(header_with([(16384, 20000)], kind=77))
    section = read_container(path).sections[0]
    assert (section.kind, section.name) == (SectionKind.UNKNOWN, "Unknown(77)")
    assert "'key' in the metadata of entry 0 of the section list has a value of unknown type 99" in damaged(
        path, header_with([(16384, 20000)], value_type=99)
    )


def test_shared_tables_cannot_make_endless_work(tmp_path: Path) -> None:
    """A valid header of 0.8 MB that unfolds to 10 ** 10 entries: 100,000 references to one section, which
    has 100,000 references to one metadata entry.
    """
    many = 100_000
    section = 52 + 4 * many
    entry = section + 12 + 4 * many
    parts = [
        struct.pack("<I", 32),  # 0: the root table is at 32
        struct.pack("<4H", 8, 8, 0, 4),  # 4: layout of the root: field 1
        struct.pack("<3H2x", 6, 8, 4),  # 12: layout of a table with field 0
        struct.pack("<5H2x", 10, 16, 4, 12, 8),  # 20: layout of an entry: key, kind of value, value
        struct.pack("<iI", 32 - 4, 4),  # 32: the root, then
        struct.pack("<iI", 40 - 12, 4),  # 40: the section list
        struct.pack("<I", many) + b"".join(struct.pack("<I", section - (52 + 4 * i)) for i in range(many)),
        struct.pack("<iI", section - 12, 4),
        struct.pack("<I", many)
        + b"".join(struct.pack("<I", entry - (section + 12 + 4 * i)) for i in range(many)),
        struct.pack("<iIIB3x", entry - 20, 12, 16, 8),
        struct.pack("<I4s", 3, b"key"),
        struct.pack("<iHH", -4, 4, 4),  # the value: a Bool whose layout, right behind it, has no field
    ]
    body = b"".join(parts)
    message = damaged(
        tmp_path / "x.litertlm", MAGIC + struct.pack("<III4xQ", *VERSION, 32 + len(body)) + body
    )
    assert "more than 400000 tables" in message


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "m.litertlm"
    with path.open("wb") as file:
        write_container(file, sections(), METADATA)
    return path.read_bytes()


@given(st.data())
def test_a_damaged_header_is_read_or_refused(good: bytes, data: st.DataObject) -> None:
    header_end = int.from_bytes(good[24:32], "little")
    try:
        parse_container(Path("x.litertlm"), memoryview(data.draw(mutations.damaged(good, [(8, header_end)]))))
    except BundleError as error:
        assert "x.litertlm" in str(error)
