"""The recipes that ship, from their TOML files, with what was measured on real weights."""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from docs.generate.markdown import code, docstring, page, table

MEASURED = Path(__file__).parents[2] / "benchmarks" / "results" / "real-weights.json"
"""Figures of Gemma 3 270M's own weights, by recipe: KL, top token, perplexity, two tasks."""


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

    rows, sizes = _measured()["rows"], recipe_sizes(None)
    tasks = rows["reference"]["tasks"]
    head = ["recipe", "weights", "mean KL", "same top token"]
    head += [f"{TASKS[task]} right (before: {before:.0%})" for task, before in tasks.items()]
    lines = []
    for recipe in shipped_recipes():
        of = rows[recipe.name]
        figures = [f"{max(of['mean_kl'], 0):.2g}", f"{of['same_top']:.0%}", *_tasks(of, tasks)]
        lines.append([f"`{recipe.name}`", f"{sizes[recipe.name] / 1e6:,.0f} MB", *figures])
        if also := rows.get(f"{recipe.name} calibrated"):
            figures = [f"{also['mean_kl']:.2g}", f"{also['same_top']:.0%}", *_tasks(also, tasks)]
            lines.append([f"`{recipe.name}`, `--calibrate`", "the same", *figures])
    return table(head, lines)


TASKS = {"intent": "labels", "event": "JSON"}
"""Fine-tunes of the real model: 12 labels for phone settings, and an event written as JSON."""


def comparison_table() -> str:
    """The same figures in full, beside llama.cpp's, for docs/benchmarks.md."""
    head = ["", "MB", "mean KL", "99%", "same top token", "perplexity"]
    forms = {
        "mb": ",.0f",
        "mean_kl": ".2g",
        "kl_99": ".2g",
        "same_top": ".1%",
        "perplexity": ".4g",
    }
    return table(
        head,
        [
            [name, *(format(of[key], form) if key in of else "" for key, form in forms.items())]
            for name, of in _measured()["rows"].items()
            if "mean_kl" in of
        ],
    )


def _tasks(of: dict[str, Any], tasks: dict[str, float]) -> list[str]:
    scores = of.get("tasks", {})
    return [f"{scores[task]:.0%}" if task in scores else "" for task in tasks]


def _measured() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return loaded


def _what() -> str:
    measured = _measured()
    machine = measured["machine"]
    return (
        f"Gemma 3 270M's own weights (the base model), {measured['positions']:,} positions of prose, code and "
        "manuals in three languages, against float32 in Transformers; perplexity there "
        f"{measured['reference_perplexity']}. Tasks: LoRA fine-tunes of it, 100 rows each. Measured on "
        f"{machine['cpu']}, {machine['cores']} cores, litert-lm-api {machine['versions']['litert-lm-api']}, by "
        "`benchmarks/quality.py`."
    )


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
