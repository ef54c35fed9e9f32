"""llama.cpp beside us. It does not run here: llama-bench's JSON as documented, the package by a child's events.

With EDGEKIT_REAL (a directory with gguf/Q8_0.gguf and llama/, an environment) the real package is asked.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmark.measure import Rival, measure
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import BenchResult
from edgekit.benchmark.runner import NO_OPTIONS
from edgekit.benchmark.runners.llama_cpp import KIND, read_llama_bench
from edgekit.errors import InputError, MissingToolError
from tests.benchmark.boards import ToyBoard
from tests.benchmark.runners.tools import tool

PLAN = BenchPlan((256,), (128,), threads=(4,), warmup=1, runs=2, kv_length=1024)
RUN = (
    '{"event":"run","warmup":false,"prefill_tokens":256,"decode_tokens":128,"ttft":0.5,"total":2.5,"stamps_us":[500000],'
    '"prefill_tps":512.0,"decode_tps":64.0,"engine_ttft":null,"rss_peak":1000,"private":null}'
)
VERSION = 'case "$*" in *version) echo \'{"event":"version","version":"0.3.36"}\'; exit;; esac'


def entry(prompt: int, output: int, *speeds: float) -> dict[str, object]:
    return {
        "model_type": "gemma3 270M Q8_0",
        "n_threads": 4,
        "n_prompt": prompt,
        "n_gen": output,
        "n_depth": 0,
        "avg_ts": sum(speeds) / len(speeds),
        "samples_ts": list(speeds),
    }


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    return path


def made(value: str) -> Rival:
    rival = KIND.make(value, NO_OPTIONS)
    assert isinstance(rival, Rival)
    return rival


def alone(rival: Rival, plan: BenchPlan = PLAN) -> BenchResult:
    (result,) = measure(rival.board, plan, [rival.subject])
    return result


def test_samples_of_prompt_and_output_become_runs() -> None:
    outputs = [json.dumps([entry(256, 0, 470.0, 480.0)]), json.dumps([entry(0, 128, 52.0, 54.0)])]
    measured = read_llama_bench(256, 128, outputs)
    assert [(run.prefill_tps, run.decode_tps) for run in measured.runs] == [(470.0, 52.0), (480.0, 54.0)]


@pytest.mark.parametrize("output", ["", "{}", "[{}]", "[]", "null"])
def test_output_that_is_not_as_documented_is_a_failure(output: str) -> None:
    assert read_llama_bench(256, 128, [output]).failure is not None


@pytest.mark.slow
def test_llama_bench_is_asked_for_the_same_context(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, values in (("pp", entry(256, 0, 470.0)), ("tg", entry(0, 128, 52.0))):
        (tmp_path / name).write_text(json.dumps([values]))
    tool(
        tmp_path / "llama-bench",
        'echo "$@" >> "$0.calls"; case "$*" in *"-p 0 "*) cat "${0%/*}/tg";; *) cat "${0%/*}/pp";; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    result = alone(made(str(model)))
    assert result.failures == ()
    assert (result.target, result.device.kind, result.bundle.file) == ("llama.cpp", "host", "m.gguf")
    prompt, output = (tmp_path / "llama-bench.calls").read_text().splitlines()
    assert "-p 256 -n 0 -d 0" in prompt and "-t 4" in prompt
    assert "-p 0 -n 128 -d 256" in output


@pytest.mark.slow
def test_other_backends_are_left_out(tmp_path: Path, model: Path) -> None:
    bench = tool(tmp_path / "llama-bench", "exit 9")
    result = alone(made(f"{model}@{bench}"), replace(PLAN, backend=("cpu", "gpu")))
    assert [str(case.failure) for case in result.cases] == [
        "llama-bench failed: status 9",
        "llama.cpp is only asked for CPU figures",
    ]


@pytest.mark.slow
def test_an_environment_takes_turns_with_the_bundle(tmp_path: Path, model: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = 'echo \'{"event":"done"}\''
    run = f"case \"$*\" in *'\"runs\": 1'*) echo '{RUN}';; esac"
    tool(tmp_path / "bin" / "python", f"{VERSION}\necho here >> $0.calls; {run}; {done}")
    rival = made(f"{model}@{tmp_path}")
    assert rival.board.engine.runner == "llama-cpp-python 0.3.36"
    ours, theirs = measure(ToyBoard(), PLAN, [rival.subject], rivals=[rival])
    assert theirs.failures == () and theirs.check is None
    assert [run.decode_tps for run in theirs.cases[0].measured] == [64.0, 64.0]
    assert len(ours.cases[0].measured) == 2 and ours.target != theirs.target == "llama.cpp"
    assert len((tmp_path / "bin" / "python.calls").read_text().split()) == 3


@pytest.mark.slow
def test_its_crash_is_a_failure_of_the_case(tmp_path: Path, model: Path) -> None:
    python = tool(tmp_path / "python", f"{VERSION}\nkill -ILL $$")
    (failure,) = alone(made(f"{model}@{python}")).failures
    assert "was ended by SIGILL" in failure


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("exit 3", "the runner ended with status 3"),
        ("kill -SEGV $$", "SIGSEGV"),
        ('echo \'{"event":"error","message":"No module named llama_cpp"}\'', "No module named"),
    ],
)
def test_a_damaged_installation_is_a_missing_tool(tmp_path: Path, model: Path, body: str, says: str) -> None:
    python = tool(tmp_path / "python", body)
    with pytest.raises(MissingToolError, match=says) as caught:
        made(f"{model}@{python}")
    assert "-m pip install llama-cpp-python" in str(caught.value.remedy)


@pytest.mark.slow
def test_a_python_without_the_package_is_a_missing_tool(model: Path) -> None:
    with pytest.raises(MissingToolError, match="No module named 'llama_cpp'"):
        made(f"{model}@{sys.executable}")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "which model"),
        ("absent.gguf", "no such file"),
        (__file__, "this is no GGUF file"),
        ("MODEL@/nowhere", "neither a Python nor llama-bench"),
        ("MODEL@DIRECTORY", "neither a Python nor llama-bench"),
    ],
)
def test_a_model_has_to_be_named(model: Path, value: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        made(value.replace("MODEL", str(model)).replace("DIRECTORY", str(model.parent)))


@pytest.mark.slow
@pytest.mark.skipif("EDGEKIT_REAL" not in os.environ, reason="needs llama-cpp-python and a GGUF file")
def test_the_real_package_measures() -> None:
    real = Path(os.environ["EDGEKIT_REAL"])
    plan = BenchPlan((16,), (4,), threads=(2,), depth=(0, 8), warmup=0, runs=1)
    result = alone(made(f"{real / 'gguf' / 'Q8_0.gguf'}@{real / 'llama'}"), plan)
    assert result.failures == ()
    for case in result.cases:
        (run,) = case.measured
        assert run.decode_tps and run.prefill_tps and run.ttft and len(run.stamps) == 4 and run.rss_peak
