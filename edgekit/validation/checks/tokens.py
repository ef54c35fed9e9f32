"""The ids of both tokenizers, text by text."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from edgekit.bundle.container import SectionKind, read_container, section_bytes, unpack_hf_tokenizer
from edgekit.gates import Gates
from edgekit.html.page import Block, Column, Prose, Table
from edgekit.html.text import shorten, visible
from edgekit.scoring.answers import first_difference
from edgekit.text.prompts import AWKWARD, UNREPRODUCIBLE
from edgekit.text.tokenizer.section import load_decoder
from edgekit.validation.context import Context
from edgekit.validation.verdict import NO_REFERENCE, Check, Skipped

NAME = "tokens"
TITLE = "Tokens"

_SHOWN_DIFFERENCES = 10
_CONTEXT_IDS = 2
_SHOWN_IDS = 8

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Difference:
    """A text on which the ids differ; position: of the first id that does. Ids start two before it."""

    text: str
    position: int
    reference_ids: tuple[int, ...]
    bundle_ids: tuple[int, ...]
    reference_text: str
    bundle_text: str


@dataclass(frozen=True)
class Section:
    """Ids of the engine against the reference's.

    texts: all of them; awkward_texts: those that are built in. differences: the first few, those that SentencePiece
    cannot reproduce in any file last. spelled_out: texts with tokens that a trimmed vocabulary does not have, which
    smaller pieces spell instead; the bundle's tokens read back as the text.
    """

    texts: int
    awkward_texts: int
    equal: int
    tokens: int
    differences: tuple[Difference, ...]
    spelled_out: int = 0


def look(context: Context) -> Section | Skipped:
    """Compare the ids of every text. A text that the engine refuses has no ids."""
    reference = context.reference.said
    if reference is None:
        return Skipped(NO_REFERENCE)
    kept, reference_kept = context.kept_ids, context.reference.kept_ids
    trimmed = kept is not None or reference_kept is not None
    return compare(
        context.questions.texts,
        reference.ids,
        context.said.ids,
        kept=None if kept is None else frozenset(kept),
        reference_kept=None if reference_kept is None else frozenset(reference_kept),
        decode=_decoder(context) if trimmed else None,
    )


def compare(
    texts: Sequence[str],
    reference: Sequence[tuple[int, ...]],
    bundle: Sequence[tuple[int, ...]],
    *,
    kept: Container[int] | None = None,
    reference_kept: Container[int] | None = None,
    decode: Decode | None = None,
) -> Section:
    """Compare ids, text by text, in the numbering of the whole vocabulary.

    kept, reference_kept: the ids that each has when its vocabulary is trimmed. Where one takes an id that the
    other does not have, the other spells it out: decode, which turns the bundle's ids into text, must read it back.
    """
    differences = []
    spelled_out = 0
    for text, ours, theirs in zip(texts, reference, bundle, strict=True):
        position = first_difference(ours, theirs)
        if position is None:
            continue
        apart = _lacks(kept, ours) or _lacks(reference_kept, theirs)
        if apart and decode is not None and decode(theirs) == text:
            spelled_out += 1
        else:
            differences.append(_difference(text, ours, theirs, position))
    return Section(
        texts=len(texts),
        awkward_texts=sum(text in AWKWARD for text in texts),
        equal=len(texts) - len(differences) - spelled_out,
        tokens=sum(map(len, reference)),
        differences=tuple(sorted(differences, key=_excused)[:_SHOWN_DIFFERENCES]),
        spelled_out=spelled_out,
    )


def judge(section: Section, gates: Gates) -> Check:
    """Fail on any text with other ids that SentencePiece could reproduce."""
    count = section.texts
    if section.differences:
        other = count - section.equal - section.spelled_out
        first = section.differences[0]
        if _excused(first):
            said = f"{other} of {count} texts get other ids, all of them with ▁ or <unk>"
            return Check(NAME, TITLE, "warned", said)
        said = (
            f"{other} of {count} texts get other ids; the first is {first.text[:40]!r}, from its "
            f"token {first.position}: {list(first.reference_ids)} became {list(first.bundle_ids)}"
        )
        remedy = (
            "the bundle's tokenizer is not the checkpoint's: convert again with its tokenizer files in place"
        )
        return Check(NAME, TITLE, "failed", said, remedy=remedy)
    said = f"the same ids on {section.equal} texts ({section.tokens:,} tokens), {section.awkward_texts} of them awkward"
    if section.spelled_out:
        said = (
            f"the same pieces on {section.equal} of {count} texts; {section.spelled_out} with pieces that were "
            "removed are spelled out in smaller ones and read back the same"
        )
    return Check(NAME, TITLE, "passed", said)


def page(section: Section, check: Check) -> list[Block]:
    """Draw the texts with other ids."""
    count = (
        f"{section.equal:,} of {section.texts:,} texts have equal ids: {section.texts - section.awkward_texts:,} of "
        f"the data, {section.awkward_texts:,} awkward ones that are built in; {section.tokens:,} tokens."
    )
    if section.spelled_out:
        count += (
            f" {section.spelled_out:,} hold pieces that the trimmed vocabulary lacks: smaller ones spell them, "
            "and they read back the same."
        )
    if not section.differences:
        return [Prose(count)]
    columns = (
        Column("Text", code=True),
        Column("First difference at token", numeric=True),
        Column("Reference ids", code=True),
        Column("Bundle ids", code=True),
        Column("Reference reads", code=True),
        Column("Bundle reads", code=True),
    )
    rows = [
        (
            visible(shorten(difference.text, 200)),
            f"{difference.position:,}",
            " ".join(map(str, difference.reference_ids[:12])),
            " ".join(map(str, difference.bundle_ids[:12])),
            visible(shorten(difference.reference_text, 120)),
            visible(shorten(difference.bundle_text, 120)),
        )
        for difference in section.differences
    ]
    return [
        Prose(count),
        Table("Texts with different ids; ids from two before the difference", columns, rows),
    ]


def _excused(difference: Difference) -> bool:
    return any(known in difference.text for known in UNREPRODUCIBLE)


def _lacks(kept: Container[int] | None, ids: Sequence[int]) -> bool:
    return kept is not None and any(number not in kept for number in ids)


def _difference(text: str, ours: Sequence[int], theirs: Sequence[int], position: int) -> Difference:
    start = max(0, position - _CONTEXT_IDS)
    shown, other = tuple(ours[start : start + _SHOWN_IDS]), tuple(theirs[start : start + _SHOWN_IDS])
    return Difference(text, position, shown, other, f"{len(ours)} ids", f"{len(theirs)} ids")


def _decoder(context: Context) -> Decode | None:
    """What the bundle's own tokenizer makes of its ids, given as those of the whole vocabulary."""
    decode = _own_decoder(context)
    if context.kept_ids is None or decode is None:
        return decode
    new = {old: number for number, old in enumerate(context.kept_ids)}
    return lambda ids: decode([new[number] for number in ids])


def _own_decoder(context: Context) -> Decode | None:
    container = read_container(context.bundle.path)
    for section in container.sections:
        if section.kind is SectionKind.SP_TOKENIZER:
            return load_decoder("sentencepiece", bytes(section_bytes(container, section)))
        if section.kind is SectionKind.HF_TOKENIZER:
            return load_decoder("huggingface", unpack_hf_tokenizer(section_bytes(container, section)))
    return None
