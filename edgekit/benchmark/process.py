"""One runner process on this machine: start it, watch it, read its events."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from edgekit.benchmark.plan import NO_CACHE, BenchPlan, Files, RunnerTask, check_task
from edgekit.benchmark.result import Init, Run, Switch
from edgekit.bundle.subject import Subject
from edgekit.device.host import host_abi
from edgekit.errors import InputError, MissingToolError
from edgekit.records import documents
from edgekit.records.codec import decode
from edgekit.runtime.ask.gpu import find_gpu, gpu_failure

PREBUILT: Final = Path(__file__).parent / "native" / "prebuilt"
ENGINE_LIBRARY: Final = "liblitert-lm.so"
_RUN: Final = (
    *("warmup", "prefill_tokens", "decode_tokens", "ttft", "total"),
    *("prefill_tps", "decode_tps", "engine_ttft"),
)
_SWITCH: Final = ("session", "first", "again")
GRACE_SECONDS: Final = 20.0
"""A runner ends itself in time by an alarm; only when that fails is it ended from here, so much later."""


@dataclass(frozen=True)
class Outcome:
    """What one runner process left behind.

    init_seconds, runs, switches, answer: as far as it got. failure: why it did not end well, None when it did.
    cache_bytes: what the engine keeps on disk after it, None where that is not known. notes: what must be known of
    these figures.
    """

    init_seconds: float | None = None
    runs: tuple[Run, ...] = ()
    switches: tuple[Switch, ...] = ()
    answer: str | None = None
    failure: str | None = None
    cache_bytes: int | None = None
    notes: tuple[str, ...] = ()


def host_runner() -> Path:
    """Return the prebuilt runner of this machine. Raises MissingToolError where there is none."""
    path = PREBUILT / f"runner-linux-{host_abi()}"
    if sys.platform != "linux" or not path.is_file():
        raise MissingToolError(
            f"there is no benchmark runner for {sys.platform} on {platform.machine()}",
            remedy="measure on Linux (x86_64, aarch64), or on a device: --on adb",
        )
    return path


def engine_directory() -> Path:
    """Return the directory of the installed engine's library. Raises MissingToolError without one."""
    spec = find_spec("litert_lm")
    directory = Path(spec.origin).parent if spec is not None and spec.origin else None
    if directory is None or not (directory / ENGINE_LIBRARY).is_file():
        raise MissingToolError("the LiteRT-LM engine is not installed", remedy="pip install litert-lm-api")
    return directory


def run_here(task: RunnerTask) -> Outcome:
    """Run one task in a process of its own and wait for its end.

    A process that the system or the engine kills, and one that takes longer than its task allows, is a failure in the
    outcome: never an exception, and never the end of this process.
    """
    environment = os.environ | {"LD_LIBRARY_PATH": str(engine_directory())}
    command = [str(host_runner()), task.to_json()]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=task.timeout_s + GRACE_SECONDS if task.timeout_s else None,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return outcome(_lines(error.stdout), "", took_too_long(task.timeout_s))
    except OSError as error:
        raise MissingToolError(
            f"the benchmark runner does not start: {error.strerror}", where=command[0]
        ) from error
    log = done.stderr.decode(errors="replace")
    return outcome(_lines(done.stdout), log, exit_failure(done.returncode, log, task.timeout_s))


def files_here(subject: Subject, cache_dir: str = NO_CACHE) -> Files:
    """Name the files of a subject as this machine does."""
    return Files(
        model=str(subject.model),
        sidecar="" if subject.sidecar is None else str(subject.sidecar),
        others=tuple(str(sidecar) for _, sidecar in subject.others),
        cache_dir=cache_dir,
    )


def answer_here(plan: BenchPlan, subject: Subject) -> str | None:
    """Return this machine's greedy answer to the plan's check prompt; None when it has none, or cannot give one."""
    if plan.check_prompt is None:
        return None
    try:
        return run_here(check_task(plan, files_here(subject))).answer
    except MissingToolError:
        return None


def exit_failure(returncode: int, log: str, timeout: float) -> str | None:
    """Return what an exit status says, None for a good one; log: standard error of the process."""
    if returncode == 0:
        return None
    if returncode == -signal.SIGALRM:
        return took_too_long(timeout)
    reason = last_error(log)
    if returncode < 0:
        end = f"the engine's process was ended by {signal.Signals(-returncode).name}"
    else:
        end = f"the runner ended with status {returncode}"
    return f"{end}: {reason}" if reason else end


def outcome(lines: Iterable[str], log: str, failure: str | None) -> Outcome:
    """Put the events of a process together; its own error event tells more than its exit status."""
    init: float | None = None
    runs: list[Run] = []
    switches: list[Switch] = []
    answer: str | None = None
    finished = False
    for event in read_events(lines):
        kind = event.get("event")
        try:
            if kind == "init":
                init = decode(Init, {"cold": False, "seconds": event["seconds"]}, where=kind).seconds
            elif kind == "run":
                runs.append(read_run(event))
            elif kind == "switch":
                switches.append(decode(Switch, {key: event[key] for key in _SWITCH}, where=kind))
            elif kind == "check":
                answer = answer_text(event["message"])
            elif kind == "error":
                of_gpu = gpu_failure(log)
                failure = f"the engine says: {of_gpu}" if of_gpu else explained(event)
        except (ArithmeticError, AttributeError, InputError, LookupError, TypeError, ValueError) as error:
            # What a device says may have gone through anything.
            failure = f"the runner says what is no {kind!r} event: {error}"
        finished = finished or kind == "done"
    if failure is None and not finished:
        failure = last_error(log) or "the runner ended without saying why"
    gpu = find_gpu(log)
    return Outcome(
        init,
        tuple(runs),
        tuple(switches),
        answer,
        failure,
        notes=() if gpu is None else (f"on {gpu}",),
    )


def read_events(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the events among a process's lines; a line cut off by the process's death is none."""
    events = []
    for line in lines:
        if line.startswith('{"event"'):
            try:
                events.append(documents.loads(line))
            except ValueError:
                continue
    return events


def read_run(event: dict[str, Any]) -> Run:
    """Return the run that a `run` event of the runner describes."""
    told = {key: event[key] for key in _RUN}
    stamps = [round(stamp / 1e6, 7) for stamp in event["stamps_us"]]
    memory = {key: event[key] or None for key in ("rss_peak", "private")}
    return decode(Run, told | memory | {"stamps": stamps}, where="run")


def answer_text(message: dict[str, Any]) -> str:
    """Return the text of a message as the engine writes it."""
    return "".join(part.get("text", "") for part in message.get("content", ()) if isinstance(part, dict))


def explained(event: dict[str, Any]) -> str:
    """Return an `error` event's reason, without the source lines of the engine."""
    message = re.sub(
        r"(?:ERROR: )?\[third_party[^\]]*\]|=== Source Location Trace.*", "", event["message"], flags=re.S
    )
    text = re.sub(r"\s+", " ", message).strip()
    hint = "; depth, prompt and output must fit into the KV length together" if _TOO_LONG.search(text) else ""
    return f"the engine says: {text}{hint}" if event["stage"] != "task" else f"the runner says: {text}"


def last_error(log: str) -> str | None:
    """Return the last error of a native log, None without one."""
    found = re.findall(
        r"^(?:[EF]\d{4} [^\]]*\]|ERROR:|terminate called[^\n]*\n\s*what\(\):) *(.*)$", log, re.MULTILINE
    )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return found[-1].strip() if found else (lines[-1][:300] if lines else None)


def took_too_long(timeout: float) -> str:
    """Return the failure of a process that a time limit ended."""
    return f"not finished after {timeout:g} s"


def _lines(output: bytes | None) -> list[str]:
    return (output or b"").decode(errors="replace").splitlines()


_TOO_LONG = re.compile(r"too long|Max number of tokens|exceeds available state entries")
