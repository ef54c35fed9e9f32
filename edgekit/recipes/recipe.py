"""Recipes: TOML files whose rules say how each tensor is stored.

    description = "what it is for"

    [[rule]]                                 # the first rule that matches a tensor decides
    tensors = ["model.embed_tokens.weight"]  # a glob or a list of globs on checkpoint names
    bits = 8                                 # 8, 4, 2 (channel only), or 32 for float
    granularity = "channel"                  # "channel", or "block-32", "block-64", "block-128", "block-256"
    algorithm = "min-max"                    # "min-max" (default), "octav", "mse", "gptq" (calibrated)

    [gates]                                  # what a bundle of this recipe is held to; see `edgekit.gates`
    max_kl = 0.02

    [graph]                                  # what the graph must do
    rotation = 128                           # rotate what goes into products (see `edgekit.graph.rotate`)

Norms stay float32 and no rule applies to them. `order` is a recipe's place in lists. To ship another recipe, put its
file into `shipped`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

from edgekit.errors import RecipeError
from edgekit.gates import COARSE, Thresholds
from edgekit.recipes.scheme import FLOAT32, Algorithm, Scheme
from edgekit.records.codec import read_toml

SHIPPED = Path(__file__).parent / "shipped"
DEFAULT = "int8"
_BITS: Final[tuple[Literal[8, 4, 2], ...]] = (8, 4, 2)
BLOCK_SIZES = (32, 64, 128, 256)
ROTATIONS = (32, 64, 128, 256)
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)

_LAST = 1000  # in lists: behind all that say where they belong

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"


@dataclass(frozen=True)
class Rule:
    """Tensors whose name matches one of the globs get the scheme."""

    tensors: tuple[str, ...]
    scheme: Scheme

    def matches(self, tensor: str) -> bool:
        """Whether the rule is for this tensor."""
        return any(fnmatch.fnmatchcase(tensor, pattern) for pattern in self.tensors)


@dataclass(frozen=True)
class GraphNeeds:
    """What the graph must do. rotation: length of the rotations in front of products, 0 for none."""

    rotation: int = 0


@dataclass(frozen=True)
class Recipe:
    """Rules in order; the first that matches decides.

    gates: what `validate` holds a bundle to. graph: what the graph must do.
    """

    name: str
    description: str
    rules: tuple[Rule, ...]
    gates: Thresholds = COARSE
    graph: GraphNeeds = GraphNeeds()

    @property
    def needs_calibration(self) -> bool:
        """Whether a rule rounds by what a tensor is multiplied with."""
        return any(rule.scheme.algorithm == "gptq" for rule in self.rules)


def shipped_recipes() -> tuple[Recipe, ...]:
    """The recipes that come with edgekit, in the order that their files give."""
    read = [_read_with_order(path) for path in sorted(SHIPPED.glob("*.toml"))]
    return tuple(recipe for _, recipe in sorted(read, key=lambda entry: entry[0]))


def _names() -> str:
    return ", ".join(recipe.name for recipe in shipped_recipes())


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe: the name of a shipped one, or the path of a TOML file.

    Raises RecipeError, naming file, rule and key, for anything that is not a recipe the engine runs.
    """
    return _read(recipe_path(name_or_path))


def recipe_path(name_or_path: str | Path) -> Path:
    """The file of a shipped recipe, or the file that was named; raises RecipeError when there is neither."""
    text = str(name_or_path)
    shipped = SHIPPED / f"{text}.toml"
    if "/" not in text and shipped.exists():
        return shipped
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise RecipeError(
        "there is no such recipe", where=text, remedy=f"name one of {_names()}, or the path of a TOML file"
    )


def calibrated(recipe: Recipe) -> Recipe:
    """The recipe with every rule that quantizes doing so by GPTQ."""
    rules = tuple(
        rule if rule.scheme.bits == 32 else replace(rule, scheme=replace(rule.scheme, algorithm="gptq"))
        for rule in recipe.rules
    )
    return replace(recipe, rules=rules)


def resolve(recipe: Recipe, matrices: Mapping[str, tuple[int, ...]]) -> dict[str, Scheme]:
    """Decide the scheme of every matrix.

    matrices: checkpoint tensor → shape (rows, columns), the quantizable ones.
    Raises RecipeError when no rule matches a tensor, when a rule matches none, or when blocks do not divide
    the columns.
    """
    schemes = {name: _choose(recipe, name, shape) for name, shape in matrices.items()}
    for rule in recipe.rules:
        # A tied checkpoint has no head of its own; a rule that only names the head is no mistake there.
        patterns = [pattern for pattern in rule.tensors if pattern != _HEAD]
        if patterns and not any(rule.matches(name) for name in matrices):
            raise RecipeError(
                f"the rule for {', '.join(patterns)} matches no tensor of this checkpoint",
                where=recipe.name,
                remedy=f"names look like {_EMBEDDING} or {next(iter(_layers(matrices)), _EMBEDDING)}",
            )
    return schemes


def stored_bytes(schemes: Mapping[str, Scheme], matrices: Mapping[str, tuple[int, ...]]) -> int:
    """Bytes that matrices take under their schemes, scales included."""
    return sum(
        schemes[name].data_bytes(shape) + schemes[name].scale_bytes(shape) for name, shape in matrices.items()
    )


def _layers(names: Iterable[str]) -> Iterable[str]:
    return (name for name in names if ".layers." in name)


def _choose(recipe: Recipe, name: str, shape: tuple[int, ...]) -> Scheme:
    for rule in recipe.rules:
        if rule.matches(name):
            block = rule.scheme.block_size
            if block and shape[1] % block:
                raise RecipeError(
                    f"blocks of {block} do not divide the {shape[1]} columns of {name}",
                    where=recipe.name,
                    remedy='give it a rule of its own with a smaller block or granularity = "channel"',
                )
            return rule.scheme
    raise RecipeError(
        f"no rule matches {name}", where=recipe.name, remedy='end the recipe with a rule for tensors = "*"'
    )


@dataclass(frozen=True)
class _RuleTable:
    """A [[rule]] as it is written."""

    tensors: str | tuple[str, ...]
    bits: int
    granularity: str | None = None
    algorithm: str | None = None


@dataclass(frozen=True)
class _File:
    """A recipe's file."""

    description: str = ""
    order: int = _LAST
    rule: tuple[_RuleTable, ...] = ()
    gates: Thresholds = COARSE
    graph: GraphNeeds = GraphNeeds()


def _read(path: Path) -> Recipe:
    return _read_with_order(path)[1]


def _read_with_order(path: Path) -> tuple[int, Recipe]:
    file = read_toml(_File, path, remedy="edgekit recipes lists those that ship", error=RecipeError)
    if not file.rule:
        raise RecipeError("a recipe needs at least one [[rule]]", where=path)
    rules = tuple(_rule(rule, f"{path}: rule[{n}]") for n, rule in enumerate(file.rule))
    if file.graph.rotation not in (0, *ROTATIONS):
        raise RecipeError(
            f"a rotation of {file.graph.rotation} is not offered",
            where=f"{path}: graph.rotation",
            remedy=f"use one of {', '.join(map(str, ROTATIONS))}, or leave it out",
        )
    recipe = Recipe(path.stem, file.description, rules, file.gates.over(COARSE), file.graph)
    return file.order, recipe


def _rule(rule: _RuleTable, where: str) -> Rule:
    patterns = (rule.tensors,) if isinstance(rule.tensors, str) else rule.tensors
    if not patterns:
        raise RecipeError("tensors must be a glob or a list of globs", where=where, remedy='tensors = "*"')
    return Rule(patterns, _scheme(rule, where))


def _scheme(rule: _RuleTable, where: str) -> Scheme:
    if rule.bits == 32:
        if extra := [name for name in ("algorithm", "granularity") if getattr(rule, name) is not None]:
            raise RecipeError(f"float32 has no {' and no '.join(extra)}", where=where)
        return FLOAT32
    bits = next((known for known in _BITS if known == rule.bits), None)
    if bits is None:
        raise RecipeError(
            f"bits = {rule.bits} does not run on the engine's CPU backend",
            where=where,
            remedy="use 8, 4, 2 or 32",
        )
    algorithm = next((known for known in ALGORITHMS if known == (rule.algorithm or "min-max")), None)
    if algorithm is None:
        raise RecipeError(
            f"algorithm = {rule.algorithm!r} is unknown",
            where=where,
            remedy=f"use one of {', '.join(ALGORITHMS)}",
        )
    scheme = Scheme(bits, _block_size(rule.granularity or "channel", where), algorithm)
    if scheme.block_size and scheme.bits != 4:
        raise RecipeError(
            f"the engine does not run {scheme.bits}-bit blocks",
            where=where,
            remedy='use granularity = "channel", or bits = 4',
        )
    if algorithm == "mse" and (scheme.block_size or scheme.bits == 2):
        raise RecipeError(
            f"mse has no form for {scheme.label().removesuffix(' mse')}",
            where=where,
            remedy='use "octav" or "min-max"',
        )
    return scheme


def _block_size(granularity: str, where: str) -> int:
    if granularity == "channel":
        return 0
    for size in BLOCK_SIZES:
        if granularity == f"block-{size}":
            return size
    raise RecipeError(
        f"granularity = {granularity!r} is unknown",
        where=where,
        remedy=f'use "channel" or one of {", ".join(f"block-{size}" for size in BLOCK_SIZES)}',
    )
