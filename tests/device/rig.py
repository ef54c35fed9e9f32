"""Real devices for tests: AOSP's adbd from Debian, each in mount and process namespaces of its own.

A lab is a network namespace in which one adb server runs; the server is reached over a Unix socket, so neither it nor
any device (adbd listens without authentication) can be reached from outside. A device is a chroot with busybox, adbd
and a small writable /data, whose processes all end with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from edgekit.device.adb import Device, find_adb

PACKAGES = ("adbd", "busybox-static")
SUITE = "trixie"
ADBD = "/usr/lib/android-sdk/platform-tools/adbd"
PATIENCE = 120.0
"""Seconds that only a hang takes, however busy the machine is."""


class CannotRun(Exception):  # noqa: N818 - named after what it says
    """Why there can be no device here."""


def system_root() -> Path:
    """The unpacked system of a device, fetched once from the Debian mirror that this machine uses itself."""
    kept = user_cache_path("edgekit-tests") / f"adbd-{SUITE}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.with_suffix(".lock")):  # a worker of xdist that comes second waits
        if not (kept / "root" / "bin").exists():
            _fetch_system(kept)
    return kept / "root"


def _fetch_system(kept: Path) -> None:
    for tool in ("apt-get", "dpkg", "unshare", "nsenter", "chroot"):
        if shutil.which(tool) is None:
            raise CannotRun(f"{tool} is not there")
    shutil.rmtree(kept, ignore_errors=True)
    for folder in ("state/lists/partial", "cache/archives/partial", "root"):
        (kept / folder).mkdir(parents=True)
    (kept / "status").touch()
    (kept / "sources.list").write_text(_source_line() + "\n")
    options = {
        "Dir::Etc::sourcelist": kept / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": kept / "state",
        "Dir::State::status": kept / "status",
        "Dir::Cache": kept / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    for words in (("update",), ("-y", "--no-install-recommends", "--download-only", "install", *PACKAGES)):
        done = subprocess.run([*apt, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotRun(f"apt-get {words[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    root = kept / "root"
    for package in sorted((kept / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    for folder in ("proc", "sys", "dev", "data", "tmp", "opt"):
        (root / folder).mkdir(exist_ok=True)
    applets = subprocess.run([root / "usr/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if not (root / "usr/bin" / applet).exists():
            (root / "usr/bin" / applet).symlink_to("busybox")
    for folder in ("lib", "lib64", "sbin", "bin"):  # bin last: it says that all is there
        (root / folder).symlink_to(f"usr/{folder}")


def _source_line() -> str:
    """A source for the suite, from where this machine's own packages come."""
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        text = path.read_text(errors="replace") if path.is_file() else ""
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([\w-]+): *(.+)$", stanza, re.MULTILINE))
            if "main" in fields.get("Components", "") and "debian" in fields.get("URIs", ""):
                signed = f"[signed-by={fields['Signed-By']}] " if "Signed-By" in fields else ""
                return f"deb {signed}{fields['URIs'].split()[0]} {SUITE} main"
        for line in re.findall(r"^deb .*$", text, re.MULTILINE):
            match = re.match(r"deb (\[[^]]*\] )?(\S*debian\S*) \S+ .*\bmain\b", line)
            if match:
                return f"deb {match[1] or ''}{match[2]} {SUITE} main"
    raise CannotRun("this machine has no Debian package source to derive the suite's from")


class Lab:
    """A network of its own with an adb server and devices in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = system_root()
        self.adb = find_adb()
        self.socket = folder / "adb.sock"
        self.devices: list[Board] = []
        self.environment = {key: value for key, value in os.environ.items() if key != "ANDROID_SERIAL"} | {
            "ADB_SERVER_SOCKET": f"localfilesystem:{self.socket}",
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "0",
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }
        self._network = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 3600"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._network.stdout
        if self._network.stdout.readline() != "up\n":
            raise CannotRun("this machine gives no network namespace: root and CAP_SYS_ADMIN are needed")
        self.start_server()

    def start_server(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._server = subprocess.Popen(
            self.inside(str(self.adb), "server", "nodaemon"),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "server.log").open("ab"),
        )
        # Not by asking: a client that finds no server starts one of its own, outside of the lab.
        wait_for(lambda: self._listening(), "the adb server")

    def _listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(self.socket)) == 0

    def kill_server(self) -> None:
        self._server.kill()
        self._server.wait()

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self._network.pid), "-n", *command]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.adb, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def board(self, *, room: str = "600m", scripts: dict[str, str] | None = None) -> Board:
        """Start a device. room: the size of its /data. scripts: commands that it has besides busybox's."""
        board = Board(self, 5555 + 2 * len(self.devices), room, scripts or {})
        self.devices.append(board)
        wait_for(board.connect, f"the device {board.serial}")
        return board

    def close(self) -> None:
        for board in self.devices:
            board.kill()
        self.kill_server()
        if self._listening():  # one that a client started after a test had ended ours
            self.run("kill-server")
        self._network.kill()
        self._network.wait()


class Board:
    """One device: a chroot in namespaces of its own, with adbd as its main process."""

    def __init__(self, lab: Lab, port: int, room: str, scripts: dict[str, str]) -> None:
        self.lab = lab
        self.serial = f"127.0.0.1:{port}"
        self.root = lab.folder / f"board-{port}"
        for folder in ("usr", "proc", "sys", "dev", "data", "tmp", "opt"):
            (self.root / folder).mkdir(parents=True)
        for folder in ("lib", "lib64", "sbin", "bin"):
            (self.root / folder).symlink_to(f"usr/{folder}")
        for name, text in scripts.items():
            (self.root / "opt" / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.root / "opt" / name).chmod(0o755)
        script = f"""set -e; cd {self.root}
mount --bind -o ro {lab.root}/usr usr; mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev
mount -t tmpfs -o size={room} tmpfs data; mkdir -p data/local/tmp
exec chroot . /usr/bin/env PATH=/opt:/usr/bin:/bin ADBD_PORT={port} HOME=/tmp TMPDIR=/tmp {ADBD}"""
        self.process = subprocess.Popen(
            lab.inside("unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", script),
            stdout=subprocess.DEVNULL,
            stderr=(lab.folder / f"adbd-{port}.log").open("wb"),
            start_new_session=True,
        )

    def connect(self) -> bool:
        self.lab.run("connect", self.serial)
        return self.lab.run("-s", self.serial, "get-state").stdout.strip() == "device"

    @property
    def device(self) -> Device:
        return Device(self.lab.adb, self.serial)

    @property
    def data(self) -> Path:
        """The device's /data, seen from here."""
        return Path(f"/proc/{self.init}/root/data")

    @property
    def init(self) -> int:
        """The number here of the device's main process."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        return int(found[0])

    def running(self, name: str) -> bool:
        """Whether a process with this in its command line is alive on the device."""
        space = Path(f"/proc/{self.init}/ns/pid").readlink()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "ns/pid").readlink() == space:
                    line = (entry / "cmdline").read_bytes()
                    if name.encode() in line.split(b"\0")[0]:
                        return True
        return False

    def freeze(self, frozen: bool = True) -> None:
        os.kill(self.init, signal.SIGSTOP if frozen else signal.SIGCONT)

    def kill(self) -> None:
        """The device loses its power: everything on it ends."""
        if self.process.poll() is None:
            with contextlib.suppress(IndexError, ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
            self.process.kill()
            self.process.wait()


def wait_for(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {PATIENCE:g} s")
        time.sleep(0.1)


@contextlib.contextmanager
def open_lab(folder: Path) -> Iterator[Lab]:
    if os.geteuid() != 0:
        raise CannotRun("namespaces and chroot need root")
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.close()


def interrupted(action: Callable[[], object], when: Callable[[], bool], then: Callable[[], object]) -> None:
    """Do something that lasts until something else is done, and that in its middle."""

    def wait() -> None:
        deadline = time.monotonic() + PATIENCE
        while not when() and time.monotonic() < deadline:
            time.sleep(0.02)
        then()

    other = threading.Thread(target=wait, daemon=True)
    other.start()
    try:
        action()
    finally:
        other.join(timeout=PATIENCE)
