"""A result by hand, for what only reads results."""

from __future__ import annotations

from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import BenchResult, CaseResult, Check, EngineInfo, Init, Run
from edgekit.bundle.identity import BundleIdentity
from edgekit.device.info import DeviceInfo

PLAN = BenchPlan((8,), (5,), threads=(2,), runs=3)
CASE = PLAN.cases()[0]


def run(first: float = 0.1, step: float = 0.02, warmup: bool = False, decode: float = 50.0) -> Run:
    """A run of 5 tokens as the engine hands them out: each with the next step, the last two at once."""
    stamps = (first, first + step, first + 2 * step, first + 3 * step, first + 3 * step)
    return Run(warmup, 8, 5, first, first + 3 * step, stamps, 80.0, decode, 0.09, 1000, 500)


def result(*decodes: float, target: str = "host") -> BenchResult:
    runs = (run(warmup=True, decode=1.0), *(run(decode=speed) for speed in decodes))
    case = CaseResult(CASE, (Init(True, 0.4), Init(False, 0.1)), runs, cache_bytes=12)
    return BenchResult(
        target,
        DeviceInfo("host", target),
        BundleIdentity("demo", "demo.litertlm", 10, "ab" * 32),
        EngineInfo("LiteRT-LM", "0.18.1", "edgekit"),
        PLAN,
        (case,),
        Check("hi", "there"),
    )
