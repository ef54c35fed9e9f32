"""A base with an adapter laid over it: against PEFT on the float base, beside the merged bundle, and planted faults."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import edgekit
from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.inspect import inspect
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.sidecar import read_sidecar
from edgekit.cli.app import app
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, Trim
from edgekit.errors import AdapterError, GateError, InputError
from edgekit.gates import Thresholds
from edgekit.runtime.ask.questions import Questions, Voice, ask_engine
from edgekit.runtime.reference import Reference
from edgekit.text.data import read_data
from edgekit.validation import runtimes
from edgekit.validation.asking import questions_for
from edgekit.validation.result import ParityReport
from edgekit.validation.side import Side
from tests.conftest import SENTIMENT, TRIAGE
from tests.validation.adapted import Matrices, planted_adapter
from tests.validation.planted import flip_a_byte

pytestmark = pytest.mark.slow

BRIEF = {"limit": 4, "max_tokens": 24, "report": False}
"""What planted faults are looked for with; the reference answers once, then comes from the cache."""


def failures(report: ParityReport) -> set[str]:
    return {check.name for check in report.checks if check.status == "failed"}


def status(report: ParityReport) -> dict[str, str]:
    return {check.name: check.status for check in report.checks}


@pytest.fixture(scope="session")
def merged_triage(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(
        TRIAGE / "adapter", tmp_path_factory.mktemp("m") / "merged", base=demo_path, check=False
    ).bundle


@pytest.fixture(scope="session")
def plain_report(int8_bundle: Path, demo_path: Path, few_rows: Path) -> ParityReport:
    return edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)


@pytest.fixture(scope="session")
def triage_report(
    adapter_ready_bundle: Path, triage_adapter: Path, merged_triage: Path, demo_path: Path
) -> ParityReport:
    return edgekit.validate(
        adapter_ready_bundle,
        TRIAGE / "adapter",
        base=demo_path,
        adapter=triage_adapter,
        against=merged_triage,
        data=TRIAGE / "eval.jsonl",
        limit=8,
        max_tokens=40,
    )


@pytest.fixture(scope="session")
def sentiment_report(adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path) -> ParityReport:
    return edgekit.validate(
        adapter_ready_bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=sentiment_adapter,
        data=SENTIMENT / "eval.jsonl",
        limit=8,
        max_tokens=24,
    )


# --- adapters that are right -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sentiment", "triage"])
def test_an_adapter_on_its_base_is_what_peft_makes_of_it(name: str, request: pytest.FixtureRequest) -> None:
    report: ParityReport = request.getfixturevalue(f"{name}_report")
    assert report.passed, report.headline
    assert set(status(report).values()) == {"passed", "skipped"}
    assert status(report)["runtimes"] == "skipped"
    assert report.merge is not None and report.merge.from_base.kl_mean > 0.1
    assert report.check("merge").title == "Effect of the adapter"
    assert report.logits is not None and report.logits.method == "scoring graph"
    assert report.task is not None and report.task.metrics[0].constrained is not None
    assert report.weights is not None
    assert len(report.weights.adapter) == {"sentiment": 24, "triage": 42}[name]
    assert all(row.error < 1e-6 and row.expected_error is None for row in report.weights.adapter)
    assert {row.expected_sqnr_db == pytest.approx(row.sqnr_db) for row in report.weights.tensors} == {True}


@pytest.mark.parametrize(("name", "example"), [("sentiment", SENTIMENT), ("triage", TRIAGE)])
def test_token_by_token_it_stays_within_the_noise_that_the_base_alone_shows(
    name: str,
    example: Path,
    adapter_ready_bundle: Path,
    demo_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Distances of log-probabilities, and of whole distributions, on the same texts: 8 bits, and nothing else."""

    def noise(report: ParityReport) -> tuple[float, float]:
        assert report.logits is not None
        distances = [abs(pair.bundle - pair.reference) for pair in report.logits.scatter]
        return float(np.mean(distances)), report.logits.overall.kl_mean.value

    report: ParityReport = request.getfixturevalue(f"{name}_report")
    alone = edgekit.validate(
        adapter_ready_bundle, demo_path, data=example / "eval.jsonl", limit=8, max_tokens=24, report=False
    )
    base, adapted = noise(alone), noise(report)
    assert 0.001 < base[0] < 0.1
    assert adapted[0] < 1.5 * base[0]
    assert adapted[1] < 1.5 * base[1]


def test_rank_8_padded_to_the_graph_is_rank_8_in_peft(demo_path: Path, tmp_path: Path) -> None:
    base = convert(
        demo_path, tmp_path / "base", recipe="float32", graph=GraphOptions(adapters="16"), check=False
    ).bundle
    made = adapter(SENTIMENT / "adapter", base, tmp_path / "a", check=False)
    assert (made.manifest.source.rank, made.manifest.rank) == (8, 16)
    side = Side(inspect(base), open_adapter(made.directory, open_bundle(base)))
    tokens = np.random.default_rng(7).integers(4, 1500, 100).tolist()
    found = np.concatenate(list(side.scorer(len(tokens)).logits(tokens)))
    np.testing.assert_allclose(
        found, Reference(demo_path, adapter=SENTIMENT / "adapter").logits(tokens), atol=1e-4
    )


def test_a_base_without_an_adapter_is_the_plain_bundle_to_the_last_digit(
    plain_report: ParityReport, adapter_ready_bundle: Path, demo_path: Path, few_rows: Path
) -> None:
    report = edgekit.validate(adapter_ready_bundle, demo_path, data=few_rows, report=False)
    assert report.passed
    assert report.bundle.adapter is None
    assert report.logits is not None and plain_report.logits is not None
    pace = {"seconds": 0.0, "tokens_per_second": 0.0}
    assert dataclasses.replace(report.logits, **pace) == dataclasses.replace(plain_report.logits, **pace)
    assert report.weights == plain_report.weights
    assert report.stop == plain_report.stop
    assert report.generation is not None and plain_report.generation is not None
    assert [row.bundle for row in report.generation.rows] == [
        row.bundle for row in plain_report.generation.rows
    ]


def test_an_empty_sidecar_is_no_adapter_at_all(
    adapter_ready_bundle: Path, sentiment_adapter: Path, few_rows: Path, tmp_path: Path
) -> None:
    empty = planted_adapter(sentiment_adapter, tmp_path / "a", lambda _: {}, answer=None)
    report = edgekit.validate(
        adapter_ready_bundle, adapter=empty, against=adapter_ready_bundle, data=few_rows, **BRIEF
    )
    assert report.passed, report.headline
    assert report.logits is not None
    assert (report.logits.overall.kl_max, report.logits.overall.top1.value) == (0, 1)
    assert report.generation is not None and report.generation.exact is not None
    assert report.generation.exact.value == 1


# --- reports -----------------------------------------------------------------------------------------------------


def test_the_report_lies_with_the_adapter_and_not_with_the_base(
    triage_report: ParityReport, triage_adapter: Path, adapter_ready_bundle: Path
) -> None:
    written = json.loads((triage_adapter / "reports" / "validate.json").read_text())
    assert ParityReport.from_json(written) == triage_report
    page = (triage_adapter / "reports" / "validate.html").read_text()
    assert "support-triage on settings-navigator" in page
    assert "Sidecar or merged" in page
    assert not (adapter_ready_bundle / "reports").exists()
    identity = triage_report.bundle.adapter
    assert identity is not None
    assert (identity.name, identity.file, identity.rank) == (
        "support-triage",
        "support-triage.lora.tflite",
        16,
    )
    assert identity.sha256 == written["bundle"]["adapter"]["sha256"]


def test_the_sidecar_is_held_beside_the_merged_bundle(
    triage_report: ParityReport, triage_adapter: Path, merged_triage: Path, demo_path: Path
) -> None:
    found = triage_report.against_merged
    assert found is not None and found.note is None
    assert (found.sidecar.name, found.merged.name) == ("support-triage", "merged")
    assert found.sidecar.size == (triage_adapter / "support-triage.lora.tflite").stat().st_size
    assert found.merged.size == inspect(merged_triage).size
    assert triage_report.logits is not None and triage_report.logits.answers is not None
    assert found.sidecar.kl_mean == triage_report.logits.answers.kl_mean
    alone = edgekit.validate(
        merged_triage,
        TRIAGE / "adapter",
        base=demo_path,
        data=TRIAGE / "eval.jsonl",
        limit=8,
        max_tokens=40,
        report=False,
    )
    assert alone.logits is not None and alone.logits.answers is not None
    assert found.merged.kl_mean == alone.logits.answers.kl_mean
    assert alone.task is not None and found.merged.task == alone.task.metrics[0].bundle
    assert (found.metric, found.test) == ("exact match", "McNemar, exact")
    assert found.difference is not None and found.sidecar.task is not None and found.merged.task is not None
    assert found.difference.value == pytest.approx(found.sidecar.task.value - found.merged.task.value)


def test_another_merged_bundle_is_compared_with_a_warning(
    adapter_ready_bundle: Path, sentiment_adapter: Path, merged_triage: Path, demo_path: Path
) -> None:
    report = edgekit.validate(
        adapter_ready_bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=sentiment_adapter,
        against=merged_triage,
        data=SENTIMENT / "eval.jsonl",
        **BRIEF,
    )
    assert report.against_merged is not None
    assert report.against_merged.note is not None and "another checkpoint" in report.against_merged.note
    assert report.against_merged.merged.kl_mean is not None
    assert report.against_merged.merged.kl_mean.value > 0.5


def test_without_torch_a_sidecar_is_held_against_the_merged_bundle(
    adapter_ready_bundle: Path, triage_adapter: Path, merged_triage: Path
) -> None:
    report = edgekit.validate(
        adapter_ready_bundle,
        adapter=triage_adapter,
        against=merged_triage,
        data=TRIAGE / "eval.jsonl",
        **BRIEF,
    )
    assert report.passed, report.headline
    assert report.logits is not None and report.logits.overall.kl_mean.value < 0.01
    assert status(report)["weights"] == "skipped"
    assert report.against_merged is None


def test_a_trimmed_base_takes_adapters_too(demo_path: Path, few_rows: Path, tmp_path: Path) -> None:
    base = convert(
        demo_path,
        tmp_path / "base",
        graph=GraphOptions(adapters="16"),
        trim=Trim(texts=[few_rows], keep=1700),
        check=False,
    )
    assert base.manifest.vocabulary is not None
    made = adapter(SENTIMENT / "adapter", base.bundle, tmp_path / "a", check=False).directory
    report = edgekit.validate(
        base.bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=made,
        data=SENTIMENT / "eval.jsonl",
        thresholds=Thresholds(max_removed_mass=1.0, max_kl=1.0, min_top1=0.0, max_task_drop=1.0),
        **BRIEF,
    )
    assert report.passed, report.headline
    assert report.logits is not None and report.logits.removed is not None
    assert report.logits.removed.kept == len(base.manifest.vocabulary.old_ids)
    assert report.logits.overall.kl_mean.value < 0.05
    assert report.weights is not None and len(report.weights.adapter) == 24


# --- planted faults ----------------------------------------------------------------------------------------------


def validated(bundle: Path, base: Path, checkpoint: Path, trained: Path = SENTIMENT) -> ParityReport:
    return edgekit.validate(
        base, trained / "adapter", base=checkpoint, adapter=bundle, data=SENTIMENT / "eval.jsonl", **BRIEF
    )


def test_the_sidecar_of_another_adapter_is_caught_by_weights_and_logits(
    adapter_ready_bundle: Path,
    sentiment_adapter: Path,
    triage_adapter: Path,
    demo_path: Path,
    tmp_path: Path,
) -> None:
    others = read_sidecar(triage_adapter / "support-triage.lora.tflite")
    report = validated(
        planted_adapter(sentiment_adapter, tmp_path / "a", lambda _: others), adapter_ready_bundle, demo_path
    )
    assert {"weights", "logits"} <= failures(report)
    assert failures(report) <= {"weights", "logits", "task", "generation", "stop"}
    assert "42 of 42 projections of the sidecar are not the adapter's" in report.check("weights").summary


def test_another_adapter_as_the_checkpoint_is_a_warning_that_weights_and_logits_confirm(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path
) -> None:
    """As a bundle and a checkpoint that it was not made from."""
    report = validated(sentiment_adapter, adapter_ready_bundle, demo_path, trained=TRIAGE)
    assert {"weights", "logits"} <= failures(report)
    assert status(report)["container"] == "warned"
    assert "sidecar made from this adapter" in report.check("container").summary


def test_a_wrong_scaling_is_caught_by_weights(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path, tmp_path: Path
) -> None:
    def doubled(matrices: Matrices) -> Matrices:
        return {name: values * 2 if "_b_" in name else values for name, values in matrices.items()}

    report = validated(
        planted_adapter(sentiment_adapter, tmp_path / "a", doubled), adapter_ready_bundle, demo_path
    )
    assert "weights" in failures(report)
    assert report.weights is not None
    assert all(row.error == pytest.approx(1) and not row.faithful for row in report.weights.adapter)
    assert "edgekit adapter" in (report.check("weights").remedy or "")


@pytest.mark.parametrize("left_out", [False, True])
def test_a_silent_layer_is_caught_by_weights(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path, tmp_path: Path, left_out: bool
) -> None:
    """Zeros in the sidecar, or no matrices at all, which the engine takes for zeros."""

    def silenced(matrices: Matrices) -> Matrices:
        silent = {name for name in matrices if name.endswith("_weight_3")}
        if left_out:
            return {name: values for name, values in matrices.items() if name not in silent}
        return {name: values * (0 if name in silent else 1) for name, values in matrices.items()}

    report = validated(
        planted_adapter(sentiment_adapter, tmp_path / "a", silenced), adapter_ready_bundle, demo_path
    )
    assert "weights" in failures(report)
    assert report.weights is not None
    wrong = [row for row in report.weights.adapter if not row.faithful]
    assert {(row.layer, row.error) for row in wrong} == {(3, 1.0)}
    assert "4 of 24 projections" in report.check("weights").summary


def test_a_reduced_rank_is_held_to_the_best_that_its_rank_can_give(
    adapter_ready_bundle: Path, demo_path: Path, tmp_path: Path
) -> None:
    from tests.fixtures.checkpoints import peft_adapter

    trained = tmp_path / "trained" / "adapter"
    peft_adapter(trained, demo_path, r=24, lora_alpha=24, target_modules=["q_proj", "down_proj"])
    reduced = adapter(
        trained, adapter_ready_bundle, tmp_path / "a", name="reduced", reduce_rank=True, check=False
    ).directory
    report = validated(reduced, adapter_ready_bundle, demo_path, trained=trained.parent)
    assert report.weights is not None
    assert status(report)["weights"] == "passed", report.check("weights").summary
    for row in report.weights.adapter:
        assert row.expected_error is not None and 0.1 < row.error < 0.9
        assert row.error == pytest.approx(row.expected_error, abs=1e-5)
    worse = planted_adapter(
        reduced,
        tmp_path / "b",
        lambda m: {n: np.concatenate([v[:8], v[8:] * 0]) if "_a_" in n else v for n, v in m.items()},
    )
    assert "weights" in failures(validated(worse, adapter_ready_bundle, demo_path, trained=trained.parent))


def test_damage_to_the_base_and_its_empty_sidecar_is_caught_by_the_container(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path, tmp_path: Path
) -> None:
    flipped = flip_a_byte(adapter_ready_bundle, tmp_path / "b")
    report = validated(sentiment_adapter, flipped, demo_path)
    assert failures(report) == {"container"}
    assert {s for n, s in status(report).items() if n != "container"} == {"skipped"}
    copy = shutil.copytree(adapter_ready_bundle, tmp_path / "c")
    (copy / "empty.lora.tflite").unlink()
    report = edgekit.validate(copy, **BRIEF)
    assert failures(report) == {"container"}
    assert "sidecar of no adapter" in report.check("container").summary


# --- the adapter's own task --------------------------------------------------------------------------------------


def test_the_adapters_system_prompt_and_format_are_what_both_sides_are_asked_with(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path, tmp_path: Path
) -> None:
    told = planted_adapter(sentiment_adapter, tmp_path / "a", system_prompt="Say how I feel.")
    side = Side(inspect(adapter_ready_bundle), open_adapter(told, open_bundle(adapter_ready_bundle)))
    own = tmp_path / "own.jsonl"
    own.write_text(
        '{"prompt": "hi"}\n{"messages": [{"role": "system", "content": "Be brief."}, '
        '{"role": "user", "content": "hi"}]}\n'
    )
    asked = questions_for(side, read_data(own), 8)
    assert [messages[0]["content"] for messages in asked.prompts] == ["Say how I feel.", "Be brief."]
    assert "Say how I feel." in asked.texts
    assert asked.answers is not None and "sentiment" in asked.answers.source
    assert "brightness" not in asked.answers.source, "the base's format is another task's"
    report = validated(told, adapter_ready_bundle, demo_path)
    assert report.template is not None
    (case,) = [case for case in report.template.cases if case.name == "the adapter's system prompt"]
    assert case.status == "passed" and "Say how I feel." in case.bundle


def test_an_adapters_chat_template_is_the_engines(
    adapter_ready_bundle: Path, sentiment_adapter: Path, few_rows: Path, tmp_path: Path
) -> None:
    told = planted_adapter(sentiment_adapter, tmp_path / "a", chat_template="{{ 'Q' }}")
    report = edgekit.validate(
        adapter_ready_bundle, adapter=told, against=adapter_ready_bundle, data=few_rows, **BRIEF
    )
    assert "template" in failures(report)
    assert report.template is not None
    assert {case.bundle for case in report.template.cases} == {"Q"}


# --- bad input ---------------------------------------------------------------------------------------------------


def test_what_does_not_belong_together_is_refused_before_anything_runs(
    adapter_ready_bundle: Path,
    sentiment_adapter: Path,
    int8_bundle: Path,
    demo_path: Path,
    tmp_path: Path,
) -> None:
    def refused(error: type[Exception], said: str, base: Path, bundle: Path, checkpoint: Path) -> None:
        with pytest.raises(error, match=said):
            edgekit.validate(base, checkpoint, adapter=bundle)
        assert not (bundle / "reports").exists() or bundle == sentiment_adapter

    trained = SENTIMENT / "adapter"
    refused(AdapterError, "takes no adapters", int8_bundle, sentiment_adapter, trained)
    stranger = convert(
        demo_path, tmp_path / "other", recipe="int4", graph=GraphOptions(adapters="16"), check=False
    ).bundle
    refused(AdapterError, "made for another base", stranger, sentiment_adapter, trained)
    cut = shutil.copytree(sentiment_adapter, tmp_path / "cut", ignore=shutil.ignore_patterns("reports"))
    sidecar = cut / "sentiment.lora.tflite"
    whole = sidecar.read_bytes()
    sidecar.write_bytes(whole[:-4096])
    refused(AdapterError, "cut off", adapter_ready_bundle, cut, trained)
    sidecar.write_bytes(whole[:-5000] + b"?" + whole[-4999:])
    refused(AdapterError, "it was changed", adapter_ready_bundle, cut, trained)
    refused(AdapterError, "as it was trained", adapter_ready_bundle, trained, trained)
    refused(InputError, "whole model", adapter_ready_bundle, sentiment_adapter, demo_path)


def test_a_checkpoint_and_another_bundle_go_together_only_with_an_adapter(
    int8_bundle: Path, demo_path: Path
) -> None:
    with pytest.raises(InputError, match="only with --adapter"):
        edgekit.validate(int8_bundle, demo_path, against=int8_bundle)


# --- other releases ----------------------------------------------------------------------------------------------


def another_release(directory: Path, change: str) -> Path:
    """A Python that runs the probe with a changed engine package, as another release would bring it."""
    path = directory / "python"
    code = f"import runpy, sys, litert_lm; {change}; runpy.run_path(sys.argv[2], run_name='__main__')"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pass", None),
        ("del litert_lm.LoraConfig", "no LoraConfig to give it a sidecar"),
        (
            "make = litert_lm.LoraConfig; litert_lm.LoraConfig = lambda lora_path: make(lora_path='{empty}')",
            "the sidecar has no effect",
        ),
    ],
    ids=["applies it", "knows of none", "ignores it"],
)
def test_a_release_on_which_an_adapter_has_no_effect_is_told(
    adapter_ready_bundle: Path,
    sentiment_adapter: Path,
    demo_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    said: str | None,
) -> None:
    """Each stands for a release; 0.11.0 really is as the second."""
    changed = change.format(empty=adapter_ready_bundle / "empty.lora.tflite")
    python = another_release(tmp_path, changed)
    monkeypatch.setattr(runtimes, "environment", lambda release, progress: python)
    junit = tmp_path / "junit.xml"
    report = edgekit.validate(
        adapter_ready_bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=sentiment_adapter,
        data=SENTIMENT / "eval.jsonl",
        runtimes=("0.11.0",),
        junit=junit,
        **BRIEF,
    )
    assert 'name="edgekit validate sentiment on settings-navigator"' in junit.read_text()
    assert report.runtimes is not None
    (release,) = report.runtimes.releases
    assert release.opens
    assert failures(report) == (set() if said is None else {"runtimes"})
    assert (release.reason is None) if said is None else (release.reason and said in release.reason)
    assert [check.name for check in release.checks] == (
        ["tokens", "template", "stop", "generation"] if said is None else []
    )


def test_the_engine_is_opened_again_before_conversations_with_sidecars_have_filled_the_memory(
    adapter_ready_bundle: Path, int8_bundle: Path, tmp_path: Path
) -> None:
    prompts = tuple(({"role": "user", "content": f"turn {n} on"},) for n in range(40))
    questions = Questions((), (), prompts, max_tokens=4)
    log = tmp_path / "opened"
    counting = (
        f"log = open('{log}', 'a'); make = litert_lm.Engine; "
        "litert_lm.Engine = lambda *a, **o: (print(a[0], file=log, flush=True), make(*a, **o))[1]"
    )
    python = str(another_release(tmp_path, counting))
    voices = [
        ask_engine(inspect(bundle).path, questions, name="bundle", python=python)
        for bundle in (adapter_ready_bundle, int8_bundle)
    ]
    opened = log.read_text().splitlines()
    assert [opened.count(str(inspect(b).path)) for b in (adapter_ready_bundle, int8_bundle)] == [2, 1]
    texts = [[answer.text for answer in v.answers] for v in voices if isinstance(v, Voice)]
    assert len(texts) == 2 and texts[0] == texts[1]


# --- command line ------------------------------------------------------------------------------------------------


def test_the_command_line_compares_both_ways_and_fails_by_gate_or_input(
    adapter_ready_bundle: Path,
    sentiment_adapter: Path,
    merged_triage: Path,
    int8_bundle: Path,
    demo_path: Path,
) -> None:
    arguments = [
        *("validate", str(adapter_ready_bundle), str(SENTIMENT / "adapter"), "--base", str(demo_path)),
        *("--adapter", str(sentiment_adapter), "--data", str(SENTIMENT / "eval.jsonl")),
        *("--limit", "4", "--max-tokens", "24", "--no-report", "-q"),
    ]
    result = CliRunner().invoke(app, [*arguments, "--against", str(merged_triage)])
    assert result.exit_code == 0, result.output
    assert "Effect of the adapter" in result.output
    assert "beside the merged bundle: " in " ".join(result.output.split())
    gate = CliRunner().invoke(app, [*arguments, "--max-kl", "1e-12"])
    assert isinstance(gate.exception, GateError)
    unready = CliRunner().invoke(app, ["validate", str(int8_bundle), "--adapter", str(sentiment_adapter)])
    assert isinstance(unready.exception, AdapterError)
    assert unready.exception.exit_code == 2
