"""Families of models: what of a checkpoint the graph depends on. One file each.

How a model is spoken to is no matter of its family: see `text.dialects`.
"""

from edgekit.families import gemma3
from edgekit.families.base import Family

FAMILIES: tuple[Family, ...] = (gemma3.FAMILY,)


def family_named(name: str) -> Family:
    """The family that an architecture names."""
    return next(family for family in FAMILIES if family.name == name)
