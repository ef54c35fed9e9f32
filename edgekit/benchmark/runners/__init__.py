"""Where a plan runs: this machine, a device over adb, somebody else's binary. One file each, one line each below.

A runner imports no other; what they share is in `benchmark`, what they look like to it in `benchmark.runner`.
"""

from __future__ import annotations

from typing import Final

from edgekit.benchmark.runner import RunnerKind
from edgekit.benchmark.runners import adb, app, host, llama_cpp, official

KINDS: Final[tuple[RunnerKind, ...]] = (
    host.KIND,
    adb.KIND,
    app.KIND,
    official.KIND,
    llama_cpp.KIND,
)
