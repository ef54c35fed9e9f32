"""Dialects: how fine-tunes speak, where that matters to the engine. One file each.

What the graph depends on is a family's matter: see `edgekit.families`.
"""

from edgekit.text.dialects.base import Dialect
from edgekit.text.dialects.function_gemma import FunctionGemma
from edgekit.text.dialects.gemma import Gemma
from edgekit.text.settle import Text

DIALECTS: tuple[Dialect, ...] = (FunctionGemma(), Gemma())
"""The first that recognises a checkpoint is its own; Gemma, which recognises all, is the last."""


def dialect_of(text: Text) -> Dialect:
    """The dialect of a checkpoint."""
    return next(dialect for dialect in DIALECTS if dialect.recognises(text))
