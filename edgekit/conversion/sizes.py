"""What the weights weigh under each recipe."""

from __future__ import annotations

from math import prod
from pathlib import Path

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion.trim.gather import VOCABULARY_TENSORS
from edgekit.families.gemma3 import GEMMA_3_270M
from edgekit.graph import find_graph, graph_key
from edgekit.recipes import Recipe, resolve, shipped_recipes
from edgekit.recipes.recipe import stored_bytes


def recipe_sizes(checkpoint: str | Path | None = None, *, pieces: int | None = None) -> dict[str, int]:
    """Bytes that the weights take under each shipped recipe: of a checkpoint, or of Gemma 3 270M.

    pieces: of a trimmed vocabulary.
    """
    matrices, norms = _gemma_3_270m() if checkpoint is None else _shapes(open_checkpoint(checkpoint))
    if pieces is not None:
        trimmed = VOCABULARY_TENSORS & matrices.keys()
        matrices |= {name: (pieces, *matrices[name][1:]) for name in trimmed}
    return {
        recipe.name: stored_bytes(resolve(recipe, matrices), matrices) + norms for recipe in shipped_recipes()
    }


def recipe_size(recipe: Recipe, checkpoint: str | Path | None = None) -> int:
    """Bytes that the weights take under one recipe: of a checkpoint, or of Gemma 3 270M.

    Raises RecipeError when the recipe does not go with these tensors.
    """
    matrices, norms = _gemma_3_270m() if checkpoint is None else _shapes(open_checkpoint(checkpoint))
    return stored_bytes(resolve(recipe, matrices), matrices) + norms


def _shapes(checkpoint: Checkpoint) -> tuple[dict[str, tuple[int, ...]], int]:
    """Matrices by name, and the bytes of everything else."""
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    matrices: dict[str, tuple[int, ...]] = {n: shape for n, shape in shapes.items() if len(shape) == 2}
    return matrices, 4 * sum(prod(shape) for shape in shapes.values() if len(shape) != 2)


def _gemma_3_270m() -> tuple[dict[str, tuple[int, ...]], int]:
    graph = find_graph(graph_key(GEMMA_3_270M, "dynamic"))
    sizes = {graph.vocabulary: GEMMA_3_270M.vocab_size}
    shapes = {c.tensor: tuple(sizes.get(size, size) for size in c.shape) for c in graph.constants}
    matrices = {c.tensor: shapes[c.tensor] for c in graph.constants if c.quantizable}
    return matrices, 4 * sum(prod(shape) for name, shape in shapes.items() if name not in matrices)
