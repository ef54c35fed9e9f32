"""Which backends of the engine open a model, here and on devices over adb, and why the others do not.

Nothing is guessed from the machine: the demo model is converted for both and run for a few tokens.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.benchmark.bench import HERE, bench
from edgekit.benchmark.plan import preset_plan
from edgekit.benchmark.result import BenchResult, CaseResult
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.examples import settings_navigator
from edgekit.progress import SILENT, Progress
from edgekit.records.codec import plain

SWIFTSHADER: Final = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
"""Where Debian's chromium puts the description of its Vulkan in software."""

_SECONDS: Final = 300.0
_NO_GPU: Final = "no GPU was found"


@dataclass(frozen=True)
class Backend:
    """What became of a backend on a machine.

    place: "host", or a device's serial. machine: what it says it is. engine: release of the engine, None where it is
    the device's own. name: "cpu" or "gpu". opens: it ran the model. device: the GPU that it chose. reason: why it did
    not run the model, in the engine's words. remedy: what may help.
    """

    place: str
    machine: str
    engine: str | None
    name: str
    opens: bool
    device: str | None = None
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What was found, machine by machine. lost: places that could not be asked at all, and why."""

    backends: tuple[Backend, ...]
    lost: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The findings as JSON values."""
        return {"backends": [plain(backend) for backend in self.backends], "lost": list(self.lost)}


def examine(on: Sequence[str] = (HERE,), progress: Progress = SILENT) -> Diagnosis:
    """Run the demo model by every backend in every place.

    on: places as `edgekit.bench` takes them: "host", "adb", "adb:SERIAL". Raises MissingToolError without an engine
    here, or without adb where a device is asked for.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        model = convert(
            settings_navigator() / "checkpoint",
            Path(folder) / "demo",
            graph=GraphOptions(form="static", kv_length=1024),
            check=False,
            progress=progress,
        )
        plan = preset_plan(
            "gallery",
            backend=("cpu", "gpu"),
            prefill=(32,),
            decode=(4,),
            runs=1,
            warmup=0,
            kv_length=1024,
            timeout=_SECONDS,
        )
        measured = bench(model.bundle, on=tuple(on), plan=plan, reports=Path(folder), progress=progress)
    named = {result.target for result in measured.results}
    return Diagnosis(
        tuple(_backend(result, case) for result in measured.results for case in result.cases),
        tuple(problem for problem in measured.problems if problem.partition(":")[0] not in named),
    )


def _backend(result: BenchResult, case: CaseResult) -> Backend:
    begin = f"{case.case.name}: on "
    device = next((note.removeprefix(begin) for note in result.notes if note.startswith(begin)), None)
    about = result.device
    return Backend(
        place=result.target,
        machine=", ".join(word for word in (about.model, about.soc, about.os, about.abi) if word),
        engine=result.engine.version,
        name=case.case.backend,
        opens=case.failure is None,
        device=device,
        reason=case.failure,
        remedy=None if case.failure is None else remedy(case.case.backend, about.kind, case.failure),
    )


def remedy(backend: str, kind: str, reason: str) -> str | None:
    """Return what may help a backend that did not open. kind: of the machine, as `DeviceInfo` has it."""
    if backend == "cpu":
        return "report it: the processor's backend opens this model everywhere else"
    if _NO_GPU not in reason:
        return None
    if kind == "android":
        return "its driver gives adb's shell no Vulkan: try it in the app, which falls back to the processor"
    if kind == "linux":
        return "install the Vulkan driver of the board's GPU (mesa-vulkan-drivers, or its maker's)"
    driver = "install the Vulkan driver of the GPU (mesa-vulkan-drivers, or its maker's)"
    if SWIFTSHADER.is_file() and os.environ.get("VK_ICD_FILENAMES") != str(SWIFTSHADER):
        return f"{driver}; to try in software: export VK_ICD_FILENAMES={SWIFTSHADER}"
    return f"{driver}; to try in software: apt-get install chromium, and VK_ICD_FILENAMES={SWIFTSHADER}"
