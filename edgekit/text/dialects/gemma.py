"""Gemma 3 as it is: turns, and no calls."""

from __future__ import annotations

from edgekit.text.dialects.base import ModelType
from edgekit.text.settle import Text


class Gemma:
    """Speaks in turns, whatever its chat template makes of them."""

    name = "gemma"

    def recognises(self, text: Text) -> bool:
        """Recognise every checkpoint: those that speak otherwise were recognised before."""
        return True

    def model_type(self, text: Text) -> ModelType:
        """Return the generic type.

        Not gemma3: with it the engine refuses constrained decoding ("Unsupported vocabulary type for
        Fst-Constraints"). For text the two do the same.
        """
        return ModelType("generic_model")
