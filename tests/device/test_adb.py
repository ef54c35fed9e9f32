"""Which device a command means, and what it says when there is none that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.device.adb import ListedDevice, choose_devices, find_adb, list_devices, parse_devices
from edgekit.errors import MissingToolError

pytestmark = pytest.mark.slow

LISTING = """List of devices attached
8A2X0P            device usb:1-2 product:husky model:Pixel_8_Pro device:husky transport_id:3
R5CT              unauthorized usb:1-3 transport_id:4
127.0.0.1:5555    offline transport_id:5
0123456789ABCDEF  no permissions (user in plugdev group; are your udev rules wrong?); see [a page]

"""
PHONE, LOCKED, ASLEEP, FORBIDDEN = LISTED = parse_devices(LISTING)


def test_a_listing_is_read_with_states_and_models() -> None:
    assert ListedDevice("8A2X0P", "device", "Pixel_8_Pro") == PHONE
    assert [device.state for device in LISTED] == ["device", "unauthorized", "offline", "no permissions"]
    assert parse_devices("* daemon not running; starting now *\n* daemon started *\n\n") == ()


def test_the_only_device_is_meant() -> None:
    assert choose_devices([PHONE], environment={}) == (PHONE,)


def test_a_serial_is_meant_before_the_environment() -> None:
    other = ListedDevice("other", "device")
    assert choose_devices([PHONE, other], "other", {"ANDROID_SERIAL": "8A2X0P"}) == (other,)
    assert choose_devices([PHONE, other], None, {"ANDROID_SERIAL": "8A2X0P"}) == (PHONE,)


def test_all_means_those_that_are_ready() -> None:
    other = ListedDevice("other", "device")
    assert choose_devices([PHONE, LOCKED, other], "all", {}) == (PHONE, other)


@pytest.mark.parametrize(
    ("listed", "serial", "says"),
    [
        ([], None, "no device is connected"),
        ([], "all", "no device is connected"),
        ([PHONE, LOCKED], None, "2 devices are connected"),
        ([PHONE], "nobody", "no device has the serial nobody"),
        ([LOCKED], None, "has not allowed this computer"),
        ([ASLEEP], "127.0.0.1:5555", "offline"),
        ([FORBIDDEN], None, "may not open the device's USB port"),
        ([LOCKED], "all", "has not allowed this computer"),
        ([ListedDevice("x", "recovery")], None, "in state “recovery”"),
    ],
)
def test_a_device_that_cannot_be_used_is_explained(
    listed: list[ListedDevice], serial: str | None, says: str
) -> None:
    with pytest.raises(MissingToolError, match=says) as raised:
        choose_devices(listed, serial, {})
    assert raised.value.remedy
    assert raised.value.exit_code == 3


def test_several_devices_are_named_to_choose_from() -> None:
    with pytest.raises(MissingToolError) as raised:
        choose_devices([PHONE, LOCKED], None, {})
    assert "8A2X0P (Pixel_8_Pro), R5CT (unauthorized)" in str(raised.value)


def test_adb_comes_from_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "adb"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_adb() == own


def test_adb_comes_from_adbutils_next(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("adbutils", reason="adbutils is not installed")
    monkeypatch.setenv("PATH", "")
    assert find_adb().parent.name == "binaries"


def test_without_adb_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"edgekit\[device\]"):
        find_adb()


@pytest.mark.parametrize(
    ("body", "seconds", "says"),
    [
        ("exec sleep 600", 0.5, "does not answer within 0.5 s"),
        ("echo no server >&2; exit 1", 60.0, "no server"),
    ],
)
def test_an_adb_that_cannot_tell_is_a_missing_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, seconds: float, says: str
) -> None:
    monkeypatch.setattr("edgekit.device.adb._COMMAND_SECONDS", seconds)
    own = tmp_path / "adb"
    own.write_text(f"#!/bin/sh\n{body}\n")
    own.chmod(0o755)
    with pytest.raises(MissingToolError, match=says) as raised:
        list_devices(own)
    assert "kill-server" in str(raised.value.remedy)
