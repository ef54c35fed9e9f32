"""Sidecars that are not the adapter's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.sidecar import read_sidecar
from edgekit.conversion.adapter.making import adapter
from edgekit.validation.checks import (
    sidecar,
)
from tests.conftest import TRIAGE
from tests.validation.adapted import Matrices, planted_adapter
from tests.validation.reading import failures, section, status, validated

pytestmark = pytest.mark.slow


def test_the_sidecar_of_another_adapter_is_caught_with_the_logits(
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
    assert {"sidecar", "logits"} <= failures(report)
    assert failures(report) <= {"sidecar", "logits", "task", "generation", "stop"}
    assert "42 of 42 projections are not the adapter's" in report.check("sidecar").summary


def test_another_adapter_as_the_checkpoint_is_a_warning_that_the_figures_confirm(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path
) -> None:
    """As a bundle and a checkpoint that it was not made from."""
    report = validated(sentiment_adapter, adapter_ready_bundle, demo_path, trained=TRIAGE)
    assert {"sidecar", "logits"} <= failures(report)
    assert status(report)["container"] == "warned"
    assert "sidecar made from this adapter" in report.check("container").summary


def test_a_wrong_scaling_is_caught(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path, tmp_path: Path
) -> None:
    def doubled(matrices: Matrices) -> Matrices:
        return {name: values * 2 if "_b_" in name else values for name, values in matrices.items()}

    report = validated(
        planted_adapter(sentiment_adapter, tmp_path / "a", doubled), adapter_ready_bundle, demo_path
    )
    assert "sidecar" in failures(report)
    assert all(
        row.error == pytest.approx(1) and not row.faithful
        for row in section(report, sidecar.Section).projections
    )
    assert "edgekit adapter" in (report.check("sidecar").remedy or "")


@pytest.mark.parametrize("left_out", [False, True])
def test_a_silent_layer_is_caught(
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
    assert "sidecar" in failures(report)
    wrong = [row for row in section(report, sidecar.Section).projections if not row.faithful]
    assert {(row.layer, row.error) for row in wrong} == {(3, 1.0)}
    assert "4 of 24 projections" in report.check("sidecar").summary


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
    assert status(report)["sidecar"] == "passed", report.check("sidecar").summary
    for row in section(report, sidecar.Section).projections:
        assert row.expected_error is not None and 0.1 < row.error < 0.9
        assert row.error == pytest.approx(row.expected_error, abs=1e-5)
    worse = planted_adapter(
        reduced,
        tmp_path / "b",
        lambda m: {n: np.concatenate([v[:8], v[8:] * 0]) if "_a_" in n else v for n, v in m.items()},
    )
    assert "sidecar" in failures(validated(worse, adapter_ready_bundle, demo_path, trained=trained.parent))
