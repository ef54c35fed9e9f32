"""`edgekit.bench`: measure a bundle here or on devices, compare, judge, and write the reports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgekit.benchmark import runners as known
from edgekit.benchmark.compare import Comparison, compare
from edgekit.benchmark.limits import Limit, broken_limits, parse_limit
from edgekit.benchmark.measure import Rival, measure
from edgekit.benchmark.plan import BenchPlan, check_plan, preset_plan
from edgekit.benchmark.report import Bench, result_json
from edgekit.benchmark.result import BenchResult, read_result
from edgekit.benchmark.runner import (
    NO_OPTIONS,
    PLAN,
    Option,
    Runner,
    RunnerKind,
    RunnerOptions,
    choose,
    refuse_what_it_ignores,
)
from edgekit.bundle.adapter.opening import read_adapter_bundle
from edgekit.bundle.directory import reports_directory
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.subject import open_subject
from edgekit.errors import EdgekitError, InputError
from edgekit.files.whole import write_whole
from edgekit.progress import SILENT, Progress

DEFAULT_PRESET: Final = "gallery"
DEFAULT_QUESTION: Final = "Hello"
HERE: Final = "host"


def bench(
    bundle: str | Path,
    *,
    on: str | Sequence[str] = HERE,
    against: str | Path | Sequence[str | Path] = (),
    adapters: Sequence[str | Path] = (),
    plan: BenchPlan | None = None,
    options: RunnerOptions = NO_OPTIONS,
    fail_if: Sequence[str] = (),
    reports: str | Path | None = None,
    progress: Progress = SILENT,
) -> Bench:
    """Measure a bundle.

    on: where, one place or several: "host" (this machine), "adb" (the only device on the cable), "adb:SERIAL",
        "adb:all", "app=FILE" (a result that the sample app shared), "official=FILE" (this machine, by one of Google's
        own binaries).
    against: a result's JSON; another bundle (or this base without adapter), or "llama.cpp=MODEL.gguf", which
        take turns with this one, A B A B; or several of these.
    adapters: bundles from `edgekit adapter` for this base. It is measured with the first; and switching is: to the
        others, or to the base alone when there is only one.
    plan: what and how; the preset `gallery` by default. Without a check_prompt the bundle's first example is asked.
    fail_if: limits such as "decode < 0.95x" (of the baseline) or "ttft > 500ms"; see `Bench.problems`.
    reports: where to write them; by default the bundle's `reports`, and nowhere for a bare file.
    Raises BundleError, AdapterError, InputError, MissingToolError. What fails while it is measured is in the result
    instead.
    """
    limits = [parse_limit(text) for text in fail_if]
    rivals = _rivals([against] if isinstance(against, str | Path) else against, options)
    _refuse_limits_without_baseline(limits, rivals)
    places = _places([on] if isinstance(on, str) else on)
    _refuse_what_is_ignored(places, plan, options, adapters, rivals)
    runners = [_runner(kind, value, options) for kind, value in places]
    plan = with_question(check_plan(plan or preset_plan(DEFAULT_PRESET)), bundle, adapters)
    targets: list[tuple[BenchResult, ...]] = []
    lost: list[EdgekitError] = []
    peers: list[BenchResult] = []
    with ExitStack() as stack:
        subjects = [stack.enter_context(open_subject(bundle, adapters))]
        subjects += [stack.enter_context(open_subject(path)) for path in rivals.bundles]
        for runner in runners:
            measured = runner.measure(plan, subjects, rivals.engines, progress)
            targets += measured.targets
            lost += measured.lost
            peers += measured.rivals
        if not peers:  # nothing was measured on this machine that they could take turns with
            for rival in rivals.engines:
                peers += measure(
                    rival.board, replace(plan, check_prompt=None), [rival.subject], progress=progress
                )
    comparisons: list[Comparison] = []
    for first, *others in targets:
        comparisons += [pair for other in others for pair in compare(first, other, interleaved=True)]
        comparisons += [pair for other in rivals.results for pair in compare(first, other, interleaved=False)]
    ours = [target[0] for target in targets]
    results = [*(result for target in targets for result in target), *peers]
    problems = [str(error) for error in lost]
    problems += [f"{result.target}: {failure}" for result in results for failure in result.failures]
    problems += broken_limits(limits, ours, comparisons)
    report = Bench(tuple(results), tuple(comparisons), tuple(problems), ())
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


def write_reports(report: Bench, results: Sequence[BenchResult], directory: Path) -> tuple[Path, ...]:
    """Write `bench-<target>.json` for each result, and one page for all: whole, or not at all."""
    from edgekit.benchmark.page import render_html

    names = list(_file_names(results))
    files = [directory / f"bench-{name}.json" for name in names]
    for path, result in zip(files, results, strict=True):
        write_whole(path, json.dumps(result_json(result), indent=1, ensure_ascii=False) + "\n")
    page = directory / f"bench-{names[0]}.html"
    write_whole(page, render_html(report))
    return (*files, page)


@dataclass(frozen=True)
class _Rivals:
    """What a bundle is held against: results that are there, and bundles and engines to take turns with."""

    results: tuple[BenchResult, ...]
    bundles: tuple[str | Path, ...]
    engines: tuple[Rival, ...]


def _rivals(against: Sequence[str | Path], options: RunnerOptions) -> _Rivals:
    results: list[BenchResult] = []
    bundles: list[str | Path] = []
    engines: list[Rival] = []
    for named in against:
        if found := choose(str(named), "--against", known.KINDS):
            kind, value = found
            made = kind.make(value, options)
            assert isinstance(made, Rival)
            engines.append(made)
        elif Path(named).suffix == ".json":
            results.append(read_result(named))
        else:
            bundles.append(named)
    return _Rivals(tuple(results), tuple(bundles), tuple(engines))


def _places(on: Sequence[str]) -> list[tuple[RunnerKind, str]]:
    if not on or len(set(on)) < len(on):
        raise InputError("name at least one place, and each only once", where="--on")
    places = [choose(text, "--on", known.KINDS) for text in on]
    for text, place in zip(on, places, strict=True):
        if place is None:
            forms = ", ".join(kind.form for kind in known.KINDS if kind.option == "--on")
            raise InputError(f"unknown place {text!r}", where="--on", remedy=f"one of {forms}")
    return [place for place in places if place is not None]


def _runner(kind: RunnerKind, value: str, options: RunnerOptions) -> Runner:
    made = kind.make(value, options)
    assert not isinstance(made, Rival)
    return made


def _refuse_limits_without_baseline(limits: Sequence[Limit], rivals: _Rivals) -> None:
    for limit in limits:
        if limit.relative and not rivals.results and not rivals.bundles:
            raise InputError(
                f"{limit.text!r} needs a baseline",
                where="--fail-if",
                remedy="add --against with a result's JSON or another bundle",
            )


def _refuse_what_is_ignored(
    places: Sequence[tuple[RunnerKind, str]],
    plan: BenchPlan | None,
    options: RunnerOptions,
    adapters: Sequence[str | Path],
    rivals: _Rivals,
) -> None:
    asked: dict[Option, bool] = {
        "--cold": plan is not None and plan.cold,
        "--cpus": options.big_cores or (plan is not None and bool(plan.cpus)),
        "--engine": options.engine is not None,
        "an adapter": bool(adapters),
        "another bundle": bool(rivals.bundles),
        PLAN: plan is not None,
    }
    for kind, _ in places:
        refuse_what_it_ignores(kind, [option for option, given in asked.items() if given])


def _report_directory(
    bundle: str | Path, adapters: Sequence[str | Path], reports: str | Path | None
) -> Path | None:
    if reports is not None:
        return Path(reports)
    if adapters:
        return reports_directory(read_adapter_bundle(adapters[0]).directory)
    opened = open_bundle(bundle)
    return None if opened.manifest is None else reports_directory(opened.directory)


def _file_names(results: Sequence[BenchResult]) -> Iterator[str]:
    """A file name for each target, with a number where two would be the same."""
    taken: dict[str, int] = {}
    for result in results:
        name = re.sub(r"[^\w.-]+", "_", result.target)
        taken[name] = taken.get(name, 0) + 1
        yield name if taken[name] == 1 else f"{name}-{taken[name]}"
