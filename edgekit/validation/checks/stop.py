"""Where answers end: every token that ends the reference's turn must end the bundle's."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.gates import Gates
from edgekit.html.page import Badge, Block, Cell, Column, Prose, Table
from edgekit.html.text import visible
from edgekit.validation.context import Context
from edgekit.validation.verdict import Check, Status

NAME = "stop"
TITLE = "End of the answer"


@dataclass(frozen=True)
class StopId:
    """A token that the reference ends generation at. stops: whether the bundle lists it."""

    id: int
    text: str
    stops: bool


@dataclass(frozen=True)
class Section:
    """End-of-turn tokens, and how many answers ended by themselves within `limit` tokens.

    ids: those of the reference; without one, the bundle's. reference_ended: of the same prompts, None without a
    reference. listed: every id that the bundle stops at.
    """

    ids: tuple[StopId, ...]
    prompts: int
    ended: int
    reference_ended: int | None
    limit: int
    listed: tuple[int, ...] = ()


def look(context: Context) -> Section:
    """Compare the stop ids, and count the answers that ended."""
    bundle, reference = context.said, context.reference.said
    listed = {ids[0] for ids in bundle.stop_ids if len(ids) == 1}
    wanted = [] if reference is None else [ids[0] for ids in reference.stop_ids if len(ids) == 1]
    pieces = {} if reference is None else reference.pieces
    return Section(
        ids=tuple(
            StopId(number, pieces.get(number, ""), number in listed) for number in wanted or sorted(listed)
        ),
        prompts=len(bundle.answers),
        ended=sum(answer.ended for answer in bundle.answers),
        reference_ended=None if reference is None else sum(answer.ended for answer in reference.answers),
        limit=context.questions.max_tokens,
        listed=tuple(sorted(listed)),
    )


def judge(section: Section, gates: Gates) -> Check:
    """Fail when an id is missing, and when no answer ends although the reference's do.

    A model that never ends has learned so.
    """
    missing = [stop for stop in section.ids if not stop.stops]
    said = f"{section.ended} of {section.prompts} answers ended by themselves within {section.limit} tokens"
    if section.reference_ended is not None:
        said += f" ({section.reference_ended} of the reference's)"
    if missing:
        names = ", ".join(f"{stop.id} {stop.text}".strip() for stop in missing)
        said = f"the bundle does not stop at {names}; {said}"
        remedy = "convert again: the stop tokens come from generation_config.json and the chat template"
        return Check(NAME, TITLE, "failed", said, remedy=remedy)
    if not section.listed:
        return Check(NAME, TITLE, "failed", f"the bundle lists no stop token; {said}")
    never = bool(section.prompts) and section.ended == 0 and (section.reference_ended or 0) > 0
    status: Status = "failed" if never else "passed"
    return Check(NAME, TITLE, status, f"{said}; stops at {list(section.listed)}")


def page(section: Section, check: Check) -> list[Block]:
    """Draw the stop ids."""
    ended = f"Within {section.limit:,} tokens, {section.ended:,} of {section.prompts:,} answers ended by themselves"
    if section.reference_ended is not None:
        ended += f", {section.reference_ended:,} of the reference's"
    columns = (Column("Token", code=True), Column("Id", numeric=True), Column("Stops the engine"))
    rows: list[tuple[Cell, ...]] = [
        (
            visible(stop.text),
            f"{stop.id}",
            Badge("passed", "yes") if stop.stops else Badge("failed", "no"),
        )
        for stop in section.ids
    ]
    blocks: list[Block] = [Prose(f"{ended}.")]
    return [*blocks, Table("Tokens that end the reference's answers", columns, rows)] if rows else blocks
