"""What was measured: every raw run, with the device, the bundle and the plan. A versioned JSON schema.

The dataclasses below are the schema, version 1. `report.result_json` adds to each case a `summary` of its runs for
readers without edgekit; reading ignores it. Times are seconds, sizes bytes, speeds tokens per second.
A figure that its source does not tell is None (null).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edgekit.benchmark.plan import BenchPlan, Case
from edgekit.bundle.identity import BundleIdentity
from edgekit.device.info import DeviceInfo
from edgekit.errors import InputError
from edgekit.records.codec import decode, read_values
from edgekit.records.versions import up_to_date

SCHEMA_VERSION: Final = 1

_NAME_ONE: Final = "name a result of edgekit bench"


@dataclass(frozen=True)
class EngineInfo:
    """What ran the model. runner: what measured it (edgekit, litert_lm_main, llama-bench, an app's name)."""

    name: str
    version: str | None
    runner: str


@dataclass(frozen=True)
class Init:
    """Opening the model once. cold: without an engine cache from an earlier start."""

    cold: bool
    seconds: float


@dataclass(frozen=True)
class Run:
    """One run: a prompt fed and an output generated in a fresh session.

    prefill_tokens, decode_tokens: counted by the engine, a start token included.
    ttft: from the call to the first callback. total: from the call to the last callback.
    stamps: of every callback with text, since the call. The engine withholds text that is not yet a whole character
        and everything after the model ended its answer, so there may be fewer stamps than tokens.
    prefill_tps, decode_tps: the engine's own figures of this turn, all tokens counted.
    engine_ttft: the derived figure that LiteRT-LM prints, prefill time plus one mean decode step.
    rss_peak: VmHWM of the process so far. private: pages that no other process shares, at the end of the run.
    energy_j: energy taken during the run, joules. temperature_c: after the run.
    """

    warmup: bool
    prefill_tokens: int
    decode_tokens: int
    ttft: float | None = None
    total: float | None = None
    stamps: tuple[float, ...] = ()
    prefill_tps: float | None = None
    decode_tps: float | None = None
    engine_ttft: float | None = None
    rss_peak: int | None = None
    private: int | None = None
    energy_j: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True)
class CaseResult:
    """One case with all its runs, in the order in which they ran.

    failure: why it could not be measured to the end, None when it was. cache_bytes: the engine's cache on disk.
    """

    case: Case
    inits: tuple[Init, ...] = ()
    runs: tuple[Run, ...] = ()
    failure: str | None = None
    cache_bytes: int | None = None

    @property
    def measured(self) -> tuple[Run, ...]:
        """The runs that count: those after the warm-up."""
        return tuple(run for run in self.runs if not run.warmup)


@dataclass(frozen=True)
class Check:
    """A greedy answer. expected: what another machine answered, None when there is nothing to compare with."""

    prompt: str
    text: str | None
    expected: str | None = None
    failure: str | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether both machines say the same; None when only one was asked."""
        return None if self.expected is None else self.text == self.expected


@dataclass(frozen=True)
class Switch:
    """One switch of adapters.

    session: letting the old session go and starting one with another sidecar. first: feeding it a word, for which the
    engine reads the sidecar. again: feeding a word more, which is what feeding takes by itself.
    """

    session: float
    first: float
    again: float


@dataclass(frozen=True)
class Switching:
    """Switching through adapters in one process, the base open all the time.

    adapters: their names, in the order of the turns; "" is the base alone.
    """

    adapters: tuple[str, ...]
    switches: tuple[Switch, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class BenchResult:
    """One bundle on one target. began: UTC, ISO 8601, None when unknown. tool: edgekit's version."""

    target: str
    device: DeviceInfo
    bundle: BundleIdentity
    engine: EngineInfo
    plan: BenchPlan
    cases: tuple[CaseResult, ...]
    check: Check | None = None
    switching: Switching | None = None
    notes: tuple[str, ...] = ()
    began: str | None = None
    tool: str | None = None
    schema_version: int = field(default=SCHEMA_VERSION, kw_only=True)

    @property
    def failures(self) -> tuple[str, ...]:
        """What went wrong, one sentence each: failed cases, and a check that failed or differs."""
        found = [
            f"{result.case.name}: {result.failure}" for result in self.cases if result.failure is not None
        ]
        if self.check is not None and self.check.failure is not None:
            found.append(f"greedy check: {self.check.failure}")
        elif self.check is not None and self.check.agrees is False:
            found.append(f"greedy check: says {self.check.text!r}, expected {self.check.expected!r}")
        if self.switching is not None and self.switching.failure is not None:
            found.append(f"switching adapters: {self.switching.failure}")
        return tuple(found)

    @staticmethod
    def from_json(values: Any, where: str = "result") -> BenchResult:
        """Build a result from JSON values. Raises InputError, naming the key, when they are none."""
        if not isinstance(values, dict):
            raise InputError("not a JSON object", where=where, remedy=_NAME_ONE)
        return decode(BenchResult, up_to_date(values, where=where, remedy=_NAME_ONE), where=where)


def read_result(path: str | Path) -> BenchResult:
    """Read a result's file. Raises InputError, naming the file and the key, when it is none."""
    values = read_values(Path(path), remedy=_NAME_ONE)
    return BenchResult.from_json(values, str(path))
