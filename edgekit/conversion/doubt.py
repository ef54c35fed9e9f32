"""Would the checkpoint say what the bundle said? Asked where an answer looks wrong, or where there are rows to try."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.checkpoint import Checkpoint
from edgekit.errors import TemplateError
from edgekit.runtime.activations import behind_the_best
from edgekit.text.messages import Message, text_of
from edgekit.text.settle import Text
from edgekit.text.template.render import render

_LIKELY = 1.0
"""Nats behind the likeliest token: what is nearer may be a matter of rounding."""
_ENOUGH = 0.7
_JUNK = re.compile(r"<unused\d+>|\ufffd|(.{1,12}?)\1{5,}", re.DOTALL)


@dataclass(frozen=True)
class Tried:
    """An answer of the bundle's, and the share of its tokens that the checkpoint would say as well (or nearly)."""

    prompt: str
    answer: str
    agreement: float

    @property
    def doubtful(self) -> bool:
        """Whether the checkpoint would hardly have said it."""
        return self.agreement < _ENOUGH


def looks_wrong(answer: str) -> bool:
    """Whether an answer holds tokens that no text has, or says one thing over and over."""
    return _JUNK.search(answer) is not None


def tried(checkpoint: Checkpoint, text: Text, messages: Sequence[Message], answer: str) -> Tried | None:
    """Compare an answer with what the checkpoint expects, in float32; None when there is nothing to compare."""
    try:
        prompt = render(
            text.template, messages, special_tokens=text.special_tokens, add_generation_prompt=True
        )
    except TemplateError:
        return None
    start = [] if text.start_id is None else [text.start_id]
    asked, said = text.tokenizer.encode(prompt), text.tokenizer.encode(answer)
    asked = asked if asked[: len(start)] == start else [*start, *asked]
    if not said or not asked:
        return None
    behind = behind_the_best(checkpoint.tensors, checkpoint.architecture, [*asked, *said], len(asked))
    return Tried(text_of(messages[-1]), answer, float((behind < _LIKELY).mean()))
