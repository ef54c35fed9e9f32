"""What a runner says: ids, prompts, stop tokens and answers, whoever it is.

Transformers, the engine of this installation and other releases of it all fill in the same `Voice`, so that one
set of checks compares any two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.text.answers import AnswerFormat
from edgekit.text.template import Message


@dataclass(frozen=True)
class Questions:
    """What runners are asked.

    texts: to tokenize. conversations: to render, ready for the model's turn. prompts: to answer greedily, with
    at most `max_tokens` tokens. answers: a format to hold a second set of answers to.
    """

    texts: tuple[str, ...]
    conversations: tuple[tuple[Message, ...], ...]
    prompts: tuple[tuple[Message, ...], ...]
    max_tokens: int
    answers: AnswerFormat | None = None


@dataclass(frozen=True)
class Answer:
    """A greedy answer. ids: of its text, without what ended it. ended: by itself, before the limit."""

    text: str
    ids: tuple[int, ...]
    tokens: int
    ended: bool


@dataclass(frozen=True)
class Rendered:
    """A prompt; text is None when the runner refused the conversation, and error says why."""

    text: str | None
    error: str | None = None


@dataclass(frozen=True)
class Voice:
    """What one runner answered to `Questions`, in their order.

    start_id: what is put before a conversation; the engine's prompts do not hold it. asked: ids of each prompt
    that was answered, without it, where the runner is an engine. pieces: texts of ids, for showing.
    """

    name: str
    start_id: int | None
    stop_ids: tuple[tuple[int, ...], ...]
    ids: tuple[tuple[int, ...], ...]
    prompts: tuple[Rendered, ...]
    answers: tuple[Answer, ...]
    constrained: tuple[Answer, ...] | None = None
    asked: tuple[tuple[int, ...], ...] = ()
    pieces: Mapping[int, str] = field(default_factory=dict)
