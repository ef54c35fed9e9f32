"""Commands on a real adbd that take long: they end there when they end here, and the other way round."""

from __future__ import annotations

import pytest

from edgekit.device.adb import Device, DeviceLost
from edgekit.device.facts import DIRECTORY
from edgekit.device.remote import guarded, on_each, run_guarded
from tests.device.rig import PATIENCE, Board, Lab, wait_for


@pytest.fixture(scope="module")
def board(lab: Lab) -> Board:
    board = lab.board()
    board.device.checked(f"mkdir -p {DIRECTORY}")
    return board


@pytest.mark.slow
def test_an_undisturbed_script_keeps_its_exit_status_and_leaves_no_guard(board: Board) -> None:
    process = board.device.start(guarded("sh -c 'echo out; echo err >&2; exit 5'"))
    assert process.stdin and process.stdout and process.stderr
    assert process.wait(timeout=PATIENCE) == 5
    assert (process.stdout.read(), process.stderr.read()) == (b"out\n", b"err\n")
    process.stdin.close()
    wait_for(lambda: not board.running("sh"), "the end of the guard")


def test_what_a_command_says_comes_home_whole(board: Board) -> None:
    many = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo oops >&2; exit 3"
    ended = run_guarded(board.device, f"sh -c '{many}'", seconds=60)
    assert (ended.code, ended.out.splitlines()[-1], ended.err) == (3, "line 19999", "oops\n")


def test_a_command_that_takes_too_long_is_ended_there_too(board: Board) -> None:
    ended = run_guarded(board.device, "sleep 1000", seconds=0.5)
    assert ended.code is None
    wait_for(lambda: not board.running("sleep"), "the end of the command")


def test_results_come_in_order_beside_the_errors_of_the_others(lab: Lab, board: Board) -> None:
    gone = Device(lab.adb, "127.0.0.1:1")
    found, lost = on_each([gone, board.device, board.device], lambda device: device.checked("echo here"))
    assert found == ("here\n", "here\n")
    assert [(type(error), error.where) for error in lost] == [(DeviceLost, "127.0.0.1:1")]


def test_what_is_no_error_of_a_device_is_raised(board: Board) -> None:
    with pytest.raises(ZeroDivisionError):
        on_each([board.device], lambda device: 1 // 0)
