"""Tensors that are not the checkpoint's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.bundle.container import SectionKind
from edgekit.bundle.stored import stored_weights
from edgekit.conversion.convert import convert
from edgekit.validation.checks import (
    weights,
)
from tests.validation.planted import planted
from tests.validation.reading import failures, section

pytestmark = pytest.mark.slow


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
    silent = {row.tensor for row in section(report, weights.Section).tensors if row.cosine == 0}
    assert len(silent) == 7
    assert {row.layer for row in section(report, weights.Section).tensors if row.cosine == 0} == {3}


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
