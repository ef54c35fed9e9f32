"""`edgekit recipes`: the quantization recipes, and the size each gives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgekit import figures
from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json, say
from edgekit.errors import InputError

EXAMPLES = """Examples:

edgekit recipes

edgekit recipes ls ./my-fine-tune

edgekit recipes cp int4 mine.toml

edgekit recipes check mine.toml

edgekit convert ./my-fine-tune --recipe mine.toml"""

CheckpointArgument = Annotated[
    str | None, typer.Argument(help="Tell sizes for this checkpoint's shape (default: Gemma 3 270M).")
]


class _ListsByDefault(TyperGroup):
    """A group whose first word may be left out: `edgekit recipes CHECKPOINT` lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `ls` before words that name no command."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["ls", *args]
        return super().parse_args(ctx, args)


recipes = typer.Typer(
    cls=_ListsByDefault,
    help="List, show, copy and check quantization recipes.",
    epilog=EXAMPLES,
    rich_markup_mode=None,
)


@recipes.command()
def ls(
    checkpoint: CheckpointArgument = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List the recipes that ship, and the size that each gives."""
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


@recipes.command()
def show(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships, or a TOML file.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Print a recipe: its rules and gates."""
    from edgekit.recipes.recipe import read_recipe, recipe_path
    from edgekit.records.codec import plain

    found = read_recipe(recipe)
    if as_json:
        print_json(plain(found))
    else:
        say(recipe_path(recipe).read_text(encoding="utf-8"), end="")


@recipes.command()
def cp(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships, or a TOML file.")],
    file: Annotated[Path, typer.Argument(help="The TOML file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    debug: DebugOption = False,
) -> None:
    """Copy a recipe, to change it."""
    from edgekit.files.whole import write_whole
    from edgekit.recipes.recipe import recipe_path

    content = recipe_path(recipe).read_bytes()
    if file.exists() and not force:
        raise InputError("is there already", where=file, remedy="pass --force to replace it")
    write_whole(file, content)
    say(f"wrote {file}")


@recipes.command()
def check(
    recipe: Annotated[str, typer.Argument(help="A TOML file, or a recipe that ships.")],
    checkpoint: CheckpointArgument = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check that a recipe can be followed, and tell the size that it gives."""
    from edgekit.conversion.sizes import recipe_size
    from edgekit.recipes import read_recipe

    found = read_recipe(recipe)
    size = recipe_size(found, checkpoint)
    if as_json:
        print_json({"name": found.name, "description": found.description, "bytes": size})
    else:
        say(f"{found.name}: rules: {len(found.rules)}, weights: {figures.size(size)}")
