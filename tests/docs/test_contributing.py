"""What CONTRIBUTING.md says of adding something, followed to the letter."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from edgekit.conversion.convert import convert
from edgekit.recipes import read_recipe
from edgekit.validation import checks
from edgekit.validation.validate import validate
from tests.docs.conftest import DEMO
from tests.docs.pages import ROOT


def test_a_recipe_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "mixed.toml").write_text(_lines_for("A recipe", "toml"), encoding="utf-8")
    recipe = read_recipe(tmp_path / "mixed.toml")
    assert recipe.gates.max_kl == 0.1
    assert recipe.description == "8-bit attention, the rest in 4 bits"
    made = convert(DEMO / "checkpoint", tmp_path / "bundle", recipe=tmp_path / "mixed.toml", check=False)
    schemes = made.manifest.recipe.schemes
    assert schemes["model.layers.0.self_attn.q_proj.weight"].startswith("int8")
    assert schemes["model.layers.0.mlp.up_proj.weight"] == "int4 block 32"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(checks, "CHECKS"), reason="the checks are not modules yet")
def test_a_check_is_one_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "short.py").write_text(_lines_for("A check", "python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    short = importlib.import_module("short")
    bundle = convert(DEMO / "checkpoint", tmp_path / "bundle", check=False).bundle
    parity = validate(bundle, checks=(*checks.CHECKS, short), limit=1, max_tokens=8)
    assert parity.check("short").status == "passed"
    assert re.search(r"the longest answer has \d+ characters", parity.check("short").summary)
    assert "Short answers" in (bundle / "reports" / "validate.html").read_text(encoding="utf-8")


def _lines_for(heading: str, language: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"### {heading}\n")[2]
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found is not None
    return found[1]
