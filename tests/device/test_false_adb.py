"""A program that is called adb and is none: each call ends, in an error that says what is wrong, and leaves nothing.

The harm held off: a command that hangs for ever, fills the memory, or ends as a bug of edgekit.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from edgekit.device import adb
from edgekit.device.adb import Device, list_devices
from edgekit.device.push import PushFile, push
from edgekit.errors import MissingToolError

pytestmark = pytest.mark.slow

FALSE = {
    "closed": "exec 1>&- 2>&-; exit 1",
    "silent": "exit 1",
    "garbage": "head -c 3000 /dev/urandom; head -c 3000 /dev/urandom >&2; exit 3",
    "hangs": "sleep 1000",
    "hangs in a child": "sleep 1000 & wait",
    "leaves a child": "sleep 1000 & exit 1",
    "flood": "yes",
    "flood of errors": "yes >&2",
    "killed": "kill -9 $$",
    "NUL": "printf 'List\\0of\\0devices\\n\\0\\0'; exit 2",
    "disk full": "echo 'write failed: No space left on device' >&2; exit 1",
    "reads nothing": "exec 0<&-; sleep 1000",
}


@pytest.fixture(params=FALSE)
def false_adb(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(adb, "_COMMAND_SECONDS", 0.5)
    monkeypatch.setattr(adb, "_SETTLE_SECONDS", 0.3)
    monkeypatch.setattr("edgekit.device.push._STUCK_SECONDS", 0.5)
    monkeypatch.setattr("edgekit.device.push._HASH_SECONDS", 0.5)
    path = tmp_path / "adb"
    path.write_text(f"#!/bin/sh\n# {tmp_path}\n{FALSE[request.param]}\n")
    path.chmod(0o755)
    return path


def left_running(path: Path) -> str:
    """The processes that the false adb's script still has, once they had time to go."""
    deadline = time.monotonic() + 60
    while found := subprocess.run(["pgrep", "-f", str(path)], capture_output=True, text=True).stdout:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return found


def test_listing_ends(false_adb: Path) -> None:
    with pytest.raises(MissingToolError):
        list_devices(false_adb)
    assert not left_running(false_adb)


def test_a_command_ends(false_adb: Path) -> None:
    with pytest.raises(MissingToolError):
        Device(false_adb, "x").checked("true", timeout=0.5)
    assert not left_running(false_adb)


def test_a_push_ends(false_adb: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    with pytest.raises(MissingToolError):
        push(Device(false_adb, "x"), [PushFile(tmp_path / "file", "/data/local/tmp/x")])
    assert not left_running(false_adb)


def test_one_that_does_not_execute(tmp_path: Path) -> None:
    (tmp_path / "adb").write_bytes(b"\x7fELF nonsense")
    for mode in (0o755, 0o644):
        (tmp_path / "adb").chmod(mode)
        with pytest.raises(MissingToolError, match="does not start"):
            list_devices(tmp_path / "adb")
