"""llama-bench, which does not run here: its JSON as documented, with figures of our own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.runner import NO_OPTIONS
from edgekit.benchmark.runners.llama_cpp import KIND, LlamaRunner, read_llama_bench
from edgekit.errors import InputError
from edgekit.progress import SILENT
from tests.benchmark.runners.tools import tool

PLAN = BenchPlan((256,), (128,), threads=(4,), warmup=1, runs=2, kv_length=1024)
CASE = PLAN.cases()[0]


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


def test_samples_of_prompt_and_output_become_runs() -> None:
    outputs = [json.dumps([entry(256, 0, 470.0, 480.0)]), json.dumps([entry(0, 128, 52.0, 54.0)])]
    measured = read_llama_bench(CASE, outputs)
    assert [(run.prefill_tps, run.decode_tps) for run in measured.measured] == [(470.0, 52.0), (480.0, 54.0)]


@pytest.mark.parametrize("output", ["", "{}", "[{}]", "[]", "null"])
def test_output_that_is_not_as_documented_is_a_failure(output: str) -> None:
    assert read_llama_bench(CASE, [output]).failure is not None


@pytest.mark.slow
def test_llama_bench_is_asked_for_the_same_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, values in (("pp", entry(256, 0, 470.0)), ("tg", entry(0, 128, 52.0))):
        (tmp_path / name).write_text(json.dumps([values]))
    tool(
        tmp_path / "llama-bench",
        'echo "$@" >> "$0.calls"; case "$*" in *"-p 0 "*) cat "${0%/*}/tg";; *) cat "${0%/*}/pp";; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    ((result,),) = LlamaRunner(model).measure(PLAN, [], SILENT).targets
    assert result.failures == ()
    assert (result.target, result.device.kind, result.bundle.file) == ("llama.cpp", "host", "m.gguf")
    prompt, output = (tmp_path / "llama-bench.calls").read_text().splitlines()
    assert "-p 256 -n 0 -d 0" in prompt and "-t 4" in prompt
    assert "-p 0 -n 128 -d 256" in output


@pytest.mark.slow
def test_other_backends_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path / "llama-bench", "exit 9")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    plan = replace(PLAN, backend=("cpu", "gpu"))
    ((result,),) = LlamaRunner(model).measure(plan, [], SILENT).targets
    assert [str(case.failure) for case in result.cases] == [
        "llama-bench failed: status 9",
        "llama-bench is only asked for CPU figures",
    ]


@pytest.mark.parametrize(("value", "says"), [("", "which model"), ("absent.gguf", "no such file")])
def test_a_model_has_to_be_named(value: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        KIND.make(value, NO_OPTIONS)
