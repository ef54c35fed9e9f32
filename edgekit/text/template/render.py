"""Rendering a conversation: as Transformers does, and as the engine should."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.errors import TemplateError
from edgekit.records.documents import Json
from edgekit.text import bounded
from edgekit.text.messages import Message
from edgekit.text.template.parse import ChatTemplate


@dataclass(frozen=True)
class DeviceTemplate:
    """A template as the engine gets it, and what was found out about it on the way."""

    source: str
    writes_bos: bool
    """Whether Transformers' prompt starts with the BOS token; the engine must then be told to write it."""
    supports_system: bool
    """Whether a system message reaches the prompt."""
    end_of_turn: str | None
    """The token that ends the model's turn; None when the template writes none."""
    after_end_of_turn: str
    """What stands between the model's end of turn and the next turn, usually a newline."""
    content: str = "as it is"
    """The form of content that the checkpoint's template understands: "as it is" (both), "strings" or "parts"."""
    one_turn: bool = False
    """Whether earlier turns change when a new one comes, so that the engine can hold no conversation of several."""
    notes: tuple[str, ...] = ()


def render(
    template: ChatTemplate,
    messages: Sequence[Message],
    *,
    special_tokens: Mapping[str, str],
    add_generation_prompt: bool = False,
    tools: Sequence[Mapping[str, Json]] | None = None,
) -> str:
    """Render a conversation exactly as Transformers' `apply_chat_template(tokenize=False)` does.

    tools: as OpenAI writes them.
    special_tokens: by Transformers' names, such as {"bos_token": "<bos>", "eos_token": "<eos>"}.
    Raises TemplateError when the template fails on this conversation (some do so on purpose).
    """
    return render_source(
        template.source, template.origin, messages, special_tokens, add_generation_prompt, tools=tools
    )


def render_for_device(
    device: DeviceTemplate, messages: Sequence[Message], *, add_generation_prompt: bool = False
) -> str:
    """Render the rewritten template with Jinja2: what the engine should make of it."""
    return render_source(
        device.source, "the rewritten chat template", messages, {}, add_generation_prompt, engine=True
    )


def refusal(source: str, messages: Sequence[Message]) -> str | None:
    """Why a bundle's template refuses a conversation; None when it does not."""
    try:
        render_source(source, "the chat template", messages, {}, add_generation_prompt=True, engine=True)
    except TemplateError as error:
        why = re.sub(r" \(line \d+\)$", "", error.message.removeprefix(_FAILS))  # a line of the rewritten one
        return f"the chat template refuses it ({why})"
    return None


_FAILS = "the chat template fails: "


def render_source(
    source: str,
    origin: str,
    messages: Sequence[Message],
    special_tokens: Mapping[str, str],
    add_generation_prompt: bool,
    *,
    engine: bool = False,
    tools: Sequence[Mapping[str, Json]] | None = None,
) -> str:
    """Render a template's text; engine: define what the engine defines, and not what Transformers does.

    Raises TemplateError, at `origin`, when it fails on this conversation.
    """
    context = {
        "messages": [dict(message) for message in messages],
        **({} if engine else {"tools": tools, "documents": None}),
        "add_generation_prompt": add_generation_prompt,
        **special_tokens,
    }
    try:
        return str(bounded.templates.ask("render", source=source, context=context))
    except (bounded.Failed, bounded.LimitExceeded) as error:
        line = f" (line {error.line})" if isinstance(error, bounded.Failed) and error.line is not None else ""
        raise TemplateError(f"{_FAILS}{error}{line}", where=origin) from error
