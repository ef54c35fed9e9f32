"""`edgekit data check`: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import Cli


def test_rows_are_shown_as_they_will_be_read(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    rows = [{"prompt": f"say {n}", "completion": "yes" if n % 2 else "no", "id": n} for n in range(8)]
    path.write_text("\n".join(map(json.dumps, rows)))
    done = cli("data", "check", path)
    assert (done.code, done.err) == (0, "")
    for words in (
        "line 1",
        "say 2",
        "→ yes",
        "8 of 8 rows, from prompt, completion",
        "no 4, yes 4",
        "not read: id",
    ):
        assert words in done.out
    assert "line 1" not in cli("data", "check", path, "--quiet").out
    found = json.loads(cli("data", "check", path, "--json").out)
    assert found["data"]["unread"] == ["id"]


def test_rows_that_cannot_be_used_fail(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"prompt": "a"}\n{"text": "b"}\n')
    done = cli("data", "check", path)
    assert done.code == 1
    assert "line 2: neither" in done.err and "its columns are: text" in done.err
    path.write_text('{"text": "b"}\n')
    assert "there is no row to use (line 1: neither" in cli("data", "check", path).err
