"""Check 9: other published releases of the engine, each in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from edgekit.bundle.adapter.opening import Adapter
from edgekit.errors import InputError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.questions import Questions, Refusal, Voice, ask_engine
from edgekit.runtime.releases import environment
from edgekit.validation.checks import TITLES
from edgekit.validation.result import Check, RuntimeResult, RuntimesSection
from edgekit.validation.side import Side

_PROMPTS_WITHOUT = 8
"""Asked once more without the adapter."""

_NO_EFFECT = "the sidecar has no effect: it answers what it answers without one"

Judge = Callable[[Voice], Sequence[Check]]


def check_runtimes(
    side: Side,
    versions: Sequence[str],
    questions: Questions,
    expected: Voice,
    judge: Judge,
    progress: Progress = SILENT,
) -> tuple[Check, RuntimesSection]:
    """Ask each release, and judge what it says as this installation's engine is judged.

    expected: what this installation's engine said. judge: gives the checks of tokens, template, stop and generation.
    Raises MissingToolError when an environment cannot be made.
    """
    results = tuple(_try(side, release, questions, expected, judge, progress) for release in versions)
    section = RuntimesSection(results)
    wrong = [f"{r.version}: {_problem(r)}" for r in results if _problem(r) is not None]
    if wrong:
        remedy = "ship with a runtime that passes, or convert with --form static"
        if side.adapter is not None:
            remedy = "ship with a runtime that passes, or convert the adapter merged into its base"
        return Check("runtimes", TITLES["runtimes"], "failed", "; ".join(wrong), remedy=remedy), section
    said = f"{', '.join(versions)} run it and pass the same checks"
    return Check("runtimes", TITLES["runtimes"], "passed", said), section


def _try(
    side: Side, release: str, questions: Questions, expected: Voice, judge: Judge, progress: Progress
) -> RuntimeResult:
    python = str(environment(release, progress))

    def ask(adapter: Adapter | None, questions: Questions) -> Voice | Refusal:
        return ask_engine(
            side.path, questions, name=release, adapter=adapter, python=python, progress=progress
        )

    try:
        voice = ask(side.adapter, questions)
        if isinstance(voice, Refusal):
            return RuntimeResult(release, opens=voice.opened, reason=voice.reason)
        if side.adapter is not None and _has_no_effect(voice, expected, ask(None, _few(questions))):
            return RuntimeResult(release, opens=True, reason=_NO_EFFECT)
    except InputError as error:  # it stopped in the middle, or takes no answer format
        return RuntimeResult(release, opens=True, reason=error.message)
    return RuntimeResult(release, opens=True, reason=None, checks=tuple(judge(voice)))


def _few(questions: Questions) -> Questions:
    return replace(questions, texts=(), conversations=(), prompts=questions.prompts[:_PROMPTS_WITHOUT])


def _has_no_effect(voice: Voice, expected: Voice, without: Voice | Refusal) -> bool:
    """Whether a release answers as if there were no adapter, where this installation's engine answers otherwise."""
    if isinstance(without, Refusal):
        return False

    def texts(said: Voice) -> list[str]:
        return [answer.text for answer in said.answers[:_PROMPTS_WITHOUT]]

    return texts(voice) == texts(without) != texts(expected)


def _problem(result: RuntimeResult) -> str | None:
    if not result.opens:
        return f"it does not open the file ({result.reason})"
    if result.reason is not None:
        return result.reason
    bad = [check for check in result.checks if check.status == "failed"]
    return "; ".join(f"{check.title}: {check.summary}" for check in bad) or None
