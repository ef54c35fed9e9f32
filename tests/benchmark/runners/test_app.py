"""What the sample app shares is a result like any other.

The sample is a file that the app's own test wrote, with the real engine on a JVM: `python android-build test
screens.ToolsTest` writes a new one among the screenshots.
"""

from __future__ import annotations

import json
from pathlib import Path

from edgekit import bench
from edgekit.benchmark.result import read_result
from edgekit.benchmark.statistics import METRIC, summaries

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


def test_it_stands_in_for_a_measurement(tmp_path: Path, bundle: Path) -> None:
    report = bench(bundle, on=f"app={SAMPLE}", reports=tmp_path)
    assert [path.name for path in report.files] == ["bench-robolectric.json", "bench-robolectric.html"]
    assert report.results[0].cases == read_result(SAMPLE).cases


def test_another_model_file_is_noted(tmp_path: Path, bundle: Path, float_bundle: Path) -> None:
    values = json.loads(SAMPLE.read_text())
    phones = []
    for name in ("Pixel 9", "Pixel 8"):
        values |= {"target": name, "device": {"kind": "android", "name": name, "soc": "Tensor"}}
        values["bundle"]["sha256"] = bench_digest(bundle)
        phones.append(tmp_path / f"{name}.json")
        phones[-1].write_text(json.dumps(values))
    on = [f"app={path}" for path in phones]
    report = bench(bundle, on=on, reports=tmp_path / "out")
    names = ["bench-Pixel_9.json", "bench-Pixel_8.json", "bench-Pixel_9.html"]
    assert [path.name for path in report.files] == names
    assert all("another model file" not in note for result in report.results for note in result.notes)
    other = bench(float_bundle, on=on, reports=tmp_path / "out")
    assert all("another model file" in result.notes[-1] for result in other.results)


def bench_digest(bundle: Path) -> str:
    values = json.loads((bundle / "edgekit.json").read_text())
    return str(values["model"]["sha256"])
