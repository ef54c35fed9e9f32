"""FunctionGemma: calls functions in control tokens of its own."""

from __future__ import annotations

from edgekit.calling.calls import CALL_BEGIN, CALL_END, ESCAPE, RESPONSE_BEGIN
from edgekit.text.dialects.base import ModelType
from edgekit.text.settle import Text


class FunctionGemma:
    """Declares tools in its first turn, and ends a call with the token that begins its result."""

    name = "function_gemma"

    def recognises(self, text: Text) -> bool:
        """Recognise a checkpoint by its seven tokens and a template that writes calls in them."""
        return text.calls

    def model_type(self, text: Text) -> ModelType:
        """Return FunctionGemma's type.

        With `use_template_for_fc_format` the engine hands the template tools and calls as JSON, as Transformers does,
        and not as strings of its own making. Mode 1 lets it answer in words as well.
        """
        return ModelType(
            "function_gemma",
            {
                "code_fence_start": CALL_BEGIN,
                "code_fence_end": CALL_END,
                "syntax_type": "fc",
                "escape_fence_strings": True,
                "open_quote": ESCAPE,
                "close_quote": ESCAPE,
                "function_response_start": RESPONSE_BEGIN,
                "use_template_for_fc_format": True,
                "constraint_mode": 1,
            },
        )
