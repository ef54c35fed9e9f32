"""Files on their way to a real adbd: only what changed travels, and whatever ends a push, the next goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit.device import push as pushing
from edgekit.device.adb import Device, DeviceLost
from edgekit.device.facts import DIRECTORY
from edgekit.device.push import PushFile, clean, push
from edgekit.errors import MissingToolError
from edgekit.progress import Advance, Silent
from tests.device.rig import Board, Lab, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def board(lab: Lab) -> Board:
    return lab.board()


@pytest.fixture
def doomed(lab: Lab) -> Board:
    """A device of the test's own, to lose."""
    return lab.board()


def test_a_changed_file_is_pushed_anew(board: Board, tmp_path: Path) -> None:
    local = tmp_path / "file"
    file = PushFile(local, f"{DIRECTORY}/a file", "755")
    for content in (b"first", b"second, longer"):
        local.write_bytes(content)
        assert push(board.device, [file]) == len(content)
        assert (board.data / "local/tmp/edgekit/a file").read_bytes() == content
    assert board.device.checked(f"stat -c %a '{file.remote}'").strip() == "755"


def test_a_device_without_sha256sum_goes_by_what_was_noted(lab: Lab, tmp_path: Path) -> None:
    """The board's busybox has the applet; what asks for it is told that it has not."""
    board = lab.board(room="16m")
    hide = 'command() { [ "$2" != sha256sum ]; }; '
    local = tmp_path / "file"
    local.write_bytes(b"content")
    device = board.device
    shell = Device.shell
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Device, "shell", lambda self, script, **more: shell(self, hide + script, **more))
        assert push(device, [PushFile(local, f"{DIRECTORY}/file")]) == 7
        assert push(device, [PushFile(local, f"{DIRECTORY}/file")]) == 0
        local.write_bytes(b"changed")
        assert push(device, [PushFile(local, f"{DIRECTORY}/file")]) == 7
    board.kill()


def test_clean_removes_everything(board: Board, tmp_path: Path) -> None:
    local = tmp_path / "file"
    local.write_bytes(bytes(1 << 20))
    push(board.device, [PushFile(local, f"{DIRECTORY}/models/x/file")])
    assert clean(board.device) >= 1 << 20
    assert list((board.data / "local/tmp").iterdir()) == []
    assert clean(board.device) == 0


def test_room_that_runs_out_on_the_way_is_said(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = lab.board(room="4m")
    monkeypatch.setattr(pushing, "_check_room", lambda device, folder, needed: None)
    with pytest.raises(MissingToolError, match="no space is left on the device"):
        push(small.device, [PushFile(big_file(tmp_path, 16 << 20), f"{DIRECTORY}/file")])
    small.kill()


def test_a_push_goes_on_from_where_the_cable_was_pulled(lab: Lab, doomed: Board, tmp_path: Path) -> None:
    size = 200 << 20
    file = PushFile(big_file(tmp_path, size), f"{DIRECTORY}/file")

    def pull() -> None:
        wait_for(lambda: part_size(doomed) > 20 << 20, "the beginning of the file")
        lab.run("disconnect", doomed.serial)

    with pytest.raises(DeviceLost):
        push(doomed.device, [file], progress=Halfway(pull))
    wait_for(doomed.connect, "the device again")
    arrived = part_size(doomed)
    assert 20 << 20 < arrived < size
    assert push(doomed.device, [file]) <= size - arrived
    assert (doomed.data / "local/tmp/edgekit/file").stat().st_size == size
    doomed.kill()


def test_a_device_lost_while_pushing_is_said(doomed: Board, tmp_path: Path) -> None:
    file = PushFile(big_file(tmp_path, 200 << 20), f"{DIRECTORY}/file")
    with pytest.raises(DeviceLost, match="the device is gone"):
        push(doomed.device, [file], progress=Halfway(doomed.kill))


def test_a_device_that_takes_no_more_is_not_waited_for(
    doomed: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "_STUCK_SECONDS", 1.0)
    file = PushFile(big_file(tmp_path, 200 << 20), f"{DIRECTORY}/file")
    with pytest.raises(DeviceLost, match="takes no more data"):
        push(doomed.device, [file], progress=Halfway(doomed.freeze))
    doomed.kill()


class Halfway(Silent):
    """Does something when half of a file is sent; the push waits for it."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.then = then

    @contextlib.contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        sent, half = 0, (total or 0) // 2

        def advance(amount: int) -> None:
            nonlocal sent
            sent += amount
            if sent - amount < half <= sent:
                self.then()

        yield advance


def big_file(folder: Path, size: int) -> Path:
    path = folder / "big"
    with path.open("wb") as file:
        file.write(os.urandom(64))
        file.truncate(size)
    return path


def part_size(board: Board) -> int:
    try:
        return max(
            (part.stat().st_size for part in (board.data / "local/tmp/edgekit").glob("*.part")), default=0
        )
    except (OSError, IndexError):
        return 0
