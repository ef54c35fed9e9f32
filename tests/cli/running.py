"""Run the command line: in this process, in one of its own, or on a terminal."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli import main

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"
PATIENCE = 120.0
"""Seconds after which a command on a terminal hangs."""


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is to be one JSON document and nothing else."""
        return json.loads(self.out)


class Cli:
    """Runs commands in this process, where importing costs nothing."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Done:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        assert ESCAPE not in out + err  # no terminal, no colours
        code = exited.value.code
        return Done(0 if code is None else int(code), out, err)


def child(*arguments: object, stdin: str | None = None, **environment: str) -> Done:
    """Run a command in a process of its own, with pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Terminal:
    """A command on a terminal of 100 columns: type to it, read what it shows."""

    process: subprocess.Popen[bytes]
    screen: int
    shown: str = ""
    letters: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    """What is read at once may end in the middle of one."""

    @staticmethod
    def start(*arguments: object) -> Terminal:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "edgekit", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env=os.environ | {"COLUMNS": "100", "TERM": "xterm-256color"},
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        return Terminal(process, ours)

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def wait_for(self, text: str) -> None:
        while text not in self.shown and self._read():
            pass
        assert text in self.shown, self.shown

    def wait_until_it_reads(self) -> None:
        """Behind a prompt: Python does not see a signal between printing it and reading."""
        deadline = time.monotonic() + PATIENCE
        while Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][0] != "S":
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def finish(self) -> Done:
        """Read to the end; `out` is everything shown, without control sequences."""
        while self._read():
            pass
        code = self.process.wait(PATIENCE)
        os.close(self.screen)
        return Done(code, plain(self.shown), "")

    def _read(self) -> bool:
        ready, _, _ = select.select([self.screen], [], [], PATIENCE)
        try:
            piece = os.read(self.screen, 65536) if ready else b""
        except OSError:  # Linux's way to say that the other side has closed
            piece = b""
        self.shown += self.letters.decode(piece)
        return bool(piece)


def _take_terminal() -> None:
    """Make the terminal on descriptor 0 the child's own, so that Ctrl-C and Ctrl-D reach it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
