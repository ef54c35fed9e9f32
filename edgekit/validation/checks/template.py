"""The prompts that both make of the same conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.errors import TemplateError
from edgekit.gates import Gates
from edgekit.html.page import Block, Cell, Column, Comparison, Table
from edgekit.html.passages import side_by_side
from edgekit.html.text import sentence
from edgekit.runtime.ask.protocol import Rendered
from edgekit.scoring.answers import first_difference
from edgekit.text.messages import Message, text_of
from edgekit.text.template.render import render
from edgekit.validation.context import Context
from edgekit.validation.drawing import badge
from edgekit.validation.questions import SECOND, conversations
from edgekit.validation.verdict import NO_REFERENCE, Check, Skipped, Status

NAME = "template"
TITLE = "Chat template"

_SECOND_TURN = "a second message, as the engine adds it"


@dataclass(frozen=True)
class Case:
    """A conversation and the prompts that were made of it.

    first_difference: index of the first character that differs, None when equal (or not compared).
    note: why the case does not count, when it does not.
    """

    name: str
    status: Status
    reference: str
    bundle: str
    first_difference: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class Section:
    """Every conversation that was rendered on both sides."""

    cases: tuple[Case, ...]


def look(context: Context) -> Section | Skipped:
    """Compare the prompts, with the text of the start token in front: Transformers' prompts begin with it."""
    reference = context.reference.said
    if reference is None:
        return Skipped(NO_REFERENCE)
    bundle = context.said
    start = "" if bundle.start_id is None else context.reference.start_text
    named = conversations(context.data, context.system_prompt)
    prompts = {name: ours.text for (name, _), ours in zip(named, reference.prompts, strict=True)}
    second = _second_turn(context)
    return Section(
        tuple(
            _case(name, ours, theirs, start, _not_understood(name, messages, ours, prompts))
            for (name, messages), ours, theirs in zip(named, reference.prompts, bundle.prompts, strict=True)
        )
        + (() if second is None else (second,))
    )


def _second_turn(context: Context) -> Case | None:
    """A second message, as the engine feeds it behind its own answer, against what the checkpoint was trained to read.

    The engine keeps prompt and answer, with the token that ended it, and adds to them.
    """
    went, text, said = context.said.second, context.reference.text, context.said
    if went is None or text is None:
        return None
    begun = context.questions.prompts[0]
    talk: list[Message] = [*begun, {"role": "assistant", "content": went.answer}]
    talk.append({"role": "user", "content": SECOND})
    try:
        ours = render(text.template, talk, special_tokens=text.special_tokens, add_generation_prompt=True)
    except TemplateError as error:
        return Case(_SECOND_TURN, "skipped", "", "", None, f"refused: {error.message}")
    start = "" if said.start_id is None else context.reference.start_text
    ends = [text.tokenizer.decode([number]) for number in text.stop_ids]
    fed = [
        start + went.prompt + answer + end + went.more
        for answer in dict.fromkeys((went.answer, went.answer.strip()))  # some templates trim what was said
        for end in ends
    ]
    found = ours if ours in fed else fed[0]
    position = first_difference(ours, found)
    return Case(_SECOND_TURN, "passed" if position is None else "failed", ours, found, position)


def _not_understood(
    name: str, messages: Sequence[Message], ours: Rendered, prompts: Mapping[str, str | None]
) -> str | None:
    """Why a conversation is none for the checkpoint's own template: it makes something else of it than was said."""
    if ours.text is None:
        return None
    if any(text_of(message).strip() not in ours.text for message in messages):
        return "the checkpoint's template leaves out what is said"
    plain = prompts.get(_OF_STRINGS.get(name, name))
    if plain is not None and plain != ours.text:
        return "the checkpoint's template takes texts only, and writes lists as Python does"
    return None


_OF_STRINGS = {
    "one turn, list of parts": "one turn",
    "system message, lists of parts": "system message",
}
"""Conversations that are the same, once as lists of parts and once as texts."""


def judge(section: Section, gates: Gates) -> Check:
    """Fail when a prompt differs. A conversation that the checkpoint's own template refuses does not count."""
    wrong = [case for case in section.cases if case.status == "failed"]
    counted = [case for case in section.cases if case.status != "skipped"]
    if wrong:
        first = wrong[0]
        said = f"{len(wrong)} of {len(counted)} prompts differ; the first is {first.name}: {_where(first)}"
        remedy = "convert again; if it stays, report the template"
        return Check(NAME, TITLE, "failed", said, remedy=remedy)
    said = f"the same prompt for {len(counted)} conversations"
    if left_out := len(section.cases) - len(counted):
        said += f"; {left_out} that the checkpoint's template does not understand were left out"
    return Check(NAME, TITLE, "passed", said)


def page(section: Section, check: Check) -> list[Block]:
    """Draw all cases, and those that differ side by side."""
    columns = (Column("Conversation"), Column("Verdict"), Column("Note"))
    rows: list[tuple[Cell, ...]] = [(case.name, badge(case.status), _note(case)) for case in section.cases]
    blocks: list[Block] = [Table("Rendered prompts", columns, rows)]
    blocks += [
        Comparison(
            sentence(case.name),
            _note(case),
            None,
            side_by_side(case.reference, case.bundle, case.first_difference),
        )
        for case in section.cases
        if case.status in ("failed", "warned")
    ]
    return blocks


def _case(name: str, ours: Rendered, theirs: Rendered, start_text: str, not_understood: str | None) -> Case:
    if ours.text is None:
        return Case(name, "skipped", "", theirs.text or "", None, f"refused: {ours.error}")
    if theirs.text is None:
        if not_understood is not None:
            return Case(name, "skipped", ours.text, "", None, not_understood)
        return Case(name, "failed", ours.text, "", 0, f"the engine refused it: {theirs.error}")
    found = start_text + theirs.text
    position = first_difference(ours.text, found)
    if position is not None and not_understood is not None:
        return Case(name, "skipped", ours.text, found, position, not_understood)
    return Case(name, "passed" if position is None else "failed", ours.text, found, position)


def _where(case: Case) -> str:
    if case.note is not None:
        return case.note
    at = case.first_difference or 0
    return f"from character {at}, {case.reference[at : at + 30]!r} became {case.bundle[at : at + 30]!r}"


def _note(case: Case) -> str:
    if case.note:
        return case.note
    return "equal" if case.first_difference is None else f"differs from character {case.first_difference:,}"
