"""Templates and tokenizers of others, run in a child process with limits on memory and time.

A template is a program, and a tokenizer file is read by libraries that trust it: both can take all memory, never end,
or crash their process. Here only a child suffers. It is `bounded_child.py`; it lives until this process ends, and is
started again after it had to be killed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

_SCRIPT: Final = Path(__file__).with_name("bounded_child.py")
_GRACE: Final = 4.0
"""Seconds after its own limit in which the child may tell where it was."""

MOST_ANSWER: Final = 64 << 20
_PIPE: Final = 1 << 20
"""Bytes that a pipe may hold at most, on Linux without privileges."""


class LimitExceeded(Exception):  # noqa: N818 - named after what happened
    """The child took more time or memory than it may, or it crashed. Its text says which."""


class Failed(Exception):  # noqa: N818 - named after what happened
    """What was asked failed. line: of the template, where that is known."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


class Bounded:
    """A child with limits. memory: bytes of its address space. seconds: for one answer."""

    def __init__(self, *, memory: int, seconds: float) -> None:
        self._memory, self._seconds = memory, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the child before there is anything to ask, so that it is up by then."""
        with self._lock:
            self._started()

    def ask(self, what: str, content: bytes = b"", **arguments: Any) -> Any:
        """Ask the child; content: bytes that go along. Raises Failed, and LimitExceeded."""
        request = {"ask": what, "bytes": len(content), "seconds": self._seconds, **arguments}
        with self._lock:
            process = self._started()
            try:
                answer = self._exchange(process, json.dumps(request).encode() + b"\n" + content)
            except BaseException:
                self._end()
                raise
        if "failed" in answer:
            raise Failed(answer["failed"], answer["line"])
        if "exceeded" in answer:
            line = "" if answer["line"] is None else f" (line {answer['line']})"
            raise LimitExceeded(f"{answer['exceeded']}{line}")
        return answer["ok"]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, str(_SCRIPT), str(self._memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours; the child ends with its input
            )
            _widen(self._process)
            atexit.register(self._end)
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes) -> dict[str, Any]:
        """Write the request and read the line that answers it, neither of them for ever."""
        assert process.stdin and process.stdout
        deadline = time.monotonic() + self._seconds + _GRACE
        source, sink = process.stdout.fileno(), process.stdin.fileno()
        os.set_blocking(sink, False)
        left, found = memoryview(request), bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(source, selectors.EVENT_READ)
            ready.register(sink, selectors.EVENT_WRITE)
            while not found.endswith(b"\n"):
                seconds = deadline - time.monotonic()
                if seconds <= 0:
                    raise LimitExceeded(f"it takes more than {self._seconds:g} seconds")
                for key, _ in ready.select(seconds):
                    if key.fd == sink:
                        with contextlib.suppress(BlockingIOError, BrokenPipeError):
                            left = left[os.write(sink, left[:_PIPE]) :]
                        if not left:
                            ready.unregister(sink)
                        continue
                    block = os.read(source, 1 << 16)
                    if not block:
                        raise LimitExceeded("it crashes, or takes more memory than it may")
                    found += block
                    if len(found) > MOST_ANSWER:
                        raise LimitExceeded("it makes a text that is too long")
        answer: dict[str, Any] = json.loads(found)
        return answer

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self._end)
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Make the pipe to a child hold more, where that can be: each piece waits for its turn beside a busy thread."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert process.stdin
        fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, _PIPE)


templates: Final = Bounded(memory=1 << 30, seconds=8.0)
"""Gemma's template takes 60 MB and a millisecond."""
tokenizers: Final = Bounded(memory=4 << 30, seconds=60.0)
"""Gemma's tokenizer.json takes 0.5 GB and a second."""
