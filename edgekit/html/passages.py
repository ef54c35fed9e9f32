"""Two texts side by side."""

from __future__ import annotations

import re

from edgekit.html.page import Passage, Run
from edgekit.html.text import shorten, visible

_BEFORE, _AFTER = 300, 700  # characters around the first difference
_MARKED = 24  # a mark is never longer: some scripts write without spaces


def side_by_side(reference: str | None, bundle: str, first_difference: int | None) -> list[Passage]:
    """Lay two answers out, grey where they are equal, marked where they begin to differ.

    first_difference: index of the character where the first differing token begins; None when it is not known (it is
    looked for). What lies far from it is left out, and the page says how much.
    """
    if reference is None:
        return [Passage("Bundle", [Run(shorten(bundle, _BEFORE + _AFTER))])]
    equal = _equal_characters(reference, bundle)
    if reference == bundle:
        text = [Run(shorten(bundle, _BEFORE + _AFTER), quiet=True)]
        return [Passage("Reference", text), Passage("Bundle", text)]
    # A token may begin before the first character that differs, never behind it.
    start = equal if first_difference is None else max(0, min(first_difference, equal))
    return [Passage("Reference", _runs(reference, start)), Passage("Bundle", _runs(bundle, start))]


def _equal_characters(one: str, other: str) -> int:
    return next(
        (k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _runs(text: str, start: int) -> list[Run]:
    before = text[:start]
    if len(before) > _BEFORE:
        before = f"[{len(before) - _BEFORE:,} equal characters] …{before[-_BEFORE:]}"
    marked = text[start : start + len(first_word(text[start:]))]
    shown = visible(marked) if not marked.strip() else marked
    rest = shorten(text[start + len(marked) :], _AFTER)
    runs = [Run(before, quiet=True)] if before else []
    runs.append(Run(shown or "[ends here]", mark=True))
    return [*runs, Run(rest)] if rest else runs


def first_word(text: str) -> str:
    """Return the beginning of a text to the end of its first word, or of its first run of signs."""
    found = re.match(r"\s*(\w+|[^\w\s]+)?", text)
    assert found is not None
    return found[0][:_MARKED]
