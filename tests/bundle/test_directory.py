"""Bundle directories that appear whole or not at all: killed writers, full disks, two at once, things in the
way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.bundle.directory import new_bundle, was_interrupted
from edgekit.errors import BundleError
from edgekit.files import commit

WRITER = """
import hashlib, json, sys, time
from pathlib import Path
from edgekit.bundle.directory import new_bundle

target, letter, megabytes, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
with new_bundle(target, force=True, needed_bytes=megabytes << 20) as staging:
    print("staging", flush=True)
    digest = hashlib.sha256()
    with (staging.path / "m.litertlm").open("wb") as file:
        for _ in range(megabytes):
            chunk = letter.encode() * (1 << 20)
            digest.update(chunk)
            file.write(chunk)
            time.sleep(pause)
    sys.stdin.read()
    (staging.path / "reports").mkdir()
    (staging.path / "reports" / "convert.json").write_text(letter)
    (staging.path / "NOTICE").write_text(letter)
    manifest = {"letter": letter, "model": {"file": "m.litertlm", "sha256": digest.hexdigest()}}
    (staging.path / "edgekit.json").write_text(json.dumps(manifest))
print("committed", flush=True)
"""


def write(
    target: Path, letter: str, size: int = 1000, *, force: bool = False, name: str = "m.litertlm"
) -> None:
    with new_bundle(target, force=force, needed_bytes=size) as staging:
        data = letter.encode() * size
        (staging.path / name).write_bytes(data)
        (staging.path / "NOTICE").write_text(letter)
        (staging.path / "reports").mkdir()
        (staging.path / "reports" / "convert.json").write_text(letter)
        manifest = {"letter": letter, "model": {"file": name, "sha256": hashlib.sha256(data).hexdigest()}}
        (staging.path / "edgekit.json").write_text(json.dumps(manifest))


def letter_of(target: Path) -> str:
    """Which bundle is there; fails unless every file of it belongs together."""
    manifest = json.loads((target / "edgekit.json").read_bytes())
    model = target / manifest["model"]["file"]
    assert hashlib.sha256(model.read_bytes()).hexdigest() == manifest["model"]["sha256"]
    letter: str = manifest["letter"]
    assert (target / "NOTICE").read_text() == letter
    assert (target / "reports" / "convert.json").read_text() == letter
    return letter


def recover(target: Path) -> None:
    """What the next writer does before it looks whether it may write."""
    with pytest.raises(BundleError, match="--force"), new_bundle(target):
        pass


def names(target: Path) -> set[str]:
    return {p.relative_to(target).as_posix() for p in target.rglob("*") if not p.is_dir()}


WHOLE = {"m.litertlm", "edgekit.json", "NOTICE", "reports/convert.json"}


def start(
    target: Path, letter: str, megabytes: int, pause: float = 0.0, *, held: bool = False
) -> subprocess.Popen[str]:
    """Start a writer. held: it does not end before `communicate`, however slow we are."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target), letter, str(megabytes), str(pause)],
        stdin=subprocess.PIPE if held else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(commit.__file__).parents[2],
    )


# ---------------------------------------- the ordinary ways


def test_a_new_directory_with_parents(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", "A")
    assert letter_of(tmp_path / "a" / "b") == "A"
    assert names(tmp_path / "a" / "b") == WHOLE


def test_an_empty_directory_is_used_and_a_link_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "A")
    assert letter_of(tmp_path / "real") == "A"


def test_a_bundle_is_kept_unless_forced(tmp_path: Path) -> None:
    write(tmp_path / "b", "A")
    with pytest.raises(BundleError, match="--force"):
        write(tmp_path / "b", "B")
    assert letter_of(tmp_path / "b") == "A"
    write(tmp_path / "b", "B", force=True)
    assert letter_of(tmp_path / "b") == "B"


def test_force_removes_what_is_stale_and_keeps_what_is_not_ours(tmp_path: Path) -> None:
    target = tmp_path / "b"
    write(target, "A", name="old.litertlm")
    for name in ("validate.html", "bench-pixel.json", "mine.html"):
        (target / "reports" / name).write_text("x")
    (target / "old.litertlm_1795502689_13373924.xnnpack_cache").write_text("x")
    (target / "old.litertlm.xnnpack_cache_123").write_text("x")
    (target / "older_cache_of_mine").write_text("mine")
    (target / "old_1234_mldrift_program_cache.bin").write_text("x")
    (target / "notes.txt").write_text("mine")
    (target / "data").mkdir()
    (target / "data" / "old.litertlm").write_text("mine")
    write(target, "B", force=True)
    assert letter_of(target) == "B"
    assert names(target) == WHOLE | {
        "notes.txt",
        "older_cache_of_mine",
        "data/old.litertlm",
        "reports/mine.html",
    }


def test_a_directory_of_other_files_is_refused_even_with_force(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(BundleError, match=r"not empty and holds no bundle.*thesis\.docx"):
        write(tmp_path, "A", force=True)
    assert names(tmp_path) == {"thesis.docx"}


@pytest.mark.parametrize(
    "manifest", ["{", "[]", '{"model": {"file": "../x"}}', '{"model": {"file": 3}}', "[" * 100_000]
)
def test_a_bundle_whose_manifest_is_unreadable_is_not_replaced(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "edgekit.json").write_text(manifest)
    with pytest.raises(BundleError, match="cannot be read"):
        write(tmp_path, "A", force=True)
    assert names(tmp_path) == {"edgekit.json"}


def test_a_foreign_file_with_a_new_files_name_stops_the_commit(tmp_path: Path) -> None:
    write(tmp_path / "b", "A", name="old.litertlm")
    (tmp_path / "b" / "m.litertlm").write_text("mine")
    with pytest.raises(BundleError, match="did not make"):
        write(tmp_path / "b", "B", force=True)
    assert letter_of(tmp_path / "b") == "A"
    assert (tmp_path / "b" / "m.litertlm").read_text() == "mine"


def test_a_foreign_file_in_place_of_a_directory_stops_the_commit(tmp_path: Path) -> None:
    with new_bundle(tmp_path / "b") as staging:
        (staging.path / "m.litertlm").write_bytes(b"x")
        (staging.path / "edgekit.json").write_text('{"model": {"file": "m.litertlm"}}')
    (tmp_path / "b" / "reports").write_text("mine")
    with pytest.raises(BundleError, match="did not make"):
        write(tmp_path / "b", "B", force=True)
    assert (tmp_path / "b" / "m.litertlm").read_bytes() == b"x"
    assert (tmp_path / "b" / "reports").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_exception_leaves_everything_as_before(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), new_bundle(tmp_path / "new") as staging:
        (staging.path / "m.litertlm").write_bytes(b"half")
        raise error
    assert not (tmp_path / "new").exists()
    write(tmp_path / "b", "A")
    with pytest.raises(error), new_bundle(tmp_path / "b", force=True) as staging:
        (staging.path / "m.litertlm").write_bytes(b"half")
        raise error
    assert letter_of(tmp_path / "b") == "A"
    assert names(tmp_path / "b") == WHOLE


def test_caches_from_checking_the_staged_model_are_dropped(tmp_path: Path) -> None:
    with new_bundle(tmp_path / "b") as staging:
        (staging.path / "m.litertlm").write_bytes(b"x")
        (staging.path / "m.litertlm.xnnpack_cache_1").write_bytes(b"x")
        (staging.path / "edgekit.json").write_text('{"model": {"file": "m.litertlm"}}')
    assert names(tmp_path / "b") == {"m.litertlm", "edgekit.json"}


def test_a_block_that_writes_no_bundle_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its manifest"), new_bundle(tmp_path / "b"):
        pass
    assert not (tmp_path / "b").exists()


# ---------------------------------------- things in the way


def test_the_output_path_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("x")
    for target in (tmp_path / "b", tmp_path / "b" / "c"):
        with pytest.raises(BundleError, match="there is a file where"):
            write(target, "A", force=True)
    assert (tmp_path / "b").read_text() == "x"


@pytest.mark.slow
def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    """As an ordinary user, in a child process when the tests run as root."""
    (tmp_path / "locked").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    code = (
        "import fcntl, os, sys\n"  # imported while the interpreter's files can still be read
        "from edgekit.bundle.directory import new_bundle\n"
        "from edgekit.errors import BundleError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        with new_bundle(path): pass\n"
        "    except BundleError as error: print(error)\n"
    )
    for parent in tmp_path.parents:  # pytest makes its directories private
        if parent.owner() == tmp_path.owner() and parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    arguments = [sys.executable, "-c", code, str(tmp_path / "locked"), str(tmp_path / "locked" / "new")]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(commit.__file__).parents[2])
    assert done.stdout.count("cannot be written: Permission denied") == 2, done
    assert done.stderr == ""


def test_errors_of_other_files_are_not_blamed_on_the_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), new_bundle(tmp_path / "b"):
        Path("/nonexistent/checkpoint.safetensors").read_bytes()


# ---------------------------------------- a full disk


def test_too_little_space_is_seen_beforehand(tmp_path: Path) -> None:
    needed = pytest.raises(BundleError, match=r"9,000,000,000,000,000 bytes are needed, [\d,]+ are free")
    with needed, new_bundle(tmp_path / "b", needed_bytes=9 * 10**15):
        raise AssertionError("the block must not run")
    assert not (tmp_path / "b").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be mounted as root with the right to mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up(small_disk: Path) -> None:
    write(small_disk / "b", "A", 3 << 20)
    full = pytest.raises(BundleError, match=r"not enough space: .*free")
    with full, new_bundle(small_disk / "b", force=True, needed_bytes=4 << 20) as staging:
        (staging.path / "m.litertlm").write_bytes(bytes(9 << 20))
    assert letter_of(small_disk / "b") == "A"
    assert names(small_disk / "b") == WHOLE
    with pytest.raises(BundleError, match="not enough space"):
        write(small_disk / "new", "B", 9 << 20)
    assert not (small_disk / "new").exists()


@pytest.mark.slow
def test_a_mount_point_itself_can_be_the_bundle(small_disk: Path) -> None:
    write(small_disk, "A", 1 << 20)
    write(small_disk, "B", 1 << 20, force=True)
    assert letter_of(small_disk) == "B"


def test_a_write_that_fails_for_lack_of_space_names_both_sizes(tmp_path: Path) -> None:
    full = pytest.raises(BundleError, match=r"5 bytes are needed, [\d,]+ are free")
    with full, new_bundle(tmp_path / "b", needed_bytes=5):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not (tmp_path / "b").exists()


def test_a_file_size_limit(tmp_path: Path) -> None:
    write(tmp_path / "b", "A")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(BundleError, match="beyond the allowed size"):
            write(tmp_path / "b", "B", 2 << 20, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert letter_of(tmp_path / "b") == "A"
    assert names(tmp_path / "b") == WHOLE


# ---------------------------------------- killed


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """30 writers, each killed at a moment between its start and a little after its end."""
    target = tmp_path / "b"
    write(target, "A")
    rng = random.Random(3)
    current, seen = "A", {"kept": 0, "replaced": 0}
    for round_number in range(30):
        letter = chr(ord("B") + round_number % 20)
        process = start(target, letter, 6, 0.005)
        assert process.stdout is not None
        assert process.stdout.readline() == "staging\n", process.communicate()
        time.sleep(rng.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        recover(target)
        now = letter_of(target)
        assert now in (current, letter)
        assert now == letter or "committed" not in out
        seen["kept" if now == current else "replaced"] += 1
        current = now
    assert seen["kept"] >= 5, seen
    write(target, "Z", force=True)
    assert names(target) == WHOLE  # no leftovers


@pytest.mark.slow
def test_killed_before_every_single_step_of_the_commit(tmp_path: Path) -> None:
    """The child kills itself at the n-th rename, unlink, mkdir or rmdir, for every n until it gets
    through."""
    code = (
        "import os, signal, sys\n"
        "left = int(sys.argv[5])\n"
        "def hook(event, arguments):\n"
        "    global left\n"
        "    if event in ('os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'shutil.rmtree'):\n"
        "        left -= 1\n"
        "        if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(hook)\n"
    ) + WRITER
    target = tmp_path / "b"
    outcomes = []
    for step in range(60):
        if target.exists():
            write(target, "A", name="old.litertlm", force=True)
        else:
            write(target, "A", name="old.litertlm")
        (target / "reports" / "validate.html").write_text("A")
        (target / "notes.txt").write_text("mine")
        done = subprocess.run(
            [sys.executable, "-c", code, str(target), "B", "1", "0", str(step)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=Path(commit.__file__).parents[2],
        )
        recover(target)
        outcomes.append(letter_of(target))
        left = names(target) - {f for f in names(target) if f.startswith(".edgekit-staging/")}
        expected = (
            WHOLE
            if outcomes[-1] == "B"
            else WHOLE - {"m.litertlm"} | {"old.litertlm", "reports/validate.html"}
        )
        assert left == expected | {"notes.txt"}, step
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    assert outcomes == sorted(outcomes)
    assert outcomes.count("A") >= 3
    assert outcomes.count("B") >= 6


@pytest.mark.slow
def test_a_killed_finish_is_finished_by_the_next(tmp_path: Path) -> None:
    """The recovery may be killed as well, again and again, one step further each time."""
    target = tmp_path / "b"
    write(target, "A", name="old.litertlm")
    with pytest.raises(RuntimeError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "_finish", _raise_when_committed(commit._finish))
        write(target, "B", force=True)
    assert (target / ".edgekit-commit").is_dir()
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from edgekit.bundle.directory import new_bundle\n"
        "from edgekit.errors import BundleError\n"
        "left = int(sys.argv[2])\n"
        "def hook(event, arguments):\n"
        "    global left\n"
        "    if event in ('os.rename', 'os.remove', 'os.rmdir'):\n"
        "        left -= 1\n"
        "        if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(hook)\n"
        "try:\n"
        "    with new_bundle(sys.argv[1]): pass\n"
        "except BundleError as error: assert '--force' in error.remedy\n"
    )
    for attempt in range(1, 30):
        done = subprocess.run(
            [sys.executable, "-c", code, str(target), str(attempt)],
            cwd=Path(commit.__file__).parents[2],
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    assert attempt > 3
    assert letter_of(target) == "B"
    assert names(target) == WHOLE


def _raise_when_committed(finish):  # type: ignore[no-untyped-def]
    def stop(target: Path, layout: commit.Layout) -> None:
        if (target / ".edgekit-commit").is_dir():
            raise RuntimeError("stopped right after the commit")
        finish(target, layout)

    return stop


@pytest.mark.slow
def test_leftovers_of_a_killed_first_run(tmp_path: Path) -> None:
    process = start(tmp_path / "b", "A", 100, held=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "staging\n"
    process.kill()
    process.communicate()
    assert was_interrupted(tmp_path / "b")
    write(tmp_path / "b", "B")  # no force needed: there was no bundle
    assert names(tmp_path / "b") == WHOLE


# ---------------------------------------- two at once


@pytest.mark.slow
def test_two_at_once(tmp_path: Path) -> None:
    target = tmp_path / "b"
    first = start(target, "A", 20, held=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "staging\n"
    with pytest.raises(BundleError, match="another edgekit run is writing"):
        write(target, "B", force=True)
    assert "committed" in first.communicate()[0]
    assert letter_of(target) == "A"


@pytest.mark.slow
def test_many_at_once_leave_one_whole_bundle(tmp_path: Path) -> None:
    target = tmp_path / "b"
    for _ in range(3):
        writers = [start(target, letter, 2) for letter in "ABCD"]
        outputs = [writer.communicate() for writer in writers]
        assert any("committed" in out for out, _ in outputs)
        assert all("committed" in out or "another edgekit run" in err for out, err in outputs), outputs
        assert letter_of(target) in "ABCD"
    assert names(target) == WHOLE


def test_staging_that_is_a_link_is_unlinked(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "X")
    write(tmp_path / "b", "A")
    (tmp_path / "b" / ".edgekit-staging").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "b", "B", force=True)
    assert (letter_of(tmp_path / "b"), letter_of(tmp_path / "elsewhere")) == ("B", "X")
    assert names(tmp_path / "b") == WHOLE
