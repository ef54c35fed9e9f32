"""A directory appears whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.files.directory import new_directory


def make(target: Path, text: str, *, force: bool = False) -> None:
    with new_directory(target, force=force, record="record.json") as folder:
        (folder / "a").mkdir()
        (folder / "a/text").write_text(text)
        (folder / "record.json").write_text("{}")


def test_it_replaces_its_own_only_when_told(tmp_path: Path) -> None:
    make(tmp_path / "out", "one")
    with pytest.raises(InputError, match="earlier output") as caught:
        make(tmp_path / "out", "two")
    assert "--force" in (caught.value.remedy or "")
    assert (tmp_path / "out/a/text").read_text() == "one"
    make(tmp_path / "out", "two", force=True)
    assert (tmp_path / "out/a/text").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_others_made_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"edgekit has not made it \(thesis.txt\)"):
        make(tmp_path, "x", force=True)
    with pytest.raises(InputError, match="there is a file"):
        make(tmp_path / "thesis.txt", "x", force=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    make(tmp_path / "out", "one")
    with (
        pytest.raises(KeyboardInterrupt),
        new_directory(tmp_path / "out", force=True, record="record.json") as folder,
    ):
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert (tmp_path / "out/a/text").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_told_before(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="not enough space"),
        new_directory(tmp_path / "out", force=False, record="record.json", needed_bytes=1 << 60),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_killed_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    make(tmp_path / "out", "one")
    (tmp_path / "out").rename(tmp_path / ".out.old")
    with pytest.raises(InputError, match="earlier output"):
        make(tmp_path / "out", "two")
    assert (tmp_path / "out/a/text").read_text() == "one"


@pytest.mark.slow
def test_two_runs_do_not_mix(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edgekit.files.directory import new_directory\n"
        "with new_directory(Path(sys.argv[1]), force=False, record='record.json'):\n"
        "    print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path.cwd(),
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(InputError, match="another edgekit run"):
            make(tmp_path / "out", "x")
        other.kill()
    make(tmp_path / "out", "x")


@pytest.mark.parametrize("beside", [".out.part", ".out.old"])
def test_a_planted_link_beside_the_output_is_not_followed(tmp_path: Path, beside: str) -> None:
    """In a folder that others write: the user's directory behind the link would be emptied."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis").write_text("years of work")
    (tmp_path / beside).symlink_to("docs")
    with new_directory(tmp_path / "out", record="r") as folder:
        (folder / "r").write_text("x")
    assert (tmp_path / "out" / "r").read_text() == "x"
    assert (tmp_path / "docs" / "thesis").read_text() == "years of work"
    assert not (tmp_path / beside).exists()
