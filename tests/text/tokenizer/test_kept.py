"""A large tokenizer is read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.files.cache import CACHE_VARIABLE
from edgekit.text.tokenizer import read
from tests.fixtures.noting import Noting
from tests.fixtures.tokenizers import change, demo_tokenizer


def test_the_second_run_takes_what_the_first_one_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    directory, told = demo_tokenizer(tmp_path / "checkpoint"), Noting()
    read_directly = read.read_tokenizer(directory, rows=2050)
    monkeypatch.setattr(read, "WORTH_KEEPING", 0)
    assert read.read_tokenizer(directory, rows=2050, progress=told) == read_directly
    (path,) = (tmp_path / "cache" / "tokenizers").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(read, "_from_json", None)
        again = read.read_tokenizer(directory, rows=2050, progress=told)
    assert again == read_directly and again.encode("Hello") == read_directly.encode("Hello")
    assert told.notes == []
    path.write_bytes(path.read_bytes()[:-5])
    assert read.read_tokenizer(directory, rows=2050, progress=told) == read_directly
    assert str(path) in told.notes[0]
    for other in ({"rows": 2051}, {"rows": 2050}):
        change(directory, "tokenizer_config.json", lambda d: d.update(bos_token="<eos>"))
        assert read.read_tokenizer(directory, **other) != read_directly
