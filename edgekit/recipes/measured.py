"""What the shipped recipes lost on the real Gemma 3 270M: `benchmarks/results/real-weights.json`, in short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEAN_KL: Final[Mapping[str, float]] = {
    "int8": 0.00505,
    "int8 calibrated": 0.00319,
    "int4-head": 0.0465,
    "int4": 0.108,
    "int4-all": 0.161,
}
"""Mean KL against the checkpoint, in nats, by recipe. That of another fine-tune is another; how they compare is not."""


def expected_kl(recipe: str, instead_of: str, found: float) -> float | None:
    """What one recipe would give where another gave this mean KL; None where it was not measured."""
    if recipe not in MEAN_KL or instead_of not in MEAN_KL:
        return None
    return found * MEAN_KL[recipe] / MEAN_KL[instead_of]
