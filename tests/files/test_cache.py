"""What is kept for the next run is used, and made anew where it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.files.cache import CACHE_VARIABLE, cache_directory, cached
from tests.fixtures.noting import Noting


def test_it_is_made_once(tmp_path: Path) -> None:
    told, made = Noting(), []

    def make() -> bytes:
        made.append(1)
        return b"content"

    path = tmp_path / "kind" / "a"
    for _ in range(2):
        assert cached(path, make, told) == b"content"
    assert (len(made), told.notes) == (1, [])
    for damaged in (b"", b"short", path.read_bytes()[:-1], path.read_bytes() + b"."):
        path.write_bytes(damaged)
        assert cached(path, make, told) == b"content"
        assert str(path) in told.notes.pop()
        assert cached(path, make, told) == b"content"
    assert len(made) == 5


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "kind").write_text("a file where the directory would be")
    assert cached(tmp_path / "kind" / "a", lambda: b"content", Noting()) == b"content"


def test_the_directory_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_directory("kind") == tmp_path / "kind"
