"""The call: reports, baselines, limits, contradictions; and a runner that somebody adds."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from edgekit.benchmark import process, runners
from edgekit.benchmark.bench import bench
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import read_result
from edgekit.benchmark.runner import RunnerOptions
from edgekit.errors import GateError, InputError, MissingToolError

pytestmark = pytest.mark.slow

SMALL = BenchPlan((32,), (16,), threads=(2,), runs=2)


def test_reports_are_written_into_the_bundle_and_read_back(bundle: Path) -> None:
    report = bench(bundle, plan=SMALL)
    names = [path.relative_to(bundle).as_posix() for path in report.files]
    assert names == ["reports/bench-host.json", "reports/bench-host.html"]
    assert read_result(report.files[0]) == report.results[0]
    page = report.files[1].read_text()
    assert "<svg" in page and "cpu t2 pp32 tg16" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert (report.passed, report.problems) == (True, ())


def test_against_a_baselines_json_with_limits_both_ways(tmp_path: Path, bundle: Path) -> None:
    baseline = bench(bundle, plan=SMALL, reports=tmp_path).files[0]
    passes = bench(bundle, plan=SMALL, against=baseline, fail_if=["decode < 0.01x"], reports=tmp_path)
    fails = bench(bundle, plan=SMALL, against=[baseline], fail_if=["decode < 100x"], reports=tmp_path)
    passes.raise_if_failed()
    assert not fails.passed
    with pytest.raises(GateError, match="decode < 100x: "):
        fails.raise_if_failed()
    assert {"decode", "prefill", "ttft"} <= {comparison.metric for comparison in passes.comparisons}


def test_a_native_abort_is_reported_and_ends_nothing_else(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when memory ends, the engine throws and nothing catches: the process aborts in the middle of its runs."""
    here = process.host_runner()
    aborting = tmp_path / here.name
    aborting.write_text(f'#!/bin/sh\n(sleep 0.3; kill -ABRT $$) >/dev/null 2>&1 &\nexec "{here}" "$@"\n')
    aborting.chmod(0o755)
    monkeypatch.setattr(process, "PREBUILT", tmp_path)
    plan = replace(SMALL, prefill=(32, 64), runs=20_000)
    report = bench(bundle, plan=plan, reports=tmp_path / "reports")
    for case in report.results[0].cases:
        assert "the engine's process was ended by SIGABRT" in str(case.failure)
    assert len(report.problems) == 2
    assert "SIGABRT" in report.files[1].read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fail_if": ["decode < 0.9x"]}, "needs a baseline"),
        ({"fail_if": ["decode < 0.9x"], "against": "llama.cpp=x"}, "no such file"),
        ({"on": "phone"}, "unknown place 'phone'"),
        ({"on": ["host", "host"]}, "each only once"),
        ({"on": []}, "at least one place"),
        ({"on": "app"}, "which file"),
        ({"on": "official="}, "which file"),
        ({"options": RunnerOptions(engine=Path("x"))}, "--engine has no effect on host"),
        ({"on": ["official=x"], "plan": replace(SMALL, cold=True)}, "--cold has no effect on official"),
        (
            {"on": ["official=x"], "options": RunnerOptions(big_cores=True)},
            "--cpus has no effect on official",
        ),
        ({"on": ["official=x"], "adapters": ["y"]}, "an adapter has no effect on official"),
        ({"on": ["adb", "app=x"], "against": "y"}, "another bundle has no effect on app"),
        ({"on": "app=x", "plan": SMALL}, "a plan .* has no effect on app"),
    ],
)
def test_what_contradicts_is_refused_before_anything_is_measured(
    bundle: Path, options: dict[str, object], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        bench(bundle, **options)  # type: ignore[arg-type]


def test_a_peer_that_is_not_installed_is_a_missing_tool(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="llama-bench is not on PATH"):
        bench(bundle, plan=SMALL, against=f"llama.cpp={model}", reports=tmp_path)


ADDED = '''
from edgekit.benchmark.measure import measure
from edgekit.benchmark.runner import BY_PLAN, Measured, RunnerKind
from tests.benchmark.boards import ToyBoard


class ToyRunner:
    """Measures on a board that needs no machine."""

    def __init__(self, value, options):
        self.board = ToyBoard(warm=value)

    def measure(self, plan, subjects, rivals, progress):
        return Measured((measure(self.board, plan, subjects, progress=progress),))


KIND = RunnerKind("toy", "[:NOTE]", "a board of no machine", ToyRunner, BY_PLAN)
'''


def test_a_runner_is_a_file_and_a_line(
    tmp_path: Path, bundle: Path, float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "added_runner.py").write_text(ADDED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(runners, "KINDS", (*runners.KINDS, import_module("added_runner").KIND))
    report = bench(
        bundle, on=["toy:from far away", "toy"], against=float_bundle, plan=SMALL, reports=tmp_path
    )
    sys.modules.pop("added_runner")
    assert [result.target for result in report.results] == ["toy"] * 4
    assert [result.bundle.recipe for result in report.results] == ["int8", "float32"] * 2
    assert "from far away" in report.results[0].notes[0]
    assert {comparison.against for comparison in report.comparisons} == {float_bundle.name}
    names = ["bench-toy.json", "bench-toy-2.json", "bench-toy.html"]
    assert [path.name for path in report.files] == names
