"""A file appears whole or not at all; leftovers go, links are never followed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import BundleError, InputError
from edgekit.files.digest import file_digest
from edgekit.files.whole import whole, write_whole

HOLDER = """
import sys
from pathlib import Path
from edgekit.files.whole import whole
with whole(Path(sys.argv[1])) as file:
    file.write(b"theirs")
    print("in", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that is writing a file, until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def test_a_file_is_written_with_its_directories_and_the_usual_permissions(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "validate.html"
    write_whole(path, "first")
    write_whole(path, "ø 👩🏽\u200d🚀\n")
    assert path.read_bytes() == "ø 👩🏽\u200d🚀\n".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["validate.html"]
    usual = tmp_path / "usual"
    usual.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_a_private_file_is_readable_for_the_user_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"x", private=True)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error), whole(path) as file:
        file.write(b"half")
        assert path.read_bytes() == b"old"
        raise error
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_what_is_in_the_way_is_told_and_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="there is a file where a directory should be"):
        write_whole(tmp_path / "file" / "report.html", "x", error=BundleError)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match="there is a directory where a file should be"):
        write_whole(tmp_path / "report.html", "x")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "report.html"]


def test_too_little_space_is_seen_beforehand(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"9,000,000,000,000,000 bytes are needed"),
        whole(tmp_path / "file", needed_bytes=9 * 10**15),
    ):
        raise AssertionError("the block must not run")
    assert not list(tmp_path.iterdir())


def test_errors_of_other_files_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole(tmp_path / "file"):
        (tmp_path.parent / "nowhere").read_bytes()


def test_a_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_whole(path, "x")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


# ---------------------------------------- other runs


@pytest.mark.slow
def test_two_at_once_wait_for_each_other_or_say_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with holder(path) as other:
        with pytest.raises(InputError, match="another edgekit run is writing here"), whole(path, seconds=0):
            raise AssertionError("the block must not run")
        other.communicate()
    assert path.read_bytes() == b"theirs"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with holder(path) as other:
        other.kill()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".file.part", "file"]
    assert path.read_bytes() == b"old"
    write_whole(path, "new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["symbolic", "hard", "pipe"])
def test_a_link_in_place_of_the_temporary_file_is_not_written_through(tmp_path: Path, kind: str) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"years of work")
    part = tmp_path / ".file.part"
    if kind == "symbolic":
        part.symlink_to(precious)
    elif kind == "hard":
        part.hardlink_to(precious)
    else:
        os.mkfifo(part)
    write_whole(tmp_path / "file", "new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert precious.read_bytes() == b"years of work"
    assert not part.exists()


def test_a_link_in_place_of_the_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"years of work")
    (tmp_path / "file").symlink_to("precious")
    write_whole(tmp_path / "file", "new")
    assert (tmp_path / "precious").read_bytes() == b"years of work"
    assert not (tmp_path / "file").is_symlink()


# ---------------------------------------- digests


def test_a_digest_is_of_the_whole_file_or_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" + bytes(5 << 20))
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert file_digest(tmp_path / "file", first=3) == file_digest(tmp_path / "abc") == known
    assert file_digest(tmp_path / "file", first=1 << 30) == file_digest(tmp_path / "file") != known
