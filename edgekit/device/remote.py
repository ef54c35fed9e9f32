"""Commands on a device that take long: they end when we do, whatever becomes of the cable.

A command is started under a shell that kills it when its own input ends, and adbd ends that input whenever adb, the
cable or this program goes away.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from edgekit.device.adb import Device, quote
from edgekit.device.facts import DIRECTORY
from edgekit.errors import EdgekitError

T = TypeVar("T")

_LOOK_SECONDS = 0.5
_END_SECONDS = 5.0
_READ_SECONDS = 30.0
"""For what adb has said until its end: a moment, unless something that it started holds its pipes."""


@dataclass(frozen=True)
class Ended:
    """What a command gave until its end. code: its exit status, None when it was ended for taking too long."""

    code: int | None
    out: str
    err: str


def guarded(command: str) -> str:
    """A script that runs a command, and kills it when the script's own input ends."""
    return (
        f"cd {quote(DIRECTORY)} || exit 66\n"
        "exec 3<&0\n"
        f"{command} </dev/null 3<&- &\n"
        "runner=$!\n"
        "(while read -r _; do :; done; kill -9 $runner) <&3 >/dev/null 2>&1 &\n"
        "guard=$!\n"
        "exec 3<&-\n"
        "wait $runner\n"
        "code=$?\n"
        "kill -9 $guard 2>/dev/null\n"
        "exit $code"
    )


def run_guarded(device: Device, command: str, *, seconds: float) -> Ended:
    """Run a command on a device for at most so many seconds. Whatever ends this function ends the command, too."""
    process = device.start(guarded(command))
    assert process.stdin and process.stdout and process.stderr
    streams: tuple[list[bytes], list[bytes]] = ([], [])
    readers = [
        threading.Thread(target=_pump, args=(stream, into), daemon=True)
        for stream, into in zip((process.stdout, process.stderr), streams, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        code = _wait(process, seconds)
    finally:
        _end(process)
    for reader in readers:
        reader.join(timeout=_READ_SECONDS)
    out, err = (b"".join(stream).decode(errors="replace") for stream in streams)
    return Ended(code, out, err)


def on_each(
    devices: Sequence[Device], work: Callable[[Device], T]
) -> tuple[tuple[T, ...], tuple[EdgekitError, ...]]:
    """Do something with several devices at once.

    Returns the results in the devices' order, and the errors of those that failed. An interrupt ends the commands on
    all of them, and is raised.
    """
    ends: dict[Device, tuple[T] | BaseException] = {}
    stop = threading.Event()

    def watched(device: Device) -> None:
        _STOP.set(stop)
        try:
            ends[device] = (work(device),)
        except BaseException as error:
            ends[device] = error

    # Daemons: a device that has stopped answering must not keep the program from ending.
    threads = [threading.Thread(target=watched, args=(device,), daemon=True) for device in devices]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(timeout=_END_SECONDS)
        raise
    found = [ends[device] for device in devices]
    for end in found:
        if isinstance(end, BaseException) and not isinstance(end, EdgekitError):
            raise end
    return (
        tuple(end[0] for end in found if isinstance(end, tuple)),
        tuple(end for end in found if isinstance(end, EdgekitError)),
    )


class _Stopped(EdgekitError):  # noqa: N818 - named after what happened
    """The program has been interrupted while this device was busy."""


_STOP: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait for a process; None when it has not ended in time. Raises when the program is to stop."""
    stop = _STOP.get()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if stop is not None and stop.is_set():
            raise _Stopped("interrupted")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_LOOK_SECONDS)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the remote script's input, which ends whatever still runs there, and see adb off."""
    assert process.stdin and process.stdout and process.stderr
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pump(stream: Any, into: list[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while block := stream.read1(1 << 16):
            into.append(block)
