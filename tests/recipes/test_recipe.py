"""Recipes: what a TOML file may say, and which scheme each tensor gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import RecipeError
from edgekit.gates import COARSE
from edgekit.recipes import FLOAT32, Scheme, calibrated, read_recipe, resolve, shipped_recipes
from edgekit.recipes.recipe import GraphNeeds, stored_bytes

MATRICES = {
    "model.embed_tokens.weight": (262_144, 640),
    "model.layers.0.self_attn.q_proj.weight": (1024, 640),
    "model.layers.0.self_attn.k_proj.weight": (256, 640),
    "model.layers.0.self_attn.v_proj.weight": (256, 640),
    "model.layers.0.mlp.down_proj.weight": (640, 2048),
}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_int8_is_the_default_and_comes_first() -> None:
    assert shipped_recipes()[0].name == "int8"


@pytest.mark.parametrize(
    ("name", "embedding", "layers"),
    [
        ("int8", Scheme(8), Scheme(8)),
        ("int4", Scheme(8, 0, "gptq"), Scheme(4, 32, "gptq")),
        ("int4-head", Scheme(4, 32, "gptq"), Scheme(8, 0, "gptq")),
        ("int4-all", Scheme(4, 32, "gptq"), Scheme(4, 32, "gptq")),
        ("float32", FLOAT32, FLOAT32),
    ],
)
def test_shipped_recipes_store_embedding_and_layers_as_documented(
    name: str, embedding: Scheme, layers: Scheme
) -> None:
    schemes = resolve(read_recipe(name), MATRICES)
    assert schemes["model.embed_tokens.weight"] == embedding
    assert schemes["model.layers.0.mlp.down_proj.weight"] == layers


def test_the_first_rule_that_matches_decides(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(
            tmp_path,
            """
            [[rule]]
            tensors = "*.down_proj.weight"
            bits = 8
            [[rule]]
            tensors = ["*_proj.weight", "model.embed_tokens.weight"]
            bits = 4
            granularity = "block-64"
            algorithm = "octav"
            """,
        )
    )
    schemes = resolve(recipe, MATRICES)
    assert schemes["model.layers.0.mlp.down_proj.weight"] == Scheme(8)
    assert schemes["model.layers.0.self_attn.q_proj.weight"] == Scheme(4, 64, "octav")


def test_stored_bytes_count_codes_and_scales() -> None:
    matrices = {"w": (10, 64)}
    assert stored_bytes({"w": Scheme(8)}, matrices) == 640 + 10 * 12
    assert stored_bytes({"w": Scheme(4, 32)}, matrices) == 320 + 20 * 2
    assert stored_bytes({"w": FLOAT32}, matrices) == 2560


def test_gates_are_the_recipes_own_and_coarse_where_it_says_nothing(tmp_path: Path) -> None:
    rule = "[[rule]]\ntensors = '*'\nbits = 8\n"
    assert read_recipe(write(tmp_path, rule)).gates == COARSE
    gates = read_recipe(write(tmp_path, rule + "[gates]\nmax_kl = 1\nmin_exact = 0.5")).gates
    assert gates == replace(COARSE, max_kl=1.0, min_exact=0.5)


def test_finer_recipes_are_held_to_finer_gates() -> None:
    bounds = [recipe.gates.max_kl or 0.0 for recipe in shipped_recipes()]
    assert sorted(bounds[:-1]) == bounds[:-1]  # the last, float32, stands apart
    assert bounds[-1] < bounds[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rule]]\ntensors = '*'\nbits = 8\n[gates]\nmax_kll = 1", "gates.max_kll is not known"),
        ("[[rule]]\ntensors = '*'\nbits = 8\n[gates]\nmax_kl = '1'", "gates.max_kl must be a number"),
        ("[[rule]", "TOML"),
        ("description = 3\n[[rule]]\ntensors = '*'\nbits = 8", "description"),
        ("description = 'empty'", "at least one"),
        ("colour = 'red'\n[[rule]]\ntensors = '*'\nbits = 8", "colour"),
        ("[[rule]]\ntensors = '*'\nbits = 8\nblocks = 32", "blocks"),
        ("[[rule]]\nbits = 8", "tensors"),
        ("[[rule]]\ntensors = '*'", "bits"),
        ("[[rule]]\ntensors = '*'\nbits = 2\ngranularity = 'block-32'", "2-bit blocks"),
        ("[[rule]]\ntensors = '*'\nbits = 2\nalgorithm = 'mse'", "mse has no form for int2 channel"),
        ("[[rule]]\ntensors = '*'\nbits = 16", "bits = 16"),
        ("[[rule]]\ntensors = '*'\nbits = 8\ngranularity = 'block-32'", "8-bit blocks"),
        ("[[rule]]\ntensors = '*'\nbits = 4\ngranularity = 'block-48'", "block-48"),
        ("[[rule]]\ntensors = '*'\nbits = 4\ngranularity = 'tensor'", "tensor"),
        ("[[rule]]\ntensors = '*'\nbits = 4\nalgorithm = 'oscar'", "oscar"),
        ("[[rule]]\ntensors = '*'\nbits = 4\ngranularity = 'block-32'\nalgorithm = 'mse'", "mse"),
        ("[[rule]]\ntensors = '*'\nbits = 32\nalgorithm = 'octav'", "float32"),
    ],
)
def test_a_recipe_that_does_not_run_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as refused:
        read_recipe(write(tmp_path, text))
    assert "mine.toml" in str(refused.value)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match="int4-all"):
        read_recipe("int3")


def test_a_tensor_without_a_rule_is_named(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "[[rule]]\ntensors = '*_proj.weight'\nbits = 8"))
    with pytest.raises(RecipeError, match=r"no rule matches model\.embed_tokens\.weight"):
        resolve(recipe, MATRICES)


def test_a_rule_that_matches_nothing_is_a_mistake(tmp_path: Path) -> None:
    text = "[[rule]]\ntensors = 'layers.0.*'\nbits = 4\n[[rule]]\ntensors = '*'\nbits = 8"
    with pytest.raises(RecipeError, match=r"layers\.0\.\* matches no tensor"):
        resolve(read_recipe(write(tmp_path, text)), MATRICES)


def test_blocks_that_do_not_divide_the_columns_are_refused(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "[[rule]]\ntensors = '*'\nbits = 4\ngranularity = 'block-256'"))
    with pytest.raises(RecipeError, match="blocks of 256 do not divide the 640 columns"):
        resolve(recipe, MATRICES)


def test_a_recipe_says_what_it_needs_beside_the_weights(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(
            tmp_path,
            """
            [graph]
            rotation = 64
            [[rule]]
            tensors = "*"
            bits = 4
            algorithm = "gptq"
            """,
        )
    )
    assert recipe.needs_calibration
    assert recipe.graph == GraphNeeds(rotation=64)
    assert not read_recipe("int8").needs_calibration


def test_calibrated_every_rule_that_quantizes_does_so_by_gptq() -> None:
    assert {rule.scheme for rule in calibrated(read_recipe("int8")).rules} == {Scheme(8, 0, "gptq")}
    assert calibrated(read_recipe("float32")) == read_recipe("float32")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[graph]\nrotation = true", "rotation"),
        ("[graph]\nrotation = 48", "rotation"),
        ("[graph]\nsplit = 2", "split"),
    ],
)
def test_needs_that_there_are_not_are_refused(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_recipe(write(tmp_path, f'{table}\n[[rule]]\ntensors = "*"\nbits = 8\n'))
