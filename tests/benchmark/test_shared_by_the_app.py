"""What the sample app shares is a result like any other.

The sample is a file that the app's own test wrote, with the real engine on a JVM: `python android-build test
screens.ToolsTest` writes a new one among the screenshots.
"""

from pathlib import Path

from edgekit import bench
from edgekit.benchmark.result import read_result
from edgekit.benchmark.statistics import METRIC, summaries
from edgekit.conversion.convert import convert

SAMPLE = Path(__file__).with_name("shared_by_the_app.json")


def test_it_is_read_to_the_last_run() -> None:
    result = read_result(SAMPLE)
    assert result.device.kind == "android"
    assert result.engine.name == "LiteRT-LM"
    (case,) = result.cases
    assert case.case == result.plan.cases()[0]
    assert [init.cold for init in case.inits] == [True, False]
    assert [run.warmup for run in case.runs] == [True, False, False, False]
    for run in case.runs:
        assert (run.prefill_tokens, run.decode_tokens) == (case.case.prefill, case.case.decode)
        assert run.stamps == tuple(sorted(run.stamps))
        assert run.ttft == run.stamps[0]


def test_every_figure_of_a_host_is_there_but_private_memory_and_energy() -> None:
    (case,) = read_result(SAMPLE).cases
    assert set(METRIC) - set(summaries(case)) == {"private", "energy"}


def test_bench_puts_it_into_a_report(tmp_path: Path, demo_path: Path) -> None:
    bundle = convert(demo_path, tmp_path / "demo", check=False).bundle
    report = bench(bundle, imports=[SAMPLE], reports=tmp_path / "out")
    assert [path.name for path in report.files] == ["bench-robolectric.json", "bench-robolectric.html"]
    assert report.results[0].cases == read_result(SAMPLE).cases
