"""A bundle directory that somebody made: reading it changes no file, and writing one changes none outside it.

The harm held off: a directory from an archive or a repository that overwrites or deletes files of the user, publishes
them, or hangs the command, when it is opened.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgekit.bundle.adapter.opening import read_adapter_bundle
from edgekit.bundle.directory import check_directory, new_bundle, reports_directory
from edgekit.bundle.inspect import inspect
from edgekit.bundle.opening import open_bundle
from edgekit.errors import EdgekitError

READERS = [check_directory, open_bundle, read_adapter_bundle, inspect]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's own files."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "authorized_keys").write_text("the user's")
    return home


@pytest.fixture
def bundle(tmp_path: Path, home: Path) -> Path:
    directory = tmp_path / "b"
    directory.mkdir()
    return directory


def state(*directories: Path) -> dict[str, str]:
    """Every file below, and what is in it."""
    return {
        str(path): path.read_text() if path.is_file() and not path.is_symlink() else ""
        for directory in directories
        for path in sorted(directory.rglob("*"))
    }


def commit_of(bundle: Path, name: str, content: str = "the attacker's") -> None:
    path = bundle / ".edgekit-commit" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def through_a_linked_folder(bundle: Path, home: Path) -> None:
    commit_of(bundle, "x/authorized_keys")
    (bundle / "x").symlink_to(home / ".ssh")


def through_reports(bundle: Path, home: Path) -> None:
    (home / ".ssh" / "validate.json").write_text("the user's")
    commit_of(bundle, "reports/validate.json")
    (bundle / "reports").symlink_to(home / ".ssh")


def stale_through_reports(bundle: Path, home: Path) -> None:
    (home / ".ssh" / "validate.json").write_text("the user's")
    commit_of(bundle, ".edgekit-stale.json", '["reports/validate.json"]')
    (bundle / "reports").symlink_to(home / ".ssh")


def a_link_as_commit(bundle: Path, home: Path) -> None:
    (bundle / ".edgekit-commit").symlink_to(home / ".ssh")


def a_link_in_the_commit(bundle: Path, home: Path) -> None:
    (bundle / ".edgekit-commit").mkdir()
    (bundle / ".edgekit-commit" / "NOTICE").symlink_to(home / ".ssh" / "authorized_keys")


def a_linked_folder_in_the_commit(bundle: Path, home: Path) -> None:
    (bundle / ".edgekit-commit").mkdir()
    (bundle / ".edgekit-commit" / "reports").symlink_to(home / ".ssh")


def stale_outside(bundle: Path, home: Path) -> None:
    commit_of(bundle, ".edgekit-stale.json", '["../home/.ssh/authorized_keys"]')


def stale_by_dots(bundle: Path, home: Path) -> None:
    commit_of(bundle, ".edgekit-stale.json", '["reports/../../home/.ssh/authorized_keys"]')


def stale_nonsense(bundle: Path, home: Path) -> None:
    commit_of(bundle, ".edgekit-stale.json", "[" * 100_000)


def a_hidden_file(bundle: Path, home: Path) -> None:
    commit_of(bundle, ".bashrc")


def a_pipe_in_the_commit(bundle: Path, home: Path) -> None:
    (bundle / ".edgekit-commit").mkdir()
    os.mkfifo(bundle / ".edgekit-commit" / ".edgekit-stale.json")


PLANTED = [
    through_a_linked_folder,
    through_reports,
    stale_through_reports,
    a_link_as_commit,
    a_link_in_the_commit,
    a_linked_folder_in_the_commit,
    stale_outside,
    stale_by_dots,
    stale_nonsense,
    a_hidden_file,
    a_pipe_in_the_commit,
]


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("read", READERS)
def test_reading_changes_nothing(bundle: Path, home: Path, plant, read) -> None:  # type: ignore[no-untyped-def]
    plant(bundle, home)
    before = state(bundle, home)
    with pytest.raises(EdgekitError):
        read(bundle)
    assert state(bundle, home) == before


@pytest.mark.parametrize("plant", PLANTED)
def test_writing_changes_nothing_outside(bundle: Path, home: Path, plant) -> None:  # type: ignore[no-untyped-def]
    plant(bundle, home)
    before = state(home)
    with pytest.raises(EdgekitError), new_bundle(bundle, force=True) as staging:
        (staging.path / "m.litertlm").write_bytes(b"x")
        (staging.path / "edgekit.json").write_text('{"model": {"file": "m.litertlm"}}')
    assert state(home) == before


def test_an_unfinished_commit_is_left_to_the_next_writer(bundle: Path) -> None:
    commit_of(bundle, "NOTICE")
    commit_of(bundle, "m.litertlm")
    commit_of(bundle, "edgekit.json", '{"model": {"file": "m.litertlm"}}')
    with pytest.raises(EdgekitError, match="was killed while it put its files in place"):
        open_bundle(bundle)
    with pytest.raises(EdgekitError, match="there is a bundle already"), new_bundle(bundle):
        pass
    assert {path.name for path in bundle.iterdir()} == {"NOTICE", "m.litertlm", "edgekit.json"}


def test_a_bare_file_beside_a_planted_commit_is_read_alone(bundle: Path, int8_bundle: Path) -> None:
    commit_of(bundle, "NOTICE")
    (bundle / "any.litertlm").write_bytes(next(int8_bundle.glob("*.litertlm")).read_bytes())
    before = sorted(path.name for path in bundle.iterdir())
    inspect(bundle / "any.litertlm")
    assert sorted(path.name for path in bundle.iterdir()) == before


@pytest.mark.parametrize("name", ["edgekit.json", "adapter.json", "NOTICE", "m.litertlm"])
def test_no_link_out_of_a_bundle_is_followed(bundle: Path, home: Path, name: str) -> None:
    (bundle / name).symlink_to(home / ".ssh" / "authorized_keys")
    with pytest.raises(EdgekitError, match="a link out of its directory"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["edgekit.json", "m.litertlm"])
def test_a_pipe_or_a_device_is_refused_without_waiting(bundle: Path, name: str) -> None:
    os.mkfifo(bundle / name)
    with pytest.raises(EdgekitError, match="no file but a pipe"):
        open_bundle(bundle)
    (bundle / name).unlink()
    (bundle / name).symlink_to("/dev/zero")
    with pytest.raises(EdgekitError, match="a link out of its directory"):
        open_bundle(bundle)


def test_links_within_a_bundle_and_into_the_hubs_blobs_are_followed(tmp_path: Path, bundle: Path) -> None:
    (bundle / "notes").write_text("x")
    (bundle / "NOTICE").symlink_to("notes")
    check_directory(bundle)
    snapshot = tmp_path / "models--a--b" / "snapshots" / "1234"
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "abcd").write_text("x")
    (snapshot / "NOTICE").symlink_to("../../blobs/abcd")
    check_directory(snapshot)
    (blobs / "abcd").unlink()
    (blobs / "abcd").symlink_to(tmp_path / "home")
    with pytest.raises(EdgekitError, match="a link out of its directory"):
        check_directory(snapshot)


def test_no_report_is_written_through_a_link(bundle: Path, home: Path) -> None:
    (bundle / "reports").symlink_to(home)
    with pytest.raises(EdgekitError, match="is a link"):
        reports_directory(bundle)
    (bundle / "reports").unlink()
    assert reports_directory(bundle).is_dir()


def test_a_manifest_that_is_a_pipe_in_the_way_is_not_waited_for(bundle: Path) -> None:
    os.mkfifo(bundle / "edgekit.json")
    with pytest.raises(EdgekitError, match="cannot be read"), new_bundle(bundle, force=True):
        pass
    assert json.dumps(sorted(path.name for path in bundle.iterdir())) == '["edgekit.json"]'
