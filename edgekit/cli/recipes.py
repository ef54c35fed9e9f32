"""`edgekit recipes`: the quantization recipes, and the size each gives."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit import figures
from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json


def recipes(
    checkpoint: Annotated[
        str | None,
        typer.Argument(help="Tell sizes for this checkpoint's shape (default: Gemma 3 270M)."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List the quantization recipes and the size that each gives."""
    from edgekit.conversion.sizes import recipe_sizes
    from edgekit.recipes import shipped_recipes

    sizes = recipe_sizes(checkpoint)
    if as_json:
        print_json(
            [
                {"name": recipe.name, "description": recipe.description, "bytes": sizes[recipe.name]}
                for recipe in shipped_recipes()
            ]
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("recipe")
    table.add_column("weights", justify="right")
    table.add_column("")
    for recipe in shipped_recipes():
        table.add_row(recipe.name, figures.size(sizes[recipe.name]), recipe.description)
    console = output_console()
    console.print(table)
    if not quiet:
        console.print("\nA recipe of your own is a TOML file: edgekit convert CHECKPOINT --recipe my.toml")
