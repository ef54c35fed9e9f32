"""Reaching a device over adb: finding adb, choosing a device, running commands on it.

Only the command line of adb is used, so that any version and any server works: the user's own running one, one on
another port (ANDROID_ADB_SERVER_PORT) or socket (ADB_SERVER_SOCKET).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgekit.errors import MissingToolError

SERIAL_VARIABLE = "ANDROID_SERIAL"
ALL = "all"
"""Instead of a serial number: every device that is ready."""

_COMMAND_SECONDS = 60.0
_SETTLE_SECONDS = 5.0
_MOST_SAID = 16 << 20


@dataclass(frozen=True)
class ListedDevice:
    """One line of `adb devices -l`."""

    serial: str
    state: str
    """device, offline, unauthorized, no permissions, recovery, …; only "device" can be used."""
    model: str | None = None

    @property
    def ready(self) -> bool:
        """Whether commands can be run on it."""
        return self.state == "device"


@dataclass(frozen=True)
class Completed:
    """What a command on the device gave."""

    code: int
    out: str
    err: str


class DeviceLost(MissingToolError):  # noqa: N818 - named after what happened
    """The connection ended while the device was in use."""


def find_adb() -> Path:
    """Where adb is: on PATH, else the one that the package adbutils carries.

    PATH comes first because two versions of adb end each other's server, and with it what an IDE is doing.
    Raises MissingToolError when there is neither.
    """
    if on_path := shutil.which("adb"):
        return Path(on_path)
    spec = importlib.util.find_spec("adbutils")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        carried = Path(folder) / "binaries" / ("adb.exe" if os.name == "nt" else "adb")
        if carried.is_file():
            if not os.access(carried, os.X_OK):
                carried.chmod(0o755)
            return carried
    raise MissingToolError(
        "adb is not there, neither on PATH nor from the package adbutils",
        remedy="pip install 'edgekit[device]' brings it, or install Android's platform tools",
    )


def list_devices(adb: Path | None = None) -> tuple[ListedDevice, ...]:
    """What adb sees, ready or not, in adb's order. Raises MissingToolError when it cannot tell."""
    remedy = "restart its server: adb kill-server, then adb devices"
    try:
        done = _run([str(adb or find_adb()), "devices", "-l"], _COMMAND_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise MissingToolError(f"adb does not answer within {error.timeout:g} s", remedy=remedy) from error
    if done.code != 0:
        raise MissingToolError(f"adb cannot list devices: {_last_line(done.err)}", remedy=remedy)
    return parse_devices(done.out)


def parse_devices(text: str) -> tuple[ListedDevice, ...]:
    """Read the output of `adb devices -l`."""
    found = []
    for line in text.splitlines():
        if line.startswith(("List of devices", "* ")) or not line.strip():
            continue
        # The state is one word, but for "no permissions (user in plugdev group; …); see [http…]".
        match = re.match(r"(\S+)\s+(no permissions|\S+)(.*)", line)
        if match:
            model = re.search(r"\bmodel:(\S+)", match[3])
            found.append(ListedDevice(match[1], match[2], model and model[1]))
    return tuple(found)


def choose_devices(
    listed: Sequence[ListedDevice],
    serial: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[ListedDevice, ...]:
    """The devices that a command means, chosen as adb does: by serial, by ANDROID_SERIAL, or the only one there is.

    serial: as given, or "all" for every one that is ready.
    Raises MissingToolError, which names the devices to choose from, when there is none, or several, or when the one
    that is meant cannot be used.
    """
    environment = os.environ if environment is None else environment
    wanted = serial or environment.get(SERIAL_VARIABLE) or None
    if not listed:
        raise MissingToolError(
            "no device is connected",
            remedy="plug one in and allow USB debugging (Settings, Developer options), or: adb connect HOST:PORT",
        )
    if wanted == ALL:
        ready = tuple(device for device in listed if device.ready)
        if not ready:
            raise _unusable(listed[0])
        return ready
    if wanted is not None:
        meant = [device for device in listed if device.serial == wanted]
        if not meant:
            raise MissingToolError(
                f"no device has the serial {wanted}", remedy=f"connected: {_names(listed)}"
            )
        if not meant[0].ready:
            raise _unusable(meant[0])
        return (meant[0],)
    if len(listed) > 1:
        raise MissingToolError(
            f"{len(listed)} devices are connected",
            remedy=f"name one by its serial, or set {SERIAL_VARIABLE}: {_names(listed)}",
        )
    if not listed[0].ready:
        raise _unusable(listed[0])
    return (listed[0],)


def _names(listed: Sequence[ListedDevice]) -> str:
    def name(device: ListedDevice) -> str:
        notes = [note for note in (device.model, None if device.ready else device.state) if note]
        return f"{device.serial} ({', '.join(notes)})" if notes else device.serial

    return ", ".join(name(device) for device in listed)


_STATES = {
    "unauthorized": (
        "the device has not allowed this computer",
        "unlock it and accept “Allow USB debugging”; if it does not ask: revoke the authorizations in Developer "
        "options and plug it in again",
    ),
    "authorizing": (
        "the device is still asking whether to allow this computer",
        "accept on its screen and repeat",
    ),
    "offline": ("the device is offline", "plug it in again, or: adb reconnect offline"),
    "no permissions": (
        "this user may not open the device's USB port",
        "add udev rules (Debian: android-sdk-platform-tools-common) and the group plugdev, then plug it in again",
    ),
}


def _unusable(device: ListedDevice) -> MissingToolError:
    message, remedy = _STATES.get(
        device.state, (f"the device is in state “{device.state}”", "start Android on it, then repeat")
    )
    return MissingToolError(message, where=device.serial, remedy=remedy)


@dataclass(frozen=True)
class Device:
    """One device that is ready, and the adb to reach it with."""

    adb: Path
    serial: str

    def command(self, *words: str) -> list[str]:
        """An adb command line for this device."""
        return [str(self.adb), "-s", self.serial, *words]

    def shell(self, script: str, *, timeout: float = _COMMAND_SECONDS) -> Completed:
        """Run a shell script on the device; its exit code is the caller's to judge.

        Raises DeviceLost when the device is no longer there, or does not answer within `timeout` seconds.
        """
        try:
            done = _run(self.command("shell", "-T", script), timeout)
        except subprocess.TimeoutExpired as error:
            raise DeviceLost(
                f"the device did not answer within {timeout:g} s", where=self.serial, remedy=RECONNECT
            ) from error
        if done.code != 0:
            self.raise_if_lost(done.err)
        return done

    def checked(self, script: str, *, timeout: float = _COMMAND_SECONDS) -> str:
        """Run a shell script that must succeed; gives its output."""
        done = self.shell(script, timeout=timeout)
        if done.code != 0:
            raise device_failure(self, done.err or done.out, script.strip().splitlines()[0][:80])
        return done.out

    def start(self, script: str) -> subprocess.Popen[bytes]:
        """Start a shell script with its three streams as pipes; closing its input tells it that we have gone."""
        return _start(self.command("shell", "-T", script), subprocess.PIPE)

    def raise_if_lost(self, stderr: str) -> None:
        """Raise DeviceLost when adb, and not the command on the device, says that it failed, or the device is gone."""
        said = next((line for line in stderr.splitlines() if _ADB_FAILURE.search(line)), None)
        if said is not None or not self.present():
            raise DeviceLost("the device is gone", where=self.serial, remedy=RECONNECT)

    def present(self) -> bool:
        """Whether adb still reaches the device."""
        try:
            state = _run(self.command("get-state"), _SETTLE_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return state.code == 0 and state.out.strip() == "device"


RECONNECT = "check the cable or the network (adb devices), then repeat: what was pushed is kept"

_ADB_FAILURE = re.compile(
    r"^(?:adb: )?(?:error: )?(?:device '.*' not found|device offline|device still \w+|closed"
    r"|no devices?/emulators? found|protocol fault|failed to connect|cannot connect to daemon)"
)


def device_failure(device: Device, said: str, doing: str) -> MissingToolError:
    """What a command's complaint on the device means for the user."""
    line = _last_line(said)
    if "No space left" in said:
        return MissingToolError(
            "no space is left on the device",
            where=device.serial,
            remedy="free some, or remove what earlier runs pushed: edgekit bench --on adb --clean",
        )
    if "Read-only file system" in said or "Permission denied" in said:
        return MissingToolError(
            f"the device does not let us write there ({line})",
            where=device.serial,
            remedy="the directory must be writable for adb's shell user",
        )
    return MissingToolError(f"a command failed on the device: {line}", where=f"{device.serial}: {doing}")


def quote(*words: object) -> str:
    """Words for the device's shell."""
    return " ".join(shlex.quote(str(word)) for word in words)


def _start(command: list[str], stdin: int) -> subprocess.Popen[bytes]:
    """Start adb in a process group of its own. Raises MissingToolError when it does not execute."""
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to handle: adb must live until the remote end has been told
        )
    except OSError as error:
        raise MissingToolError(
            f"adb does not start ({error.strerror})",
            where=command[0],
            remedy="install Android's platform tools, or pip install 'edgekit[device]', which brings adb",
        ) from error


def _run(command: list[str], timeout: float) -> Completed:
    """Run adb to its end. Raises TimeoutExpired, and MissingToolError when it does not start or never stops talking.

    Whatever it is, nothing of it is left running, and no more than a few megabytes of what it says are kept.
    """
    process = _start(command, subprocess.DEVNULL)
    assert process.stdout and process.stderr
    said: tuple[list[bytes], list[bytes]] = ([], [])
    flooded = threading.Event()

    def drain(stream: IO[bytes], into: list[bytes]) -> None:
        left = _MOST_SAID
        with contextlib.suppress(OSError, ValueError):
            while block := os.read(stream.fileno(), 1 << 16):
                into.append(block)
                left -= len(block)
                if left < 0:
                    flooded.set()
                    end_group(process)
                    return

    streams = (process.stdout, process.stderr)
    readers = [
        threading.Thread(target=drain, args=pair, daemon=True) for pair in zip(streams, said, strict=True)
    ]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + timeout
    try:
        code = process.wait(timeout)
        for reader in readers:  # what adb has started may hold its pipes
            reader.join(max(0.0, min(_SETTLE_SECONDS, deadline - time.monotonic())))
    finally:
        end_group(process)
        process.wait()
        for reader, stream in zip(readers, streams, strict=True):
            reader.join(1.0)
            if not reader.is_alive():
                stream.close()
    if flooded.is_set():
        raise MissingToolError(
            f"adb says more than {_MOST_SAID >> 20} MiB", where=command[0], remedy="is it the adb of Android?"
        )
    out, err = (b"".join(blocks).decode(errors="replace") for blocks in said)
    return Completed(code, out, err)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that `_start` started, and what it has started in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
