"""FunctionGemma's tokens: whether a checkpoint has them, and whether its chat template writes them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from edgekit.calling.calls import (
    CALL_BEGIN,
    CALL_END,
    DECLARATION_BEGIN,
    DECLARATION_END,
    ESCAPE,
    RESPONSE_BEGIN,
    RESPONSE_END,
)

TOKENS: Final = (
    DECLARATION_BEGIN,
    DECLARATION_END,
    CALL_BEGIN,
    CALL_END,
    RESPONSE_BEGIN,
    RESPONSE_END,
    ESCAPE,
)


def writes_calls(special: Collection[str], template: str) -> bool:
    """Whether each token is one that the tokenizer finds whole, and the template writes calls in them.

    special: the tokens that are found whole in a text. template: the source of the chat template.
    """
    return all(token in special for token in TOKENS) and CALL_BEGIN in template


def half_trained(special: Collection[str], template: str) -> str | None:
    """Say what is missing of FunctionGemma where something of it is there; None where all is, or nothing."""
    found = [token for token in TOKENS if token in special]
    missing = [token for token in TOKENS if token not in special]
    if not found and CALL_BEGIN not in template:
        return None
    if missing:
        return f"the tokenizer has no token of its own for {', '.join(missing)}"
    if CALL_BEGIN not in template:
        return f"the tokenizer has FunctionGemma's tokens, but the chat template writes no {CALL_BEGIN}"
    return None
