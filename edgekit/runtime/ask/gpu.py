"""What the engine's log says of the GPU: which device it chose, and why it chose none. It says so nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADAPTER = re.compile(
    r"Selected adapter: (?P<name>.*?), arch=[^,]*, vendor=[^,]*, backend=(?P<api>[^,]*), adapterType=(?P<kind>.*)"
)
_SOFTWARE = re.compile(r"\bCPU\b|\bsoftware\b", re.IGNORECASE)
_NONE = re.compile(r"Failed to initialize WebGPU environment: (?:[A-Z_]+: )?(.*)")
_OPERATORS = re.compile(r"operations are not supported by GPU delegate:\n((?:[A-Z0-9_]+: .*\n)+)")
_LOOKUP = re.compile(r"EMBEDDING_LOOKUP: Unsupported external weights type")
_DYNAMIC = "only supports CPU backend"


@dataclass(frozen=True)
class Gpu:
    """A device by its driver's name.

    api: through which it is driven, such as "Vulkan". software: it is a program on the processor, which shows that a
    model runs, and nothing of how fast.
    """

    name: str
    api: str
    software: bool

    def __str__(self) -> str:
        kind = ", software: it shows that a model runs, not how fast" if self.software else ""
        return f"{self.name} ({self.api}{kind})"


def find_gpu(log: str) -> Gpu | None:
    """Return the device that an engine's log names last; None when it names none."""
    found = list(_ADAPTER.finditer(log))
    if not found:
        return None
    last = found[-1]
    return Gpu(last["name"].strip(), last["api"].strip(), bool(_SOFTWARE.search(last["kind"])))


def gpu_failure(log: str) -> str | None:
    """Return why the GPU backend did not open a model; None where the log says nothing of it."""
    if found := _NONE.search(log):
        return f"no GPU was found ({found[1].strip()})"
    if found := _OPERATORS.search(log):
        return f"the GPU backend does not run the whole graph: {'; '.join(found[1].splitlines())}"
    if _LOOKUP.search(log):
        return "the GPU backend looks nothing up in a table of float32"
    if _DYNAMIC in log:
        return "the GPU backend wants fixed shapes, and this graph is of the dynamic form"
    return None
