"""Installing over real adb and adbd; in the place of Android's package manager a script answers, in Android's words.

What no phone was here for: that Android itself takes the app.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.device.adb import DeviceLost
from edgekit.errors import EdgekitError, InputError, MissingToolError
from edgekit.packaging.targets.apk.install import install_apk
from edgekit.progress import Advance
from tests.device.rig import Board, Lab
from tests.packaging.targets.apk.making import IDENTITY

pytestmark = pytest.mark.slow

PACKAGE_MANAGER = r"""
echo "cmd $*" >> /data/called
while [ "$1" != -S ]; do shift; done
head -c "$2" > /data/received.apk
cat /data/answer
grep -q Success /data/answer
"""

ACTIVITY_MANAGER = r"""
echo "am $*" >> /data/called
cat /data/am-answer
"""

STARTED = "Starting: Intent { act=android.intent.action.MAIN cat=[android.intent.category.LAUNCHER] }\n"

FAILURES = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE: Existing package com.example.navigator signatures do not match newer "
    "version; ignoring!": (
        InputError,
        "com.example.navigator is installed, signed with another key",
        "uninstall",
    ),
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": (MissingToolError, "not enough space on the device", "free some"),
    "INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113": (
        *(InputError, "no library for this device's processor", "--abi"),
    ),
    "INSTALL_FAILED_OLDER_SDK: Requires newer sdk version #26 (current version is #24)": (
        *(InputError, "Android is too old: the app needs API level 26", "ro.build.version.sdk"),
    ),
    "INSTALL_FAILED_VERSION_DOWNGRADE": (
        InputError,
        "this one has version code 42",
        "raise the version code",
    ),
    "INSTALL_FAILED_USER_RESTRICTED: Install canceled by user": (MissingToolError, "over USB", "confirm"),
    "INSTALL_FAILED_VERIFICATION_FAILURE: Package Verification Result": (
        *(MissingToolError, "INSTALL_FAILED_VERIFICATION_FAILURE: Package Verification Result", None),
    ),
}


@pytest.fixture(scope="module")
def phone(lab: Lab) -> Board:
    return lab.board(scripts={"cmd": PACKAGE_MANAGER, "am": ACTIVITY_MANAGER})


@pytest.fixture(autouse=True)
def answers(phone: Board) -> None:
    answer(phone, "Success\n", STARTED)


def answer(phone: Board, installing: str, starting: str = STARTED) -> None:
    (phone.data / "called").unlink(missing_ok=True)
    (phone.data / "answer").write_text(installing)
    (phone.data / "am-answer").write_text(starting)


def called(phone: Board) -> list[str]:
    return (phone.data / "called").read_text().splitlines()


def test_the_app_arrives_whole_and_is_started(phone: Board, apk: Path) -> None:
    manifest = install_apk(phone.device, apk)
    assert manifest.application_id == IDENTITY.application_id
    assert (phone.data / "received.apk").read_bytes() == apk.read_bytes()
    assert called(phone) == [
        f"cmd package install -r -S {apk.stat().st_size}",
        "am start -a android.intent.action.MAIN -c android.intent.category.LAUNCHER "
        f"-n {IDENTITY.application_id}/dev.edgekit.sample.MainActivity",
    ]


def test_it_need_not_be_started(phone: Board, apk: Path) -> None:
    install_apk(phone.device, apk, start=False)
    assert [line.split()[0] for line in called(phone)] == ["cmd"]


@pytest.mark.parametrize("said", FAILURES)
def test_what_android_refuses_is_explained(phone: Board, apk: Path, said: str) -> None:
    kind, message, remedy = FAILURES[said]
    answer(phone, f"Failure [{said}]\n")
    with pytest.raises(kind, match=message) as refusal:
        install_apk(phone.device, apk)
    assert refusal.value.where == phone.serial
    assert (remedy or "") in (refusal.value.remedy or "")
    assert [line.split()[0] for line in called(phone)] == ["cmd"]


def test_an_answer_of_an_unknown_kind_is_shown(phone: Board, apk: Path) -> None:
    answer(phone, "cmd: Can't find service: package\n")
    with pytest.raises(MissingToolError, match="Can't find service: package"):
        install_apk(phone.device, apk)


@pytest.mark.parametrize(
    "said",
    [
        f"{STARTED}Error type 3\nError: Activity class {{com.example.navigator/x}} does not exist.\n",
        "Exception occurred while executing 'start':\njava.lang.SecurityException: Permission Denial\n",
    ],
)
def test_an_app_that_does_not_start_is_told_whatever_the_exit_code(
    phone: Board, apk: Path, said: str
) -> None:
    answer(phone, "Success\n", said)
    with pytest.raises(EdgekitError, match=r"Error type 3|Exception occurred"):
        install_apk(phone.device, apk)


def test_a_file_that_is_no_app_does_not_reach_the_device(phone: Board, tmp_path: Path) -> None:
    path = tmp_path / "x.apk"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="no ZIP archive"):
        install_apk(phone.device, path)
    assert not (phone.data / "called").exists()


def test_a_device_that_goes_away_is_told(lab: Lab, apk: Path) -> None:
    gone = lab.board(scripts={"cmd": PACKAGE_MANAGER})
    gone.kill()
    with pytest.raises(DeviceLost, match="the device is gone"):
        install_apk(gone.device, apk)


def test_a_device_that_answers_no_more_is_told(
    lab: Lab,
    apk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edgekit.packaging.targets.apk import install

    monkeypatch.setattr(install, "_STALLED_SECONDS", 1.0)
    frozen = lab.board(scripts={"cmd": "sleep 60"})
    with pytest.raises(DeviceLost, match="takes no more data"):
        install_apk(frozen.device, apk)


def test_progress_is_told_in_bytes(phone: Board, apk: Path) -> None:
    told: list[int] = []

    class Listener:
        @contextlib.contextmanager
        def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
            told.append(-(total or 0))
            yield told.append

    install_apk(phone.device, apk, progress=Listener())
    assert told[0] == -apk.stat().st_size
    assert sum(told) == 0
