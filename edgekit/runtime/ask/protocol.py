"""What a runner says: ids, prompts, stop tokens and answers, whoever it is.

Transformers, the engine of this installation and other releases of it all fill in the same `Voice`, so that one
set of checks compares any two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

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

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Voice:
        """Read what `to_json` wrote."""
        constrained = values["constrained"]
        return Voice(
            name=values["name"],
            start_id=values["start_id"],
            stop_ids=tuple(map(tuple, values["stop_ids"])),
            ids=tuple(map(tuple, values["ids"])),
            prompts=tuple(Rendered(**prompt) for prompt in values["prompts"]),
            answers=_answers(values["answers"]),
            constrained=None if constrained is None else _answers(constrained),
            pieces={int(number): text for number, text in values["pieces"].items()},
        )


def _answers(values: Sequence[Mapping[str, Any]]) -> tuple[Answer, ...]:
    return tuple(Answer(**{**value, "ids": tuple(value["ids"])}) for value in values)
