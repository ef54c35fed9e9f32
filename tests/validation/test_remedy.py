"""From what failed to the next command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgekit
from edgekit.conversion.options import Trim
from edgekit.gates import Thresholds
from edgekit.recipes import shipped_recipes
from edgekit.recipes.measured import MEAN_KL
from edgekit.validation.remedy import lose_less
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


def test_the_finest_recipe_is_told_to_calibrate(int8_bundle: Path, demo_path: Path, few_rows: Path) -> None:
    found = edgekit.validate(
        int8_bundle, demo_path, data=few_rows, report=False, thresholds=Thresholds(max_kl=0.0)
    )
    remedy = found.check("logits").remedy or ""
    assert remedy.startswith("convert with --calibrate (mean KL about ")
    assert "to blame" not in remedy, "its embedding has 8 bits"


SIZES = {"int8": 273_000_000, "int4-head": 196_000_000, "int4": 229_000_000, "float32": 1_072_000_000}


@pytest.mark.parametrize(
    ("recipe", "calibrated", "says"),
    [
        ("int8", False, "convert with --calibrate"),
        ("int4-head", True, "convert with --recipe int8 (+77 MB)"),
        ("int4", True, "convert with --recipe int4-head (\u221233 MB) or --recipe int8 (+44 MB)"),
        (
            "int8",
            True,
            "no smaller loss is to be had but by --recipe float32: train on rows like those that broke",
        ),
        ("float32", False, "no smaller loss is to be had: train on rows like those that broke"),
    ],
)
def test_what_loses_less_is_named_and_not_merely_what_is_larger(
    recipe: str, calibrated: bool, says: str
) -> None:
    assert lose_less(recipe, SIZES, calibrated=calibrated) == says
    assert lose_less("mine", SIZES, calibrated=calibrated) is None


def test_what_they_would_give_is_told_from_what_was_measured() -> None:
    """Of a fine-tune that loses twice what was measured."""
    said = lose_less("int4-head", SIZES, calibrated=True, found=2 * MEAN_KL["int4-head"])
    assert said == f"convert with --recipe int8 (+77 MB, mean KL about {2 * MEAN_KL['int8']:.2g})"
    said = lose_less("int8", SIZES, calibrated=False, found=2 * MEAN_KL["int8"])
    assert said == f"convert with --calibrate (mean KL about {2 * MEAN_KL['int8 calibrated']:.2g})"


def test_what_was_measured_is_what_the_benchmark_found() -> None:
    rows = json.loads((Path(__file__).parents[2] / "benchmarks/results/real-weights.json").read_text())[
        "rows"
    ]
    assert {name: rows[name]["mean_kl"] for name in MEAN_KL} == dict(MEAN_KL)


def test_pieces_that_answers_need_are_named_before_bits(
    demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("hi\n")
    bundle = edgekit.convert(demo_path, tmp_path / "b", trim=Trim((texts,), 700), check=False).bundle
    found = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert not found.passed
    remedy = found.check("task").remedy or ""
    assert "expected answers hold pieces that the bundle lacks, such as '" in remedy
    assert f"edgekit vocab … --check {few_rows.name} tells" in remedy
    assert "--recipe" not in remedy


def test_the_shipped_recipes_stand_in_the_order_of_what_they_lose() -> None:
    measured = json.loads((Path(__file__).parents[2] / "benchmarks/results/real-weights.json").read_text())[
        "rows"
    ]
    names = [recipe.name for recipe in shipped_recipes()]
    losses = [measured[name]["mean_kl"] for name in names[:-1]]
    assert losses == sorted(losses)
    assert names[-1] == "float32"
