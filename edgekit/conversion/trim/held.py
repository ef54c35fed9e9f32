"""What a vocabulary does to rows that were held out: which are cut into other pieces, and how words are spelled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from edgekit.text.corpus import Sample
from edgekit.text.messages import text_of
from edgekit.text.tokenizer.section import Tokenizer
from edgekit.text.vocabulary import SPACE, Vocabulary

LOST_ANSWERS = 0.01
"""Share of held-out answers that may be cut otherwise at a size that is proposed."""
LEAST_COVERAGE = 0.97
"""Share of held-out tokens that it must keep: words of prompts may be spelled otherwise, if they are few."""
ROOM = 1.25
"""How many pieces it has at least, for one that is needed."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_SPACED = re.compile(r" ?[^\W_]+")
_OPEN_ROWS = 1 / 3
"""Share of answers that repeat a rare word of their prompt, from which on the task is one of open words."""
_OPEN_WORDS = 10
_RARE = 0.1
"""A word in more answers than this share of them is one of the task's own, such as a label."""
_SHOWN = 8
_BATCH = 1000


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield the ids of texts."""
    for start in range(0, len(texts), _BATCH):
        yield from tokenizer.encode_all(texts[start : start + _BATCH])


@dataclass(frozen=True)
class Cut:
    """Held-out rows, and how many have a prompt or an answer that is cut into other pieces than before."""

    rows: int
    prompts: int
    answers: int

    @property
    def most_answers(self) -> int:
        """How many answers may be cut otherwise."""
        return int(LOST_ANSWERS * self.rows)


@dataclass(frozen=True)
class Respelled:
    """A word of held-out rows, in the pieces that the model was trained on, and in those that are left."""

    word: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class HeldOut:
    """Rows that were held out, in ids."""

    def __init__(self, name: str, samples: Sequence[Sample], tokenizer: Tokenizer) -> None:
        """name: of where they are from."""
        self.name = name
        self._samples = samples
        self._tokenizer = tokenizer
        self.counts: Counter[int] = Counter()
        for ids in encoded(tokenizer, [sample.text for sample in samples]):
            self.counts.update(ids)
        self._prompts = self._pieces([sample.parts[0] if sample.parts else sample.text for sample in samples])
        self._answers = self._pieces([sample.parts[1] if sample.parts else "" for sample in samples])

    def _pieces(self, texts: Sequence[str]) -> list[frozenset[int]]:
        return [frozenset(ids) for ids in encoded(self._tokenizer, texts)]

    def cut(self, kept: Set[int]) -> Cut:
        """Count the rows that are cut otherwise with these pieces."""
        return Cut(
            len(self._samples),
            sum(not ids <= kept for ids in self._prompts),
            sum(not ids <= kept for ids in self._answers),
        )

    def coverage(self, kept: Set[int]) -> float:
        """Return the share of tokens whose piece is kept."""
        return sum(n for number, n in self.counts.items() if number in kept) / max(1, self.counts.total())

    def respelled(self, vocabulary: Vocabulary, kept: Set[int]) -> tuple[Respelled, ...]:
        """Return the words that would be spelled otherwise, those of answers first, the most frequent first."""
        words: Counter[str] = Counter()
        for sample, answer, prompt in zip(self._samples, self._answers, self._prompts, strict=True):
            for text, ids, weight in zip(_texts(sample), (answer, prompt), (1000, 1), strict=True):
                if not ids <= kept:
                    for word in _SPACED.findall(text):
                        words[word] += weight
        found: dict[str, Respelled] = {}
        for word, _ in words.most_common():
            cut = self._tokenizer.encode(word)
            if not set(cut) <= kept and word.strip() not in found:
                before = tuple(vocabulary.texts[number] or "" for number in cut)
                found[word.strip()] = Respelled(word.strip(), before, spell(vocabulary, kept, word))
            if len(found) == _SHOWN:
                break
        return tuple(found.values())


def _texts(sample: Sample) -> tuple[str, str]:
    """An answer, and what was asked."""
    asked = " ".join(map(text_of, sample.messages)) if sample.messages else sample.text
    return (sample.parts[1] if sample.parts else ""), asked


def spell(vocabulary: Vocabulary, kept: Set[int], word: str) -> tuple[str, ...]:
    """Return the pieces of a word with a part of the vocabulary: merged as far as it goes, unknown letters in bytes."""
    pieces: list[str] = []
    for char in word.replace(" ", SPACE):
        known = vocabulary.ids.get(char) in kept
        pieces += [char] if known else [f"<0x{byte:02X}>" for byte in char.encode()]

    def rank(place: int) -> float:
        number = vocabulary.ids.get(pieces[place] + pieces[place + 1])
        if number is None or number not in kept or number in vocabulary.whole:
            return float("inf")
        return vocabulary.rank.get(number, float("inf"))

    while len(pieces) > 1:
        best = min(range(len(pieces) - 1), key=rank)
        if rank(best) == float("inf"):
            break
        pieces[best : best + 2] = [pieces[best] + pieces[best + 1]]
    return tuple(pieces)


def open_words(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return the words that answers repeat from their prompts, where that is what the task does.

    Names and places, say: an app will meet others than the texts hold. Empty for labels and other tasks whose answers
    are made of words of their own.
    """
    answered = [sample for sample in samples if sample.parts]
    said = [{word.casefold() for word in _WORD.findall(sample.parts[1])} for sample in answered]
    in_answers = Counter(word for words in said for word in words)
    own = {word for word, count in in_answers.items() if count > _RARE * len(answered)}
    repeated: Counter[str] = Counter()
    rows = 0
    for sample, words in zip(answered, said, strict=True):
        asked = {word.casefold(): word for word in _WORD.findall(_texts(sample)[1])}
        both = {asked[word] for word in (words - own) & asked.keys()}
        rows += bool(both)
        repeated.update(both)
    few_answers = len({sample.parts[1] for sample in answered}) <= _RARE * len(answered)
    if not answered or few_answers or rows < _OPEN_ROWS * len(answered) or len(repeated) < _OPEN_WORDS:
        return ()
    return tuple(sorted(repeated))
