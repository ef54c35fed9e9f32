"""The child program as a process: started, asked over its pipes, ended. What is asked is `session`'s matter."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.errors import BundleError, MissingToolError
from edgekit.records.documents import Json
from edgekit.runtime.ask.reasons import failure_reason

_SCRIPT = Path(__file__).with_name("script.py")
_MOST_LOG = 1 << 20
_PATIENCE = 2.0
"""Seconds for the child to end by itself."""


class EngineError(BundleError):
    """The engine refused or failed. reason: why, in its own words. crashed: it took its process with it."""

    def __init__(self, message: str, *, where: str | Path, reason: str, crashed: bool = False) -> None:
        super().__init__(message, where=where)
        self.reason = reason
        self.crashed = crashed


class Child:
    """A running child program. Made by `start_child`."""

    def __init__(self, process: subprocess.Popen[bytes], log: int, model: str | Path) -> None:
        self._process = process
        self._log = log
        self._model = model
        self._read = b""
        self._number = 0
        self._logged = 0
        """Bytes in the log when the last request was sent."""
        self._overdue: float | None = None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, what: str, **arguments: Json) -> None:
        """Send a request; what is still to come for the one before it will be passed over."""
        self._number += 1
        self._logged = os.fstat(self._log).st_size
        self._write({"n": self._number, "ask": what, **arguments})

    def lines(self, failing: str, *, where: str | Path | None = None) -> Iterator[tuple[str, Any]]:
        """Yield the lines of the answer to the last request, kind and value.

        failing: what the engine does when it fails, such as "cannot tokenize". where: the file to name then, instead of
        the model. Raises EngineError when the child reports an error, crashes or is overdue, MissingToolError where
        there is no engine.
        """
        while True:
            line = self._line()
            if line.pop("n") != self._number:
                continue
            ((kind, value),) = line.items()
            if kind == "error":
                reason = self.reason(value) or "no reason given"
                raise EngineError(
                    f"the engine {failing}: {reason}", where=where or self._model, reason=reason
                )
            if kind == "missing":
                raise MissingToolError(
                    f"the LiteRT-LM engine cannot be loaded ({value})",
                    remedy="install litert-lm-api; on Linux it needs the C++ runtime (libstdc++)",
                )
            yield kind, value
            if kind != "piece":
                return

    def answer(self, what: str, failing: str, *, where: str | Path | None = None, **arguments: Json) -> Any:
        """Send a request and return its answer. Raises as `lines` does."""
        self.send(what, **arguments)
        ((_, value),) = self.lines(failing, where=where)
        return value

    def cancel(self) -> None:
        """Call the last request off."""
        self._write({"n": 0, "ask": "cancel", "of": self._number})

    def reason(self, said: str) -> str:
        """Return why the last request failed: what the engine logged since, else what its binding said."""
        return failure_reason(self._log_since(self._logged), said)

    def log(self) -> str:
        """Return what the engine has logged so far."""
        return self._log_since(0)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """End the child when what is asked meanwhile takes longer."""

        def give_up() -> None:
            self._overdue = seconds
            self._process.kill()

        timer = threading.Timer(seconds, give_up)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone, and something was still to be written
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, request: dict[str, Json]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: reading tells how
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _line(self) -> dict[str, Any]:
        # Not a buffered reader: an interrupt would lose the line that it is in the middle of.
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise self._ending()
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        values: dict[str, Any] = json.loads(line)
        return values

    def _ending(self) -> EngineError:
        """How the child ended that should not have."""
        returncode = self._process.wait()
        log = self._log_since(0)
        reason = failure_reason(log)
        if self._overdue is not None:
            how = f"did not answer within {self._overdue:g} s"
            message, reason = f"the engine {how}", f"it {how}"
        elif returncode < 0:
            signal_name = signal.Signals(-returncode).name
            behind = f": {reason}" if reason else ""
            message = f"the engine crashed on this file ({signal_name}){behind}"
            reason = f"it crashed ({signal_name}){behind}"
        else:
            reason = reason or (log.strip().splitlines() or [f"exit status {returncode}"])[-1]
            message = f"the engine's process failed ({reason})"
        return EngineError(message, where=self._model, reason=reason, crashed=True)

    def _log_since(self, begin: int) -> str:
        size = os.fstat(self._log).st_size
        return os.pread(self._log, min(size - begin, _MOST_LOG), begin).decode(errors="replace")


@contextmanager
def start_child(model: str | Path, python: str | None = None) -> Iterator[Child]:
    """Start the child program; it loads the engine and waits for the first request.

    model: the file to name in errors. python: of an environment with another release of the engine.
    """
    # Ours sees the user's packages and PYTHONPATH, as we do. In neither do this directory's modules count.
    command = [sys.executable, "-P"] if python is None else [python, "-I"]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [*command, str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us: it may only mean the end of an answer
        ) as process,
    ):
        child = Child(process, log.fileno(), model)
        try:
            yield child
        finally:
            child.close()
