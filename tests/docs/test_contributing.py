"""What CONTRIBUTING.md says of adding something, followed to the letter."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

from edgekit import families
from edgekit.benchmark import runners
from edgekit.benchmark.bench import bench
from edgekit.bundle.inspect import inspect
from edgekit.checkpoint import open_checkpoint
from edgekit.conversion.convert import convert
from edgekit.packaging import targets
from edgekit.packaging.package import package
from edgekit.recipes import read_recipe
from edgekit.text import dialects
from edgekit.validation import checks
from edgekit.validation.validate import validate
from tests.docs.conftest import DEMO
from tests.docs.pages import ROOT
from tests.fixtures.checkpoints import tiny_checkpoint
from tests.fixtures.damage import edit_json

CHECKPOINT = DEMO / "checkpoint"
MEASURED = ROOT / "tests" / "benchmark" / "runners" / "shared_by_the_app.json"
Add: TypeAlias = Callable[[str, str], ModuleType]


@pytest.fixture
def add(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Writes what stands under a heading into a module of this name, and imports it until the test ends."""
    directory = tmp_path_factory.mktemp("added")
    monkeypatch.syspath_prepend(directory)
    names: list[str] = []

    def added(heading: str, name: str) -> ModuleType:
        assert name not in sys.modules
        (directory / f"{name}.py").write_text(_lines_for(heading, "python"), encoding="utf-8")
        names.append(name)
        return importlib.import_module(name)

    yield added
    for name in names:
        del sys.modules[name]


def test_a_recipe_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "mixed.toml").write_text(_lines_for("A recipe", "toml"), encoding="utf-8")
    recipe = read_recipe(tmp_path / "mixed.toml")
    assert recipe.gates.max_kl == 0.1
    assert recipe.description == "8-bit attention, the rest in 4 bits"
    made = convert(CHECKPOINT, tmp_path / "bundle", recipe=tmp_path / "mixed.toml", check=False)
    schemes = made.manifest.recipe.schemes
    assert schemes["model.layers.0.self_attn.q_proj.weight"].startswith("int8")
    assert schemes["model.layers.0.mlp.up_proj.weight"] == "int4 block 32"


@pytest.mark.slow
def test_a_check_is_one_module(add: Add, tmp_path: Path) -> None:
    short = add("A check", "short")
    bundle = convert(CHECKPOINT, tmp_path / "bundle", check=False).bundle
    parity = validate(bundle, checks=(*checks.CHECKS, short), limit=1, max_tokens=8)
    assert parity.check("short").status == "passed"
    assert re.search(r"the longest answer has \d+ characters", parity.check("short").summary)
    assert "Short answers" in (bundle / "reports" / "validate.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_target_is_one_module(
    add: Add, int8_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = add("A package target", "zip_target").ZIP
    monkeypatch.setattr(targets, "TARGETS", (*targets.TARGETS, archive))
    made = package(int8_bundle, "zip", tmp_path / "out", options=archive.options(level=9))
    assert (tmp_path / "out" / "tasks.json").is_file()
    assert made.next_steps == (f"unzip {tmp_path / 'out'}",)


def test_a_runner_is_one_module(
    add: Add, int8_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "KINDS", (*runners.KINDS, add("A runner", "archive").KIND))
    shutil.copy(MEASURED, tmp_path)
    report = bench(int8_bundle, on=[f"archive={tmp_path}"], reports=tmp_path / "reports")
    assert [result.device.kind for result in report.results] == ["android"]


def test_a_family_is_one_module(add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, add("A family", "cousin").FAMILY))
    directory = tiny_checkpoint(tmp_path / "checkpoint")
    edit_json(directory / "config.json", model_type="cousin_text", architectures=["CousinForCausalLM"])
    assert open_checkpoint(directory).architecture.family == "cousin"


def test_a_dialect_is_one_module(add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shouting = add("A dialect", "shouting").Shouting()
    monkeypatch.setattr(dialects, "DIALECTS", (shouting, *dialects.DIALECTS))
    llm = inspect(convert(CHECKPOINT, tmp_path / "bundle", check=False).bundle).llm
    assert llm is not None and llm.model_type == "function_gemma"


def _lines_for(heading: str, language: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"### {heading}\n")[2]
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    assert found is not None
    return found[1]
