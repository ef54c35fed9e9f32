"""Validation on the demo checkpoint, with the real engine, interpreter and Transformers; and planted faults."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

import edgekit
from edgekit.bundle.container import SectionKind
from edgekit.bundle.manifest import read_manifest
from edgekit.bundle.stored import stored_weights
from edgekit.cli.app import app
from edgekit.conversion.convert import convert
from edgekit.errors import BundleError, GateError, InputError
from edgekit.gates import Thresholds
from edgekit.graph.library import CACHE_VARIABLE
from edgekit.validation import runtimes
from edgekit.validation.result import ParityReport
from tests.validation.planted import flip_a_byte, metadata, planted

pytestmark = pytest.mark.slow

ALWAYS = {"container", "tokens", "template", "stop", "logits", "generation", "task", "weights"}


def failures(report: ParityReport) -> set[str]:
    return {check.name for check in report.checks if check.status == "failed"}


def status(report: ParityReport) -> dict[str, str]:
    return {check.name: check.status for check in report.checks}


@pytest.fixture(scope="module")
def float_report(float_bundle: Path, demo_path: Path, few_rows: Path) -> ParityReport:
    return edgekit.validate(float_bundle, demo_path, data=few_rows)


# --- bundles that are right --------------------------------------------------------------------------------------


def test_a_float_bundle_is_the_checkpoint(float_report: ParityReport, float_bundle: Path) -> None:
    assert {n for n, s in status(float_report).items() if s == "passed"} == ALWAYS
    assert float_report.logits is not None
    assert float_report.logits.method == "scoring graph"
    assert float_report.logits.overall.kl_mean.value < 1e-6
    assert float_report.logits.overall.kl_max < 1e-6
    assert float_report.generation is not None
    assert float_report.generation.exact is not None
    assert float_report.generation.exact.value == 1
    assert float_report.weights is not None
    assert all(row.sqnr_db == np.inf and row.cosine == 1 for row in float_report.weights.tensors)
    written = json.loads((float_bundle / "reports" / "validate.json").read_text())
    assert ParityReport.from_json(written) == float_report
    assert (float_bundle / "reports" / "validate.html").stat().st_size > 10_000


def test_int8_passes_and_takes_the_reference_from_the_cache(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    first = edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)
    assert not first.reference.cached
    report = edgekit.validate(int8_bundle, demo_path, data=few_rows, junit=tmp_path / "junit.xml")
    assert report.passed, report.headline
    assert report.reference.cached
    assert report.weights is not None
    assert all(row.expected_sqnr_db == pytest.approx(row.sqnr_db) for row in report.weights.tensors)
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("10", "0", "2")


def test_a_bundle_against_itself_has_no_difference_at_all(int8_bundle: Path, few_rows: Path) -> None:
    report = edgekit.validate(int8_bundle, against=int8_bundle, data=few_rows, report=False)
    assert report.passed
    assert report.logits is not None
    figures = report.logits.overall
    assert (figures.kl_mean.value, figures.kl_max, figures.delta_p_max) == (0, 0, 0)
    assert (figures.top1.value, figures.top5.value, figures.perplexity_ratio.value) == (1, 1, 1)
    assert report.generation is not None
    assert report.generation.exact is not None
    assert report.generation.exact.value == 1
    assert report.weights is not None
    assert {(row.sqnr_db, row.cosine) for row in report.weights.tensors} == {(np.inf, 1.0)}


def test_without_a_reference_it_checks_what_can_be_checked(int8_bundle: Path, tmp_path: Path) -> None:
    """A bare file stands for one that edgekit did not make."""
    bare = shutil.copy(int8_bundle / read_manifest(int8_bundle).model.file, tmp_path / "m.litertlm")
    report = edgekit.validate(bare, limit=3, max_tokens=16, report=False)
    found = status(report)
    assert {found[name] for name in ("container", "stop", "generation")} == {"passed"}
    assert {found[name] for name in ("tokens", "template", "logits", "weights")} == {"skipped"}


# --- planted faults ----------------------------------------------------------------------------------------------


def test_permuted_ids_are_caught_by_tokens(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def permute(content: bytearray) -> bytes:
        from sentencepiece import sentencepiece_model_pb2

        model = sentencepiece_model_pb2.ModelProto.FromString(bytes(content))
        numbers = [i for i, piece in enumerate(model.pieces) if piece.piece in ("9", "Z")]
        a, b = (model.pieces[i] for i in numbers)
        a.piece, b.piece = b.piece, a.piece
        return bytes(model.SerializeToString())

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.SP_TOKENIZER, permute)
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert failures(report) == {"tokens"}
    assert report.tokens is not None
    assert report.tokens.differences[0].reference_ids != report.tokens.differences[0].bundle_ids


def test_a_missing_stop_token_is_caught_by_stop(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def drop(message: object) -> None:
        del message.stop_tokens[0]  # type: ignore[attr-defined]

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.LLM_METADATA, metadata(drop))
    report = edgekit.validate(bundle, demo_path, data=few_rows, max_tokens=48, report=False)
    assert "stop" in failures(report)
    assert failures(report) <= {"stop", "generation", "task"}, "answers that run on are wrong, too"
    assert "<end_of_turn>" in report.check("stop").summary


def test_a_lost_system_message_is_caught_by_template(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def lose(message: object) -> None:
        skip = "{%- if messages[0]['role'] == 'system' -%}{%- set messages = messages[1:] -%}{%- endif -%}\n"
        message.jinja_prompt_template = skip + message.jinja_prompt_template  # type: ignore[attr-defined]

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.LLM_METADATA, metadata(lose))
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert failures(report) == {"template"}
    assert report.template is not None
    wrong = {case.name for case in report.template.cases if case.status == "failed"}
    assert wrong == {
        "system message",
        "system message, lists of parts",
        "system message and five turns",
    }


def test_doubled_scales_are_caught_by_weights(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    name = "model.layers.2.mlp.up_proj.weight"

    def double(content: bytearray) -> bytearray:
        scales = stored_weights(memoryview(content))[name].scales
        assert scales is not None
        scales *= 2
        return content

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.TFLITE_MODEL, double)
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert "weights" in failures(report)
    assert failures(report) <= {"weights", "logits", "generation", "task"}
    assert f"1 tensors are not the checkpoint's, the worst is {name}" in report.check("weights").summary


def test_a_zeroed_layer_is_caught_by_weights(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def zero(content: bytearray) -> bytearray:
        for name, weight in stored_weights(memoryview(content)).items():
            if name.startswith("model.layers.3.") and weight.scales is not None:
                weight.data[:] = bytes(len(weight.data))
        return content

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.TFLITE_MODEL, zero)
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert "weights" in failures(report)
    assert failures(report) <= {"weights", "logits", "generation", "task", "stop"}
    assert report.weights is not None
    silent = {row.tensor for row in report.weights.tensors if row.cosine == 0}
    assert len(silent) == 7
    assert {row.layer for row in report.weights.tensors if row.cosine == 0} == {3}


def test_another_fine_tune_is_caught_by_logits_and_weights(
    demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    other = shutil.copytree(demo_path, tmp_path / "other")
    tensors = load_file(other / "model.safetensors")
    generator = np.random.default_rng(1)
    for name, values in tensors.items():
        noise = (
            generator.standard_normal(values.shape) * float(np.abs(values.astype(np.float32)).mean()) * 1.5
        )
        tensors[name] = (values.astype(np.float32) + noise).astype(values.dtype)
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    bundle = convert(other, tmp_path / "b", check=False).bundle
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert {"weights", "logits"} <= failures(report)
    assert failures(report) <= {"weights", "logits", "generation", "task", "stop"}
    assert report.check("container").status == "warned"
    assert "made from this checkpoint" in report.check("container").summary


def test_a_flipped_byte_is_caught_by_the_container(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    bundle = flip_a_byte(int8_bundle, tmp_path / "b")
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert failures(report) == {"container"}
    assert {s for n, s in status(report).items() if n != "container"} == {"skipped"}


def test_a_damaged_header_is_an_error_that_names_the_file(int8_bundle: Path, tmp_path: Path) -> None:
    bundle = flip_a_byte(int8_bundle, tmp_path / "b", position=0)
    with pytest.raises(BundleError, match="LITERTLM"):
        edgekit.validate(bundle, report=False)


# --- runtimes, gates, command line -------------------------------------------------------------------------------


def test_another_release_is_judged_like_this_one(
    int8_bundle: Path, demo_path: Path, few_rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This environment stands for the other release's; benchmarks/validate.py asks a real 0.11.0."""
    monkeypatch.setattr(runtimes, "environment", lambda release, progress: Path(sys.executable))
    report = edgekit.validate(int8_bundle, demo_path, data=few_rows, runtimes=("0.18.1",), report=False)
    assert report.check("runtimes").status == "passed"
    assert report.runtimes is not None
    (release,) = report.runtimes.releases
    assert [check.name for check in release.checks] == ["tokens", "template", "stop", "generation"]


def test_thresholds_come_from_options_then_the_file_then_the_recipe(
    float_report: ParityReport, int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "edgekit.toml").write_text("[validate]\nmax-kl = 1e-12\nmin_top1 = 0.5\n")
    report = edgekit.validate(
        int8_bundle,
        demo_path,
        data=few_rows,
        config=tmp_path / "edgekit.toml",
        thresholds=Thresholds(min_top1=0.6),
        report=False,
    )
    gates = {gate.name: gate for gate in report.check("logits").gates}
    assert (gates["max_kl"].threshold, gates["max_kl"].passed) == (1e-12, False)
    assert (gates["min_top1"].threshold, gates["min_top1"].passed) == (0.6, True)
    assert not gates["max_kl"].default
    assert report.check("generation").gates[0].default
    (tmp_path / "edgekit.toml").write_text("[validate]\nmax_kll = 1\n")
    with pytest.raises(InputError, match="max_kll"):
        edgekit.validate(int8_bundle, data=few_rows, config=tmp_path / "edgekit.toml")


def test_the_command_line_exits_1_and_says_which_gate_by_how_much_and_what_helps(
    float_report: ParityReport, int8_bundle: Path, demo_path: Path, few_rows: Path
) -> None:
    arguments = ["validate", str(int8_bundle), str(demo_path), "--data", str(few_rows), "--no-report", "-q"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    result = CliRunner().invoke(app, [*arguments, "--max-kl", "1e-12"])
    assert isinstance(result.exception, GateError)
    assert result.exception.exit_code == 1
    assert "mean KL is" in result.exception.message
    assert "allowed is at most 1e-12" in result.exception.message
    assert "finer recipe" in (result.exception.remedy or "")


def test_bad_rows_are_named_by_line_and_left_out_when_asked(
    int8_bundle: Path, few_rows: Path, tmp_path: Path
) -> None:
    good = few_rows.read_text().splitlines()[:2]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([good[0], '{"prompt": 7}', "{", good[1]]) + "\n")
    with pytest.raises(InputError, match='line 2: "prompt" is not a text'):
        edgekit.validate(int8_bundle, data=path, report=False)
    report = edgekit.validate(int8_bundle, data=path, skip_bad_rows=True, max_tokens=24, report=False)
    assert [row.line for row in report.data.skipped] == [2, 3]
    assert report.data.used == 2
