"""Benchmarks with adapters, here: every session has its sidecar, switching is timed, results say who spoke."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmark.bench import bench
from edgekit.benchmark.plan import SWITCHES, BenchPlan, RunnerTask, switch_task
from edgekit.benchmark.process import run_here
from edgekit.benchmark.result import BenchResult, read_result
from edgekit.benchmark.runners.host import files_here, measure_host
from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.subject import open_subject
from edgekit.conversion.convert import convert
from edgekit.errors import AdapterError, BundleError, InputError
from edgekit.examples import sentiment
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from edgekit.text.generation import GREEDY

QUESTION = "the wifi does not work at all"
SMALL = BenchPlan((16,), (8,), threads=(1,), runs=2, check_prompt=QUESTION)


def greedy(base: Path, sidecar: Path | None) -> str:
    """What the official binding makes the engine say."""
    with (
        ask(open_bundle(base).model_path, threads=1) as session,
        session.talk(Decoding(sampler=GREEDY, max_tokens=SMALL.check_tokens, sidecar=sidecar)) as chat,
    ):
        return chat.say(QUESTION).text


def test_sessions_have_the_adapter_that_was_asked_for(
    adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    adapter = open_adapter(sentiment_adapter, open_bundle(adapter_ready_bundle))
    with open_subject(adapter_ready_bundle, [sentiment_adapter]) as subject:
        (result,) = measure_host(SMALL, [subject])
    assert result.failures == ()
    assert result.check is not None and result.check.text == greedy(adapter_ready_bundle, adapter.sidecar)
    assert result.bundle.adapter is not None
    assert (result.bundle.adapter.name, result.bundle.adapter.rank) == ("sentiment", 16)
    assert result.bundle.adapter.sha256 == adapter.manifest.sidecar.sha256
    runs = result.cases[0].runs
    assert [(run.warmup, run.prefill_tokens) for run in runs] == [(True, 16), (False, 16)] * SMALL.runs


def test_memory_does_not_depend_on_the_number_of_runs(
    adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    """The engine keeps the inputs of every session (1.3 MB here): so each run has a process of its own."""
    with open_subject(adapter_ready_bundle, [sentiment_adapter]) as subject:
        (result,) = measure_host(replace(SMALL, runs=6), [subject])
        (alone,) = measure_host(replace(SMALL, warmup=0), [subject])
    private = [run.private for run in result.cases[0].measured if run.private]
    assert len(private) == 6
    assert max(private) - min(private) < 1e6
    assert next(note for note in result.notes if "memory" in note).startswith(
        "memory holds the adapter inputs of 2 sessions"
    )
    assert not [note for note in alone.notes if "memory" in note]


def test_a_base_alone_is_measured_as_it_is_used(adapter_ready_bundle: Path) -> None:
    """With an empty sidecar, which is looked for neither beside the model nor in a manifest."""
    with open_subject(open_bundle(adapter_ready_bundle).model_path) as subject:
        assert subject.sidecar is not None
        (result,) = measure_host(SMALL, [subject])
    assert result.bundle.adapter is None
    assert result.switching is None
    assert result.check is not None and result.check.text == greedy(adapter_ready_bundle, None)


def test_a_model_that_takes_no_adapters_has_no_sidecar(demo_path: Path, tmp_path: Path) -> None:
    with open_subject(convert(demo_path, tmp_path / "plain", check=False).bundle) as subject:
        assert subject.sidecar is None
        assert files_here(subject).sidecar == ""


def test_switching_is_timed_between_all_that_were_named(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    with open_subject(adapter_ready_bundle, [sentiment_adapter, triage_adapter]) as subject:
        task = switch_task(SMALL, files_here(subject))
        assert len(task.others.splitlines()) == 1
        outcome = run_here(task, timeout=60)
    assert outcome.failure is None
    assert len(outcome.switches) == SWITCHES
    for switch in outcome.switches:
        assert min(switch.session, switch.first, switch.again) > 0


def test_with_one_adapter_it_is_switched_to_the_base_alone(
    adapter_ready_bundle: Path, sentiment_adapter: Path, tmp_path: Path
) -> None:
    report = bench(adapter_ready_bundle, adapters=[sentiment_adapter], plan=SMALL, reports=tmp_path)
    (result,) = report.results
    assert result.switching is not None
    assert result.switching.adapters == ("sentiment", "")
    summary = result.to_json()["switching"]["summary"]
    assert summary["count"] == SWITCHES
    assert 0 < summary["low"] <= summary["switch"] <= summary["high"]
    assert BenchResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    page = report.files[1].read_text()
    assert "sentiment on settings-navigator" in page
    assert "switching between sentiment, the base alone takes" in page


def test_a_sidecar_that_is_not_there_is_a_failure(adapter_ready_bundle: Path, tmp_path: Path) -> None:
    model = str(open_bundle(adapter_ready_bundle).model_path)
    task = RunnerTask(model, sidecar=str(tmp_path / "none"), prefill=16, decode=4, runs=1, check_tokens=4)
    assert "No such file" in str(run_here(task, timeout=60).failure)
    alone = RunnerTask(model, switches=3)
    assert "switching needs sidecar and others" in str(run_here(alone, timeout=60).failure)


@pytest.fixture(scope="module")
def merged_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    target = tmp_path_factory.mktemp("merged") / "merged"
    return convert(sentiment() / "adapter", target, base=demo_path, check=False).bundle


def test_base_adapter_and_merged_take_turns(
    adapter_ready_bundle: Path, sentiment_adapter: Path, merged_bundle: Path, tmp_path: Path
) -> None:
    report = bench(
        adapter_ready_bundle,
        adapters=[sentiment_adapter],
        compare_with=[adapter_ready_bundle, merged_bundle],
        plan=SMALL,
        reports=tmp_path,
    )
    names = ["sentiment on settings-navigator", "settings-navigator", "merged"]
    assert [result.bundle.title for result in report.results] == names
    assert list(dict.fromkeys(comparison.against for comparison in report.comparisons)) == names[1:]
    assert all(comparison.ratio.paired for comparison in report.comparisons if comparison.metric == "decode")
    answers = [str(result.check and result.check.text) for result in report.results]
    assert ["sentiment" in answer for answer in answers] == [True, False, True]
    page = report.files[1].read_text()
    for name in names[1:]:
        assert f"This run against {name}: " in page


def test_reports_of_an_adapter_lie_in_its_bundle(
    adapter_ready_bundle: Path, sentiment_adapter: Path, tmp_path: Path
) -> None:
    adapter = shutil.copytree(sentiment_adapter, tmp_path / "sentiment")
    report = bench(adapter_ready_bundle, adapters=[adapter], plan=SMALL)
    assert [path.parent for path in report.files] == [adapter / "reports"] * 2
    assert read_result(report.files[0]).bundle.title == "sentiment on settings-navigator"
    assert not (adapter_ready_bundle / "reports").exists()


def test_what_adapters_cannot_be_measured_with(
    adapter_ready_bundle: Path, sentiment_adapter: Path, merged_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="takes no adapters"):
        bench(merged_bundle, adapters=[sentiment_adapter], plan=SMALL)
    with pytest.raises(BundleError, match="this is an adapter bundle"):
        bench(sentiment_adapter, plan=SMALL)
    with pytest.raises(InputError, match="an adapter has no effect on --runner"):
        bench(adapter_ready_bundle, adapters=[sentiment_adapter], plan=SMALL, runner=tmp_path / "x")
    with pytest.raises(InputError, match="leave their inputs as the memory was"):
        bench(adapter_ready_bundle, plan=SMALL, runner=tmp_path / "x")


def test_the_command_names_adapter_and_switch(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path, tmp_path: Path
) -> None:
    words = ["bench", adapter_ready_bundle, "--adapter", sentiment_adapter, "--adapter", triage_adapter]
    few = ["--prefill", "16", "--decode", "8", "--runs", "1", "-o", tmp_path]

    def run(*more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgekit", *map(str, (*words, *few, *more))]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    shown = run("--markdown")
    assert shown.returncode == 0, shown.stderr
    assert "| host | sentiment on settings-navigator |" in shown.stdout
    assert "switching between sentiment, support-triage takes" in shown.stdout
    (told,) = json.loads(run("--json").stdout)["results"]
    assert told["bundle"]["adapter"]["name"] == "sentiment"
    assert told["switching"]["adapters"] == ["sentiment", "support-triage"]
