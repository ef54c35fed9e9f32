"""Which pieces to keep: what a task cannot do without, then the most useful of the rest."""

from __future__ import annotations

import string
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekit.conversion.trim.alphabets import Alphabet
from edgekit.errors import InputError, TemplateError
from edgekit.text.answers import AnswerFormat
from edgekit.text.messages import Message
from edgekit.text.settle import Text
from edgekit.text.template.render import render
from edgekit.text.vocabulary import SPACE, Vocabulary

DEFAULT_KEEP = 32_000

_CONVERSATIONS: tuple[tuple[Message, ...], ...] = (
    ({"role": "user", "content": "a"},),
    (
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "a"},
    ),
    ({"role": "system", "content": "a"}, {"role": "user", "content": "a"}),
)


@dataclass(frozen=True)
class Need:
    """Pieces that must stay, and for what. example: one of the texts that need them, for errors."""

    purpose: str
    pieces: frozenset[int]
    example: str = ""


def needs_of(
    vocabulary: Vocabulary, text: Text, answer: AnswerFormat | None, met: Mapping[int, int]
) -> tuple[Need, ...]:
    """List what a task cannot do without, the most fundamental first.

    met: how often each piece occurs in the task's texts.
    """
    stops = {number for number in text.stop_ids if number < len(vocabulary.texts)}
    names = {vocabulary.ids.get(token, -1) for token in text.special_tokens.values()} - {-1}
    letters = {vocabulary.ids[c] for c in string.printable if c in vocabulary.ids}
    needs = [
        Need("the stop tokens", frozenset(stops), _shown(vocabulary, stops)),
        Need("the control and byte tokens", vocabulary.control | vocabulary.byte | names),
        Need("the chat template's text", *_of_texts(text, template_texts(text))),
        Need("the characters of ASCII and runs of white space", frozenset(letters) | vocabulary.runs),
    ]
    if answer is not None:
        pieces, example = _of_texts(text, answer_texts(answer))
        characters = {vocabulary.ids.get(c.replace(" ", SPACE), -1) for t in answer.literals() for c in t} - {
            -1
        }
        needs.append(Need("the answer format", pieces | characters, example))
    needs.append(Need("the texts that were counted", frozenset(met)))
    return tuple(needs)


def template_texts(text: Text) -> list[str]:
    """Prompts in which the chat template writes all that it has to say."""
    prompts = []
    for messages in _CONVERSATIONS:
        for ask in (True, False):
            try:
                prompts.append(
                    render(
                        text.template,
                        messages,
                        special_tokens=text.special_tokens,
                        add_generation_prompt=ask,
                    )
                )
            except TemplateError:  # some templates refuse a system message
                continue
    return prompts


def answer_texts(answer: AnswerFormat) -> list[str]:
    """What an answer format spells out, and where its JSON puts that: after braces, commas and colons."""
    if answer.kind == "regex":
        return list(answer.literals())
    return [
        before + literal for literal in answer.literals() for before in ("", "{", ", ", ": ", ",", ":", "[")
    ]


def _of_texts(text: Text, texts: Sequence[str]) -> tuple[frozenset[int], str]:
    cut = text.tokenizer.encode_all(texts)
    return frozenset(number for ids in cut for number in ids), texts[0] if texts else ""


def _shown(vocabulary: Vocabulary, numbers: Iterable[int]) -> str:
    return ", ".join(vocabulary.texts[n] or f"id {n}" for n in sorted(numbers))


def least(vocabulary: Vocabulary, needs: Sequence[Need]) -> set[int]:
    """Return every piece that is needed, with all that they are merged from."""
    return vocabulary.closure({number for need in needs for number in need.pieces})


def choose(
    vocabulary: Vocabulary, needs: Sequence[Need], keep: int, *, alphabet: Alphabet | None = None
) -> tuple[int, ...]:
    """Return the ids to keep, in the order of their new ids: control tokens first, then as they were.

    keep: how many, unless the vocabulary has fewer pieces. alphabet: of languages whose pieces come before
    others among those that no text asks for.
    Raises InputError when what is needed does not fit, naming the first purpose that would not survive.
    """
    if keep >= len(vocabulary.texts):
        raise InputError(
            f"the vocabulary has {len(vocabulary.texts):,} rows, so keeping {keep:,} leaves nothing out",
            where="--vocab-keep",
            remedy=f"ask for fewer than {len(vocabulary.texts):,}, or leave --vocab-from away",
        )
    kept: set[int] = set()
    for need in needs:
        kept |= vocabulary.closure(need.pieces, kept)
        if len(kept) > keep:
            all_needed = len(least(vocabulary, needs))
            example = f" ({need.example!r})" if need.example else ""
            raise InputError(
                f"{need.purpose}{example} would not survive: with {keep:,} pieces there is no room for the "
                f"{all_needed:,} that are needed",
                where="--vocab-keep",
                remedy=f"keep at least {all_needed:,}, or give fewer texts to --vocab-from",
            )
    fill(vocabulary, kept, keep, preferred_first(vocabulary, alphabet))
    steering = needs[0].pieces | vocabulary.control
    return ordered(vocabulary, kept, steering)


def preferred_first(vocabulary: Vocabulary, alphabet: Alphabet | None) -> Iterator[int]:
    """Yield all pieces in the tokenizer's order; with an alphabet, its letters first, then what they spell."""
    ranked = vocabulary.by_rank()
    if alphabet is None:
        yield from ranked
        return
    texts = [(number, vocabulary.texts[number] or "") for number in ranked]
    yield from (number for number, text in texts if len(text) == 1 and alphabet.has(text))
    yield from (number for number, text in texts if alphabet.spells(text))
    yield from ranked


def fill(vocabulary: Vocabulary, kept: set[int], keep: int, candidates: Iterable[int]) -> None:
    """Add candidates, each with all that it is merged from, until there are `keep`; one that does not fit is passed."""
    for number in candidates:
        if len(kept) >= keep:
            return
        if number in kept:
            continue
        more = vocabulary.closure([number], kept)
        if len(kept) + len(more) <= keep:
            kept |= more


def ordered(vocabulary: Vocabulary, kept: Iterable[int], first: Container[int]) -> tuple[int, ...]:
    """Put ids in the order of their new ones: the first, then other pieces, then rows without a piece."""

    def place(number: int) -> tuple[int, int]:
        if vocabulary.texts[number] is None:
            return 2, number
        return (0 if number in first else 1), number

    return tuple(sorted(kept, key=place))
