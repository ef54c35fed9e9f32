"""Bringing files to a device: only what changed, with progress, and on from where an interrupted push ended.

A file travels through the device's `cat` into a part named after its digest. The part grows until its digest is the
file's; then it is renamed. So a file under its own name is always whole, and a part is always one file's beginning.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgekit.device.adb import RECONNECT, Device, DeviceLost, device_failure, end_group, quote
from edgekit.device.facts import DIRECTORY
from edgekit.errors import MissingToolError
from edgekit.figures import size
from edgekit.files.digest import file_digest
from edgekit.progress import SILENT, Advance, Progress

_SLICE = 1 << 18
_HASH_SECONDS = 300.0
_STUCK_SECONDS = 60.0
_SPARE = 16 << 20
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class PushFile:
    """A file and where it goes. remote: an absolute path on the device. mode: its permissions there, octal."""

    local: Path
    remote: str
    mode: str = "644"


@dataclass(frozen=True)
class _Pending:
    file: PushFile
    size: int
    digest: str

    @property
    def part(self) -> str:
        return f"{self.file.remote}.{self.digest[:16]}.part"


def push(device: Device, files: Iterable[PushFile], *, progress: Progress = SILENT) -> int:
    """Make files be on a device; returns the number of bytes that had to travel.

    Raises MissingToolError when they do not fit or may not be written, DeviceLost when the device goes away; what has
    arrived by then stays, and the next push goes on from there.
    """
    wanted = [_Pending(file, file.local.stat().st_size, file_digest(file.local)) for file in files]
    there = _remote_digests(device, [pending.file.remote for pending in wanted])
    missing = [pending for pending in wanted if there.get(pending.file.remote) != pending.digest]
    if not missing:
        return 0
    folders = sorted({posixpath.dirname(pending.file.remote) for pending in missing})
    made = device.shell(f"mkdir -p {quote(*folders)}")
    if made.code != 0:
        raise device_failure(device, made.err or made.out, "mkdir")
    begun = {pending.part: _begun(device, pending) for pending in missing}
    _check_room(device, folders[0], sum(pending.size - begun[pending.part] for pending in missing))
    sent = 0
    for pending in missing:
        with progress.step(f"push {pending.file.local.name}", pending.size, "bytes") as advance:
            advance(begun[pending.part])
            sent += _send(device, pending, begun[pending.part], advance)
        _finish(device, pending)
    return sent


def clean(device: Device) -> int:
    """Remove everything that edgekit put on a device; returns how many bytes that freed."""
    before = device.shell(f"du -sk {quote(DIRECTORY)} 2>/dev/null")
    device.checked(f"rm -rf {quote(DIRECTORY)}")
    size = re.match(r"[0-9]{1,18}\b", before.out)
    return int(size[0]) * 1024 if size else 0


def _remote_digests(device: Device, paths: list[str]) -> dict[str, str]:
    """Digests of the files that are there.

    The device computes them; one without sha256sum tells what was noted when the file arrived, and the size.
    """
    script = (
        f"for f in {quote(*paths)}; do [ -f $f ] || continue; "
        'if command -v sha256sum >/dev/null 2>&1; then sha256sum "$f"; '
        'elif [ "$(cut -d" " -f2 "$f.sha256" 2>/dev/null)" = "$(wc -c < "$f" | tr -d " ")" ]; '
        'then echo "$(cut -d" " -f1 "$f.sha256")  $f"; fi; done'
    )
    out = device.checked(script, timeout=_HASH_SECONDS)
    return {path: digest for digest, path in re.findall(r"^([0-9a-f]{64}) [ *](.+?)\r?$", out, re.MULTILINE)}


def _begun(device: Device, pending: _Pending) -> int:
    """How much of a file is there from an interrupted push; what is not its beginning is removed."""
    part = quote(pending.part)
    out = device.shell(
        f"[ -f {part} ] && wc -c < {part} && sha256sum {part}", timeout=_HASH_SECONDS
    ).out.split()
    if len(out) >= 2 and _NUMBER.fullmatch(out[0]) and int(out[0]) <= pending.size:
        size = int(out[0])
        if file_digest(pending.file.local, first=size) == out[1]:
            return size
    device.checked(f"rm -f {part}")
    return 0


def _check_room(device: Device, folder: str, needed: int) -> None:
    out = device.checked(f"df -k {quote(folder)}").split()
    # The columns of busybox, toybox and coreutils alike end in: available, use%, mount point.
    percent = next((i for i, word in enumerate(out) if re.fullmatch(r"\d+%", word)), 0)
    free = int(out[percent - 1]) * 1024 if percent and _NUMBER.fullmatch(out[percent - 1]) else None
    if free is not None and free < needed + min(needed, _SPARE):
        raise MissingToolError(
            f"no space is left on the device: {size(needed)} are needed, {size(free)} are free",
            where=device.serial,
            remedy="free some, or remove what earlier runs pushed: edgekit bench --on adb --clean",
        )


def _send(device: Device, pending: _Pending, begun: int, advance: Advance) -> int:
    """Append what is missing to the part; returns the number of bytes sent."""
    process = device.start(f"cat >> {quote(pending.part)}")
    assert process.stdin and process.stderr and process.stdout
    complaints: list[bytes] = []
    readers = [
        threading.Thread(target=_drain, args=(stream, into), daemon=True)
        for stream, into in ((process.stderr, complaints), (process.stdout, []))
    ]
    for reader in readers:
        reader.start()
    sent = 0
    try:
        with _ended_when_stuck(process) as moved:
            with contextlib.suppress(BrokenPipeError), pending.file.local.open("rb") as source:
                source.seek(begun)
                while block := source.read(_SLICE):
                    process.stdin.write(block)
                    moved.set()
                    sent += len(block)
                    advance(len(block))
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            code = process.wait()
        for reader in readers:
            reader.join()
    finally:
        end_group(process)
        process.wait()
        process.stdout.close()
        process.stderr.close()
    said = b"".join(complaints).decode(errors="replace")
    if code == -signal.SIGKILL:
        raise DeviceLost("the device takes no more data", where=device.serial, remedy=RECONNECT)
    if code != 0:
        device.raise_if_lost(said)
        raise device_failure(device, said, f"writing {pending.file.remote}")
    return sent


@contextlib.contextmanager
def _ended_when_stuck(process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Kill a process when the event that this gives has not been set for a while: its pipe is full, or it hangs."""
    moved, over = threading.Event(), threading.Event()

    def watch() -> None:
        while moved.wait(_STUCK_SECONDS):
            if over.is_set():
                return
            moved.clear()
        end_group(process)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield moved
    finally:
        over.set()
        moved.set()


def _drain(stream: BinaryIO, into: list[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        while block := stream.read(4096):
            into.append(block)


def _finish(device: Device, pending: _Pending) -> None:
    """Hold the part to its digest (to its size where the device cannot hash), and give it its name."""
    part, remote = quote(pending.part), quote(pending.file.remote)
    script = (
        f"if command -v sha256sum >/dev/null 2>&1; then sha256sum < {part}; "
        f'else [ "$(wc -c < {part} | tr -d " ")" = {pending.size} ] && echo {pending.digest}; fi'
    )
    arrived = device.shell(script, timeout=_HASH_SECONDS).out.split()
    if arrived[:1] != [pending.digest]:
        device.shell(f"rm -f {part}")
        raise MissingToolError(
            "the file arrived damaged",
            where=f"{device.serial}: {pending.file.remote}",
            remedy="push it again",
        )
    device.checked(
        f"echo {pending.digest} {pending.size} > {remote}.sha256 && chmod {pending.file.mode} {part} "
        f"&& mv -f {part} {remote}"
    )
