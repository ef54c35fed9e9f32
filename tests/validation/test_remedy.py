"""From what failed to the next command."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.gates import Thresholds
from tests.fixtures.bundles import Bundles

pytestmark = pytest.mark.slow


def test_a_bundle_that_is_too_coarse_is_told_what_is_to_blame_and_what_to_try(
    bundles: Bundles, demo_path: Path, few_rows: Path
) -> None:
    bundle = bundles(recipe="int4-all")
    found = edgekit.validate(
        bundle, demo_path, data=few_rows, report=False, thresholds=Thresholds(max_kl=0.0)
    )
    remedy = found.check("logits").remedy or ""
    assert "to blame" in remedy and "in 8 bits, mean KL would " in remedy
    assert "convert with --recipe " in remedy and "--recipe int8 (+" in remedy
    assert "float32" not in remedy


def test_the_finest_has_nothing_to_try_but_float(int8_bundle: Path, demo_path: Path, few_rows: Path) -> None:
    found = edgekit.validate(
        int8_bundle, demo_path, data=few_rows, report=False, thresholds=Thresholds(max_kl=0.0)
    )
    remedy = found.check("logits").remedy or ""
    assert "but by --recipe float32" in remedy
    assert "to blame" not in remedy, "its embedding has 8 bits"
