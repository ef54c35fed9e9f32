"""A tokenizer.json with only those pieces in it that some texts can meet: it cuts these texts as the whole one does.

A merge makes a piece of two that stand next to each other, so every piece that comes up while a text is cut is a part
of that text, and merges that make other pieces change nothing. The tokenizers library takes more than a second, and
half a gigabyte, for all of Gemma's 262,144 pieces and 514,906 merges; what is compared needs a fiftieth of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from edgekit.text.tokenizer.document import SPACE

_PREFIX: Final = 12
"""Characters by which a piece is looked for in the texts. More pieces than needed do no harm."""


def reduced_document(
    document: Mapping[str, Any],
    vocabulary: Mapping[str, int],
    added: Mapping[str, int],
    merged: Sequence[str],
    texts: Iterable[str],
) -> dict[str, Any] | None:
    """Reduce a tokenizer.json whose normalizer is Gemma's.

    merged: what each merge makes. Returns None where the library might refuse the whole file, or number its tokens
    otherwise than they are written: only that file itself tells then.
    """
    model = document["model"]
    merges = model.get("merges") or []
    if not _plain(document, vocabulary, added) or not _closed(merges, merged, vocabulary):
        return None
    met = _prefixes(text.replace(" ", SPACE) for text in texts)
    kept = {
        piece: number
        for piece, number in vocabulary.items()
        if piece[:_PREFIX] in met or (len(piece) == 6 and piece.startswith("<0x"))
    }
    unknown = model.get("unk_token")
    if isinstance(unknown, str) and unknown in vocabulary:
        kept[unknown] = vocabulary[unknown]
    some = [pair for pair, piece in zip(merges, merged, strict=True) if piece in kept]
    return {**document, "model": {**model, "vocab": kept | dict(added), "merges": some}}


def pairs(merges: object) -> list[str] | None:
    """The piece that each merge makes; None when they are no list of pairs."""
    if not isinstance(merges, list):
        return None
    kinds = set(map(type, merges))
    if kinds == {tuple}:  # parsed as pairs of texts
        return [left + right for left, right in merges]
    if kinds == {str} and all(pair.count(" ") == 1 for pair in merges):
        return [pair.replace(" ", "") for pair in merges]
    if kinds <= {list} and all(len(p) == 2 and set(map(type, p)) == {str} for p in merges):
        return [left + right for left, right in merges]
    return None


def _plain(document: Mapping[str, Any], vocabulary: Mapping[str, int], added: Mapping[str, int]) -> bool:
    model = document["model"]
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix") or model.get("dropout"):
        return False
    numbers = vocabulary.values()
    if set(map(type, numbers)) != {int} or min(numbers) < 0 or len(set(numbers)) != len(vocabulary):
        return False
    # As tokenizers numbers what the vocabulary lacks (AddedVocabulary::add_tokens), whatever is written.
    highest = -1
    for token, number in added.items():
        free = highest + 1 if highest >= len(vocabulary) else len(vocabulary)
        if not token or number != vocabulary.get(token, free):
            return False
        highest = max(highest, number)
    return True


def _closed(merges: Sequence[Any], merged: Sequence[str], vocabulary: Mapping[str, int]) -> bool:
    """Whether the vocabulary has every piece that a merge makes, or makes one from."""
    split = [pair.split(" ") for pair in merges] if merges and isinstance(merges[0], str) else merges
    sides = (map(itemgetter(side), split) for side in (0, 1))
    return all(all(map(vocabulary.__contains__, pieces)) for pieces in (merged, *sides))


def _prefixes(texts: Iterable[str]) -> set[str]:
    return {
        text[start : start + length]
        for text in texts
        for start in range(len(text))
        for length in range(1, _PREFIX + 1)
    }
