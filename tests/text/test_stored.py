"""Files of rows end where they hold more than rows do, however small they are packed."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.text import stored
from edgekit.text.data import read_data

BLANKS = b" " * ((65 << 20) - 1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("line.jsonl.gz", BLANKS, "line 1 is longer than 16 MiB"),
        ("bytes.jsonl.gz", (b" " * (1 << 20) + b"\n") * 65, "holds more than 64 MiB"),
        ("line.csv.gz", b"prompt\n" + BLANKS, "line 2 is longer than 16 MiB"),
        ("array.json.gz", b"[" + BLANKS, "holds more than 64 MiB"),
        ("row.jsonl", b'{"messages": [' + b"{}," * 500_000 + b"{}]}", "it is of more than 400,000 values"),
    ],
)
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content, 1) if name.endswith("gz") else content)
    assert len(content) > 20 * path.stat().st_size or not name.endswith("gz")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=said) as caught:
            read_data(path)
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.where == str(path)


def test_a_frame_that_asks_for_a_window_of_gigabytes_is_refused(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "d.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x00" * 20)  # an empty frame with a window of 2 GiB
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_data(path)
    path.write_bytes(zstandard.compress(b'{"prompt": "a"}\n') + zstandard.compress(b'{"prompt": "b"}\n'))
    assert [row.prompt for row in read_data(path).rows] == ["a", "b"]


def test_damage_is_an_error_of_the_file(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"prompt": "a"}\n' * 1000)
    for damaged in (b"", b"no gzip", whole[:-10], whole[:40] + b"\xff\xff" + whole[42:]):
        path = tmp_path / "d.jsonl.gz"
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            read_data(path)


def test_rows_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_VALUES", 100)
    monkeypatch.setattr(stored, "MAX_LINES", 1000)
    for name in ("d.csv", "e.jsonl"):
        (tmp_path / name).write_text("prompt\n" * (name == "d.csv") + "\n" * 1001)
        with pytest.raises(InputError, match="has more than 1,000 lines"):
            read_data(tmp_path / name)
    path = tmp_path / "d.jsonl"
    path.write_text('{"prompt": "a", "x": [1,2,3]}\n' * 30)
    with pytest.raises(InputError, match="holds more than 100 values"):
        read_data(path)


def test_a_pointer_of_git_lfs_is_told_from_rows(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(InputError, match="git-lfs pointer"):
        read_data(path)
