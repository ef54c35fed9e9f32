"""A family is one file: another one is opened, named and checked without a change elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import families
from edgekit.checkpoint import open_checkpoint
from edgekit.families import gemma3
from edgekit.families.base import Architecture, Document, Family
from edgekit.families.config import parse_architecture
from edgekit.graph import graph_key
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import config_document, tiny_checkpoint
from tests.fixtures.damage import edit_json


def read(document: Document, where: Path) -> Architecture:
    return replace(gemma3.read({**document, "architectures": None}, where), family="cousin")


COUSIN = Family(
    name="cousin",
    title="Gemma's cousin",
    model_types=frozenset({"cousin_text"}),
    classes=frozenset({"CousinForCausalLM"}),
    read=read,
    tensors=lambda architecture: {
        name.replace("input_layernorm", "first_norm"): shape
        for name, shape in gemma3.tensors(architecture).items()
    },
    canonical=lambda stored: gemma3.canonical(stored).replace("input_layernorm", "first_norm"),
    left_out=gemma3.left_out,
)


@pytest.fixture
def cousin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, COUSIN))


def test_a_checkpoint_is_opened_by_its_own_family(cousin: None, tmp_path: Path) -> None:
    directory = tiny_checkpoint(tmp_path / "c")
    edit_json(directory / "config.json", model_type="cousin_text", architectures=["CousinForCausalLM"])
    opened = open_checkpoint(directory)
    assert opened.architecture.family == "cousin"
    assert list(opened.tensors) == list(COUSIN.tensors(opened.architecture))
    assert "model.layers.0.first_norm.weight" in opened.tensors


def test_its_graphs_are_not_another_family_s(cousin: None) -> None:
    own = parse_architecture(config_document(model_type="cousin_text"), where=Path("config.json"))
    other = parse_architecture(config_document(), where=Path("config.json"))
    assert replace(own, family="gemma3") == other
    names = [graph_key(shape, "dynamic").file_name() for shape in (own, other)]
    assert [name.partition("-")[0] for name in names] == ["cousin", "gemma3"]
    assert names[0].partition("-")[2] != names[1].partition("-")[2]


def test_without_it_its_checkpoints_are_of_no_family() -> None:
    with refused("config.json", "cousin_text", "Gemma 3"):
        parse_architecture(config_document(model_type="cousin_text"), where=Path("config.json"))


def test_a_file_without_model_type_goes_by_its_class(cousin: None) -> None:
    document = config_document(model_type=None, architectures=["CousinForCausalLM"])
    assert parse_architecture(document, where=Path("config.json")).family == "cousin"


def test_each_file_of_the_package_is_in_the_tuple() -> None:
    shared = {"__init__", "base", "config", "keys"}
    files = {path.stem for path in Path(families.__file__).parent.glob("*.py")} - shared
    assert files == {family.name for family in families.FAMILIES}
