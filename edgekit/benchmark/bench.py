"""`edgekit.bench`: measure a bundle here or on devices, compare, judge, and write the reports."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edgekit.benchmark.compare import Comparison, Gate, compare, failed_gates, parse_gate
from edgekit.benchmark.outcome import BenchReport
from edgekit.benchmark.plan import BenchPlan, check_plan, preset_plan
from edgekit.benchmark.result import BenchResult, CaseResult, EngineInfo, Switching, read_result
from edgekit.benchmark.runners.host import (
    answer_here,
    fastest_cores,
    measure_host,
    read_conditions,
    read_host,
)
from edgekit.benchmark.runners.llama_cpp import measure_llama, parse_peer
from edgekit.benchmark.runners.official import measure_official
from edgekit.bundle.adapter.opening import read_adapter_bundle
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.subject import Subject, describe_bundle, open_subject
from edgekit.errors import EdgekitError, InputError, MissingToolError
from edgekit.progress import SILENT, Progress

DEFAULT_PRESET: Final = "gallery"
DEFAULT_QUESTION: Final = "Hello"
REPORTS: Final = "reports"


def bench(
    bundle: str | Path,
    *,
    adapters: Sequence[str | Path] = (),
    plan: BenchPlan | None = None,
    compare_with: str | Path | Sequence[str | Path] | None = None,
    fail_if: Sequence[str] = (),
    peer: str | None = None,
    runner: str | Path | None = None,
    imports: Sequence[str | Path] = (),
    device: str | None = None,
    engine: str | Path | None = None,
    big_cores: bool = False,
    cache_dir: str | Path | None = None,
    reports: str | Path | None = None,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure a bundle.

    adapters: bundles from `edgekit adapter` for this base. It is measured with the first; and switching is: to the
        others, or to the base alone when there is only one.
    plan: what and how; the preset `gallery` by default. Without a check_prompt the bundle's first example is asked.
    compare_with: a result's JSON, or another bundle (or this base without adapter), which is measured in turns with
        this one: A B A B; or several of these.
    fail_if: conditions such as "decode < 0.95x" (of the baseline) or "ttft > 500ms"; see `BenchReport.problems`.
    peer: "llama.cpp=MODEL.gguf", measured with llama-bench at the same lengths.
    runner: a litert_lm_main or litert_lm_advanced_main to measure with, instead of edgekit's own runner.
    imports: results measured elsewhere, such as by the sample app; they take the place of a measurement here.
    device: measure over adb: a serial number, "all", or "" for the only one there is. engine: a directory with an own
        engine library for it. big_cores: pin to the device's fastest cores.
    cache_dir: of the engine here; emptied. reports: where to write them; by default the bundle's `reports`, and
        nowhere for a bare file.
    Raises BundleError, AdapterError, InputError, MissingToolError. What fails while it is measured is in the result
    instead.
    """
    gates = [parse_gate(text) for text in fail_if]
    baselines = _listed(compare_with)
    _refuse_contradictions(gates, baselines, adapters, runner, imports, device)
    plan = check_plan(plan or preset_plan(DEFAULT_PRESET))
    if engine is not None and device is None:
        raise InputError("an own engine library is for a device", where="--engine", remedy="add --device")
    if runner is not None and (plan.cold or plan.cpus or big_cores):
        raise InputError(
            "--cold and --cpus need edgekit's own runner", where="--runner", remedy="leave them out"
        )
    peer_model = None if peer is None else parse_peer(peer)
    plan = with_question(plan, bundle, adapters)
    kept = [read_result(path) for path in baselines if _is_result(path)]
    lost: tuple[EdgekitError, ...] = ()
    with ExitStack() as stack:
        subjects = [stack.enter_context(open_subject(bundle, adapters))]
        subjects += [stack.enter_context(open_subject(path)) for path in baselines if not _is_result(path)]
        if imports:
            measured = [[_imported(path, bundle)] for path in imports]
        elif runner is not None:
            measured = [[_measure_with(Path(runner), plan, subjects[0], progress)]]
        elif device is not None:
            choice = DeviceChoice(device, None if engine is None else Path(engine), big_cores)
            measured, lost = _measure_devices(plan, subjects, choice, progress)
        else:
            if big_cores:
                plan = replace(plan, cpus=fastest_cores())
            cache = None if cache_dir is None else Path(cache_dir)
            measured = [list(measure_host(plan, subjects, cache_dir=cache, progress=progress))]
    comparisons: list[Comparison] = []
    for first, *others in measured:
        comparisons += [pair for other in others for pair in compare(first, other, interleaved=True)]
        comparisons += [pair for other in kept for pair in compare(first, other, interleaved=False)]
    ours = [target[0] for target in measured]
    results = [result for target in measured for result in target]
    if peer_model is not None:
        results.append(measure_llama(plan, peer_model, results[0].device))
    problems = [str(error) for error in lost]
    problems += [f"{result.target}: {failure}" for result in results for failure in result.failures]
    problems += failed_gates(gates, ours, comparisons)
    report = BenchReport(tuple(results), tuple(comparisons), tuple(problems), ())
    directory = _report_directory(bundle, adapters, reports)
    return report if directory is None else replace(report, files=write_reports(report, ours, directory))


def with_question(plan: BenchPlan, bundle: str | Path, adapters: Sequence[str | Path] = ()) -> BenchPlan:
    """Return the plan with the first example of adapter or bundle as the check prompt, unless it has one."""
    if plan.check_prompt is not None:
        return plan
    manifest = open_bundle(bundle).manifest
    examples = () if manifest is None else manifest.examples
    if adapters:
        examples = read_adapter_bundle(adapters[0]).manifest.examples or examples
    return replace(plan, check_prompt=examples[0] if examples else DEFAULT_QUESTION)


def write_reports(report: BenchReport, results: Sequence[BenchResult], directory: Path) -> tuple[Path, ...]:
    """Write `bench-<target>.json` for each result, and one page for all: whole, or not at all."""
    from edgekit.benchmark.page import render_html
    from edgekit.files.whole import write_whole

    files = []
    for result in results:
        path = directory / f"bench-{_file_name(result.target)}.json"
        write_whole(path, json.dumps(result.to_json(), indent=1, ensure_ascii=False) + "\n")
        files.append(path)
    page = directory / f"bench-{_file_name(results[0].target)}.html"
    write_whole(page, render_html(report))
    return (*files, page)


def _listed(compare_with: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    if compare_with is None:
        return []
    return [compare_with] if isinstance(compare_with, str | Path) else list(compare_with)


def _is_result(path: str | Path) -> bool:
    return Path(path).suffix == ".json"


def _refuse_contradictions(
    gates: Sequence[Gate],
    baselines: Sequence[str | Path],
    adapters: Sequence[str | Path],
    runner: str | Path | None,
    imports: Sequence[str | Path],
    device: str | None,
) -> None:
    for gate in gates:
        if gate.relative and not baselines:
            raise InputError(f"{gate.text!r} needs a baseline", where="--fail-if", remedy="add --compare")
    named = [
        name
        for name, value in (("--runner", runner), ("--import", imports or None), ("--device", device))
        if value is not None
    ]
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude each other", remedy="use one of them")
    if adapters and (runner is not None or imports):
        raise InputError(
            f"an adapter has no effect on {named[0]}", where="--adapter", remedy="leave one of them out"
        )
    if not all(_is_result(path) for path in baselines) and (runner is not None or imports):
        raise InputError(
            f"another bundle cannot be measured in turns with {named[0]}",
            where="--compare",
            remedy="compare with a result's JSON",
        )


def _imported(path: str | Path, bundle: str | Path) -> BenchResult:
    result = read_result(path)
    info = describe_bundle(bundle)
    if result.bundle.sha256 is not None and result.bundle.sha256 != info.sha256:
        note = f"measured with another model file: {result.bundle.file}, sha256 {result.bundle.sha256[:12]}…"
        return replace(result, notes=(*result.notes, note))
    return result


def _measure_with(runner: Path, plan: BenchPlan, subject: Subject, progress: Progress) -> BenchResult:
    if subject.sidecar is not None:
        raise InputError(
            f"this base takes adapters, and {runner.name} would leave their inputs as the memory was",
            where="--runner",
            remedy="measure it with edgekit's own runner, or a bundle that was converted without --adapters",
        )
    began = datetime.now(UTC).isoformat(timespec="seconds")
    before = read_conditions()
    cases: list[CaseResult] = []
    with progress.step(f"measure with {runner.name}", len(plan.cases()), "cases") as advance:
        for case in plan.cases():
            cases.append(measure_official(runner, plan, case, subject.model))
            advance(1)
    return BenchResult(
        target="host",
        device=read_host(before, read_conditions()),
        bundle=subject.info,
        engine=EngineInfo("LiteRT-LM", None, runner.name),
        plan=replace(plan, check_prompt=None),
        cases=tuple(cases),
        began=began,
        tool=version("edgekit"),
    )


@dataclass(frozen=True)
class DeviceChoice:
    """Which devices (as adb names them, "all", "" for the only one), with which engine library, on which cores."""

    serial: str
    engine: Path | None = None
    big_cores: bool = False


def _measure_devices(
    plan: BenchPlan, subjects: Sequence[Subject], choice: DeviceChoice, progress: Progress
) -> tuple[list[list[BenchResult]], tuple[EdgekitError, ...]]:
    """Measure on each chosen device: for each, one result per bundle, in turns when there are several.

    Gives the errors of devices that failed beside the results of the others; raises the first when all failed.
    """
    from edgekit.benchmark.runners.adb import run_on_device, run_on_devices
    from edgekit.device import Device, choose_devices, find_adb, list_devices
    from edgekit.device.facts import big_cores, read_facts

    adb = find_adb()
    devices = [
        Device(adb, found.serial) for found in choose_devices(list_devices(adb), choice.serial or None)
    ]
    expected = [_expected(plan, subject) for subject in subjects]
    others: dict[str, list[BenchResult]] = {}
    inner = progress if len(devices) == 1 else SILENT  # a terminal shows one bar at a time

    def measure(device: Device) -> BenchResult:
        own = replace(plan, cpus=big_cores(read_facts(device).info)) if choice.big_cores else plan
        rounds = [own] if len(subjects) == 1 else [replace(own, runs=1)] * own.runs
        taken: list[list[BenchResult]] = [[] for _ in subjects]
        for of in rounds:
            for results, subject, answer in zip(taken, subjects, expected, strict=True):
                results.append(
                    run_on_device(of, subject, device, engine=choice.engine, expected=answer, progress=inner)
                )
        first, *rest = (joined(own, results) for results in taken)
        others[first.target] = rest
        return first

    with progress.step(f"measure on {len(devices)} devices") if inner is SILENT else nullcontext():
        results, errors = run_on_devices(devices, measure)
    if not results:
        raise errors[0]
    return [[result, *others[result.target]] for result in results], errors


def joined(plan: BenchPlan, rounds: Sequence[BenchResult]) -> BenchResult:
    """Put the rounds of one target together: the runs of all, the first failure of each case."""
    cases = [
        replace(
            parts[-1],
            inits=tuple(init for part in parts for init in part.inits),
            runs=tuple(run for part in parts for run in part.runs),
            failure=next((part.failure for part in parts if part.failure is not None), None),
        )
        for parts in zip(*(result.cases for result in rounds), strict=True)
    ]
    notes = tuple(dict.fromkeys(note for result in rounds for note in result.notes))
    device = replace(rounds[0].device, after=rounds[-1].device.after)
    switching = _joined_switching([result.switching for result in rounds if result.switching is not None])
    return replace(rounds[0], plan=plan, cases=tuple(cases), switching=switching, notes=notes, device=device)


def _joined_switching(rounds: Sequence[Switching]) -> Switching | None:
    if not rounds:
        return None
    return replace(
        rounds[0],
        switches=tuple(switch for part in rounds for switch in part.switches),
        failure=next((part.failure for part in rounds if part.failure is not None), None),
    )


def _expected(plan: BenchPlan, subject: Subject) -> str | None:
    """This machine's greedy answer, None where it cannot give one."""
    try:
        check = answer_here(plan, subject)
    except MissingToolError:
        return None
    return None if check is None else check.text


def _report_directory(
    bundle: str | Path, adapters: Sequence[str | Path], reports: str | Path | None
) -> Path | None:
    if reports is not None:
        return Path(reports)
    if adapters:
        return read_adapter_bundle(adapters[0]).directory / REPORTS
    opened = open_bundle(bundle)
    return None if opened.manifest is None else opened.directory / REPORTS


def _file_name(target: str) -> str:
    return re.sub(r"[^\w.-]+", "_", target)
