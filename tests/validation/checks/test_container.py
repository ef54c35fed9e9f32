"""A file that is not what its manifest promises."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edgekit
from edgekit.errors import BundleError
from tests.validation.planted import flip_a_byte
from tests.validation.reading import BRIEF, failures, status, validated

pytestmark = pytest.mark.slow


def test_a_flipped_byte_is_caught_by_the_container(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    bundle = flip_a_byte(int8_bundle, tmp_path / "b")
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert failures(report) == {"container"}
    assert {s for n, s in status(report).items() if n != "container"} == {"skipped"}


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


def test_a_damaged_header_is_an_error_that_names_the_file(int8_bundle: Path, tmp_path: Path) -> None:
    bundle = flip_a_byte(int8_bundle, tmp_path / "b", position=0)
    with pytest.raises(BundleError, match="LITERTLM"):
        edgekit.validate(bundle, report=False)
