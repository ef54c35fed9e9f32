"""`edgekit recipes`: listed, shown, copied and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.recipes import read_recipe, shipped_recipes
from edgekit.recipes import recipe as recipes
from tests.cli.running import Cli
from tests.fixtures.checkpoints import tiny_checkpoint


def test_recipes_are_listed_with_their_sizes(cli: Cli) -> None:
    done = cli("recipes")
    assert (done.code, done.err) == (0, "")
    for recipe in shipped_recipes():
        assert any(line.startswith(recipe.name) and "B  " in line for line in done.out.splitlines())
    assert "--recipe my.toml" in done.out
    assert "--recipe my.toml" not in cli("recipes", "--quiet").out
    sizes = {entry["name"]: entry["bytes"] for entry in cli("recipes", "--json").json}
    order = ["int4-all", "int4-head", "int4", "int8", "float32"]
    assert sorted(sizes, key=lambda name: sizes[name]) == order


def test_recipes_of_a_checkpoint(cli: Cli, demo_path: Path, tmp_path: Path) -> None:
    sizes = {entry["name"]: entry["bytes"] for entry in cli("recipes", demo_path, "--json").json}
    assert sizes["float32"] < 12_000_000
    assert cli("recipes", tiny_checkpoint(tmp_path / "c")).code == 0
    assert cli("recipes", tmp_path / "absent").code == 2


def test_ls_is_what_is_done_by_default(cli: Cli, demo_path: Path) -> None:
    assert cli("recipes", "ls").out == cli("recipes").out
    assert cli("recipes", "ls", demo_path, "--json").out == cli("recipes", demo_path, "--json").out


def test_a_recipe_is_shown_as_its_file_and_as_json(cli: Cli) -> None:
    assert "[gates]" in cli("recipes", "show", "int4").out
    shown = cli("recipes", "show", "int4", "--json").json
    assert shown["gates"]["max_kl"] == read_recipe("int4").gates.max_kl
    assert shown["rules"][-1] == {
        "tensors": ["*"],
        "scheme": {"bits": 4, "block_size": 32, "algorithm": "gptq"},
    }
    assert "there is no such recipe" in cli("recipes", "show", "int3").err


def test_a_copy_is_the_same_recipe_and_replaces_nothing(cli: Cli, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    assert cli("recipes", "cp", "int4", mine).out == f"wrote {mine}\n"
    assert read_recipe(mine).rules == read_recipe("int4").rules
    done = cli("recipes", "cp", "int8", mine)
    assert (done.code, read_recipe(mine).rules) == (2, read_recipe("int4").rules)
    assert "--force" in done.err
    assert cli("recipes", "cp", "int8", mine, "--force").code == 0
    assert read_recipe(mine).rules == read_recipe("int8").rules


def test_a_check_tells_the_size_or_what_is_wrong(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    assert "weights: 228.9 MB" in cli("recipes", "check", "int4").out
    assert cli("recipes", "check", "int4", demo_path, "--json").json["bytes"] < 3_000_000
    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\ntensors = "*.mlp.*"\nbits = 4\n')
    done = cli("recipes", "check", mine)
    assert done.code == 2
    assert "no rule matches model.embed_tokens.weight" in done.err


def test_a_recipe_ships_by_its_file_alone(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in recipes.SHIPPED.glob("*.toml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(recipes, "SHIPPED", tmp_path)
    rule = '[[rule]]\ntensors = "*"\nbits = 4\ngranularity = "block-64"\n[gates]\nmax_kl = 0.3\n'
    (tmp_path / "int4-64.toml").write_text(f'description = "wider blocks"\norder = 45\n{rule}')
    listed = [entry["name"] for entry in cli("recipes", "--json").json]
    assert listed == ["int8", "int4-head", "int4", "int4-all", "int4-64", "float32"]
    assert read_recipe("int4-64").gates.max_kl == 0.3
