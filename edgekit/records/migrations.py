"""What older manifests lack, filled in: one function a step, on JSON values. Append only; a step never changes.

A step must stand anything: what is wrong with the values is told by whoever decodes them afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edgekit.records.versions import Migration


def _manifest_2(values: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 names the ids that are suppressed under an answer format, and carries the recipe's gates.

    Before, the engine was asked for the first, which it still is where they are null; and gates hung on the recipe's
    name.
    """
    recipe = values.get("recipe")
    if isinstance(recipe, dict):
        name = recipe.get("name")
        gates = _GATES_BEFORE_2.get(name, _COARSE_BEFORE_2) if isinstance(name, str) else _COARSE_BEFORE_2
        recipe = {**recipe, "gates": gates}
    return {**values, **({"recipe": recipe} if "recipe" in values else {}), "suppressed_tokens": None}


def _unsaid_turns(values: dict[str, Any]) -> dict[str, Any]:
    """Manifests 3 and adapters 2 say "many" in `turns` where a fine-tune was trained on several.

    Before, it only said that the template keeps earlier turns, and under a format each message stood alone.
    """
    return {**values, "turns": "one" if values.get("turns") == "one" else None}


def _gates(max_kl: float, min_top1: float, max_task_drop: float, max_loop: float) -> Mapping[str, float]:
    return {
        "max_kl": max_kl,
        "min_top1": min_top1,
        "max_task_drop": max_task_drop,
        "max_loop": max_loop,
        "max_sqnr_loss": 1.0,
        "max_removed_mass": 0.01,
    }


_BITS4_BEFORE_2: Final = _gates(0.20, 0.90, 0.03, 0.01)
_COARSE_BEFORE_2: Final = _gates(0.50, 0.85, 0.05, 0.02)
_GATES_BEFORE_2: Final[Mapping[str, Mapping[str, float]]] = {
    "float32": _gates(1e-5, 0.999, 0.0, 0.0),
    "int8": _gates(0.02, 0.97, 0.01, 0.0),
    "int4": _BITS4_BEFORE_2,
    "int4-head": _BITS4_BEFORE_2,
    "int4-all": _BITS4_BEFORE_2,
}

MANIFEST: Final[tuple[Migration, ...]] = (_manifest_2, _unsaid_turns)
"""Of `edgekit.json`: entry n turns schema n + 1 into n + 2."""

ADAPTER: Final[tuple[Migration, ...]] = (_unsaid_turns,)
"""Likewise of `adapter.json`."""
