"""The recipes that ship, from their TOML files, with what was measured on real weights."""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from docs.generate.markdown import code, docstring, page, table

MEASURED = Path(__file__).parents[2] / "benchmarks" / "results" / "real-weights.json"
"""Figures of Gemma 3 270M's own weights, by recipe: KL, top token, perplexity, speeds, two tasks."""


def pages() -> dict[str, str]:
    """Path below reference/ → page."""
    from edgekit.recipes import recipe as reader
    from edgekit.recipes import shipped_recipes

    parts = [
        "`edgekit convert --recipe NAME` takes one of these, or a [TOML file of your own](#your-own).",
        measured_table(),
        _what(),
    ]
    for recipe in shipped_recipes():
        source = (reader.SHIPPED / f"{recipe.name}.toml").read_text(encoding="utf-8")
        parts += [f"## {recipe.name}", code(source, "toml")]
    parts += [
        "## Your own",
        docstring(reader),
        "What edgekit accepts, because the engine runs it:",
        _accepted(),
    ]
    return {"recipes.md": page("Recipes", *parts)}


def measured_table() -> str:
    """The table of recipes, for README and reference: size, and what it loses on real weights."""
    from edgekit.conversion.sizes import recipe_sizes
    from edgekit.recipes import shipped_recipes

    measured, sizes = _measured(), recipe_sizes(None)
    head = [
        "recipe",
        "weights",
        "mean KL",
        "same top token",
        "labels right (before: 88%)",
        "JSON right (before: 48%)",
    ]
    rows = [
        [
            f"`{recipe.name}`",
            f"{sizes[recipe.name] / 1e6:,.0f} MB",
            *_figures(measured["recipes"].get(recipe.name)),
        ]
        for recipe in shipped_recipes()
    ]
    return table(head, rows)


def comparison_table() -> str:
    """The same figures in full, beside llama.cpp's, for the page of figures."""
    measured = _measured()
    head = ["", "mean KL", "99%", "same top token", "perplexity", "prefill tokens/s", "decode tokens/s"]
    both = {**measured["others"], **{f"edgekit {name}": of for name, of in measured["recipes"].items()}}
    return table(head, [[name, *_all_figures(of)] for name, of in both.items()])


def _measured() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return loaded


def _figures(of: dict[str, float] | None) -> list[str]:
    if of is None:
        return ["", "", "", ""]
    return [f"{of['mean_kl']:.3g}", f"{of['same_top']:.0%}", f"{of['labels']:.0%}", f"{of['json']:.0%}"]


def _all_figures(of: dict[str, float | None]) -> list[str]:
    def told(key: str, form: str) -> str:
        value = of[key]
        return "" if value is None else format(value, form)

    forms = {
        "mean_kl": ".3g",
        "kl_99": ".3g",
        "same_top": ".1%",
        "perplexity": ".4g",
        "prefill": ",",
        "decode": ",",
    }
    return [told(key, form) for key, form in forms.items()]


def _what() -> str:
    return str(_measured()["what"])


def _accepted() -> str:
    """Every combination of bits, granularity and algorithm, tried on the reader of recipes."""
    from edgekit.errors import RecipeError
    from edgekit.recipes import read_recipe
    from edgekit.recipes.recipe import ALGORITHMS, BLOCK_SIZES

    rows = []
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "tried.toml"
        for bits, granularity in product((8, 4, 2), ("channel", *(f"block-{size}" for size in BLOCK_SIZES))):
            taken = []
            for algorithm in ALGORITHMS:
                rule = f'tensors = "*"\nbits = {bits}\ngranularity = "{granularity}"\nalgorithm = "{algorithm}"\n'
                file.write_text(f'description = "tried"\n[[rule]]\n{rule}', encoding="utf-8")
                try:
                    read_recipe(file)
                except RecipeError:
                    continue
                taken.append(algorithm)
            if taken:
                rows.append([str(bits), granularity, ", ".join(taken)])
    return table(["bits", "granularity", "algorithm"], [*rows, ["32", "", ""]])
