"""The turns of a conversation, as chat templates and the engine take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Message = Mapping[str, Any]
"""One turn: "role" and "content", a string or a list of parts such as {"type": "text", "text": …}."""

Turns = Literal["one", "many"]
"""How many of the user's messages a conversation holds."""


def text_of(message: Message) -> str:
    """The text of a message, whose content is a string or a list of parts."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in content)
