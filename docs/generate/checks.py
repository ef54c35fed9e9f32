"""What `edgekit validate` asks, from the checks themselves, and the gates that each recipe brings."""

from __future__ import annotations

from dataclasses import fields

from docs.generate.markdown import docstring, page, table


def pages() -> dict[str, str]:
    """Path below reference/ → page."""
    from edgekit.validation import checks

    parts = [docstring(checks)]
    for check in getattr(checks, "CHECKS", ()):
        parts += [f"## {check.TITLE}", f"`{check.NAME}`", docstring(check)]
    return {"checks.md": page("Checks", *parts, "## Gates", *_gates())}


def _gates() -> list[str]:
    """Thresholds by recipe, and what each means."""
    from edgekit.gates import Thresholds
    from edgekit.recipes import shipped_recipes

    recipes = [(recipe.name, recipe.gates) for recipe in shipped_recipes()]
    names = [field.name for field in fields(Thresholds)]
    rows = [[f"`{name}`", *(_told(getattr(of, name)) for _, of in recipes)] for name in names]
    return [docstring(Thresholds), table(["gate", *(f"`{name}`" for name, _ in recipes)], rows)]


def _told(threshold: float | None) -> str:
    return "" if threshold is None else f"{threshold:g}"
