"""Other published releases of the engine on the same file, each in an environment of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.errors import InputError
from edgekit.gates import Gates
from edgekit.html.page import Badge, Block, Cell, Column, Remark, Table
from edgekit.runtime.ask.questions import Refusal, Said
from edgekit.runtime.releases import environment
from edgekit.validation.context import Context
from edgekit.validation.drawing import MISSING, OUTCOMES, badge
from edgekit.validation.verdict import Check, Skipped

NAME = "runtimes"
TITLE = "Other runtimes"

_PROMPTS_WITHOUT = 8
"""Asked once more without the adapter."""

_NO_EFFECT = "the sidecar has no effect: it answers what it answers without one"


@dataclass(frozen=True)
class Release:
    """Another release of the engine on the same file.

    opens: whether it loads the file; reason: the engine's own, when it does not, or why it is of no use all the same.
    checks: of tokens, template, stop and generation, those that ran, with a sentence each.
    """

    version: str
    opens: bool
    reason: str | None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Section:
    """All releases that were asked for, in that order. with_adapter: an adapter was laid over the bundle."""

    releases: tuple[Release, ...]
    with_adapter: bool = False


def look(context: Context) -> Section | Skipped:
    """Ask each release, and judge what it says as this installation's engine is judged.

    Raises MissingToolError when an environment cannot be made.
    """
    if not context.releases:
        return Skipped("no other release was asked for (--runtime 0.11.0,0.14.0)")
    releases = tuple(_try(context, release) for release in context.releases)
    return Section(releases, context.adapter is not None)


def judge(section: Section, gates: Gates) -> Check:
    """Fail when a release does not open the file, or fails one of the checks."""
    wrong = [f"{r.version}: {problem}" for r in section.releases if (problem := _problem(r)) is not None]
    if wrong:
        remedy = "ship with a runtime that passes, or convert with --form static"
        if section.with_adapter:
            remedy = "ship with a runtime that passes, or convert the adapter merged into its base"
        return Check(NAME, TITLE, "failed", "; ".join(wrong), remedy=remedy)
    versions = ", ".join(release.version for release in section.releases)
    return Check(NAME, TITLE, "passed", f"{versions} run it and pass the same checks")


def page(section: Section, check: Check) -> list[Block]:
    """Draw which release passes which check."""
    titles = dict.fromkeys(check.name for release in section.releases for check in release.checks)
    columns = (Column("Engine"), Column("Opens the file"), *(Column(name.capitalize()) for name in titles))
    rows: list[tuple[Cell, ...]] = []
    remarks: list[Block] = []
    for release in section.releases:
        checks = {check.name: check for check in release.checks}
        opens = Badge("passed", "yes") if release.opens else Badge("failed", "no")
        verdicts = (badge(checks[name].status) if name in checks else MISSING for name in titles)
        rows.append((release.version, opens, *verdicts))
        if release.reason:
            said = f"{release.version}: {release.reason}"
            remarks.append(Remark("neutral" if release.opens else "failed", said))
        remarks += [
            Remark(
                OUTCOMES[check.status],
                f"{release.version}, {check.title}: {check.summary}",
                check.remedy or "",
            )
            for check in release.checks
            if check.status in ("failed", "warned")
        ]
    return [Table("Other releases of the engine on the same file", columns, rows), *remarks]


def _try(context: Context, release: str) -> Release:
    questions = replace(context.questions, answers=None)  # 0.11 cannot hold answers to a format
    there = replace(
        context,
        speaker=release,
        python=environment(release, context.progress),
        questions=questions,
    )
    try:
        heard = there.heard
        if isinstance(heard, Refusal):
            return Release(release, opens=heard.opened, reason=heard.reason)
        if context.adapter is not None:
            few = replace(questions, texts=(), conversations=(), prompts=questions.prompts[:_PROMPTS_WITHOUT])
            without = replace(there, adapter=None, questions=few)
            if _has_no_effect(heard, context.said, without.heard):
                return Release(release, opens=True, reason=_NO_EFFECT)
    except InputError as error:  # it stopped in the middle, or takes no answer format
        return Release(release, opens=True, reason=error.message)
    return Release(release, opens=True, reason=None, checks=tuple(context.again(there)))


def _has_no_effect(voice: Said, expected: Said, without: Said | Refusal) -> bool:
    """Whether a release answers as if there were no adapter, where this installation's engine answers otherwise."""
    if isinstance(without, Refusal):
        return False

    def texts(said: Said) -> list[str]:
        return [answer.text for answer in said.answers[:_PROMPTS_WITHOUT]]

    return texts(voice) == texts(without) != texts(expected)


def _problem(release: Release) -> str | None:
    if not release.opens:
        return f"it does not open the file ({release.reason})"
    if release.reason is not None:
        return release.reason
    bad = [check for check in release.checks if check.status == "failed"]
    return "; ".join(f"{check.title}: {check.summary}" for check in bad) or None
