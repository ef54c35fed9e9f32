"""Quantization recipes: how each tensor is stored, as data."""

from edgekit.recipes.recipe import Recipe, Rule, calibrated, read_recipe, resolve, shipped_recipes
from edgekit.recipes.scheme import FLOAT32, Scheme

__all__ = ["FLOAT32", "Recipe", "Rule", "Scheme", "calibrated", "read_recipe", "resolve", "shipped_recipes"]
