"""`edgekit.validate`: ask both sides once, then run every check on what they said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

from edgekit.bundle.adapter.opening import Adapter, open_adapter
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.inspect import inspect
from edgekit.bundle.opening import Bundle
from edgekit.bundle.subject import identify_adapter
from edgekit.bundle.summary import Summary
from edgekit.calling.tools import Dialect
from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion.adapter.talking import template_of
from edgekit.conversion.options import one_of
from edgekit.errors import BundleError, InputError
from edgekit.gates import Gates, Thresholds, gates_for
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.protocol import Backend
from edgekit.scoring.task import Kind
from edgekit.text.data import built_in, read_data
from edgekit.text.messages import Message
from edgekit.text.settle import Text, read_text
from edgekit.text.template.render import refusal
from edgekit.validation.checks import CHECKS, container, generation, logits, stop, task, template, tokens
from edgekit.validation.context import (
    Context,
    ReferenceIdentity,
    ReferenceSide,
    kept_ids,
    name_of,
)
from edgekit.validation.files import write_junit, write_reports
from edgekit.validation.merged import MergedComparison, hold_beside
from edgekit.validation.questions import calling_of, questions_for
from edgekit.validation.remedy import with_remedies
from edgekit.validation.report import Parity, Step
from edgekit.validation.verdict import Check, CheckModule, Skipped, conclude
from edgekit.validation.worst import worst_examples

DEFAULT_LIMIT = 100
DEFAULT_POSITIONS = 2000
DEFAULT_MAX_TOKENS = 128

_UNOPENED = Skipped("the bundle is not the file that was converted, or does not open: see the container")
_OF_OTHER_RELEASES: tuple[CheckModule, ...] = (tokens, template, stop, generation)
"""They hang on the engine's words alone, so that another release of it can be judged by them."""


def validate(
    bundle: str | Path,
    checkpoint: str | Path | None = None,
    *,
    adapter: str | Path | None = None,
    against: str | Path | None = None,
    data: str | Path | None = None,
    fields: Mapping[str, str] | None = None,
    skip_bad_rows: bool = False,
    limit: int | None = DEFAULT_LIMIT,
    positions: int = DEFAULT_POSITIONS,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    base: str | Path | None = None,
    runtimes: Sequence[str] = (),
    backend: Backend = "cpu",
    thresholds: Thresholds | None = None,
    config: str | Path | None = None,
    junit: str | Path | None = None,
    report: bool = True,
    progress: Progress = SILENT,
    checks: Sequence[CheckModule] = CHECKS,
) -> Parity:
    """Does a bundle still say what the fine-tune said?

    bundle: a bundle directory or any .litertlm file. checkpoint: the fine-tune, or a LoRA adapter (then `base`
    may name its base). adapter: an adapter bundle to lay over the bundle, a base that takes adapters; the checkpoint is
    then the LoRA adapter that it was made from. against: another bundle to compare with instead of a checkpoint; needs
    no torch. With an adapter and a checkpoint it is the bundle with the same adapter merged in, and both are held
    against the checkpoint.
    data: JSONL, CSV, or a directory saved by `datasets`; built-in prompts by default. fields: our name → the
    data's. skip_bad_rows: leave out rows that cannot be used. limit: rows to use, None for all.
    positions: tokens of answers that are read by teacher forcing. max_tokens: of an answer.
    runtimes: other releases of the engine to try. backend: "gpu" lets the bundle answer there, and holds what it makes
    of answers to the processor. thresholds: of the gates, over those of `config` (an
    edgekit.toml) and the recipe's defaults.
    junit: a file for CI systems. report: write reports/validate.json and validate.html into the bundle, with an adapter
    into the adapter bundle. checks: what to run, in the order of the report.
    Returns the report, which did not pass when a check failed. Raises EdgekitError when it cannot be made.
    """
    if checkpoint is not None and against is not None and adapter is None:
        raise InputError(
            "name a checkpoint or --against another bundle; both go together only with --adapter"
        )
    laps = _Laps()
    summary = inspect(bundle)
    manifest = summary.manifest
    one_of(backend, get_args(Backend), "--backend")
    if backend == "gpu" and manifest is not None and manifest.graph.form == "dynamic":
        raise InputError(
            "the bundle is of the dynamic form, which no GPU backend opens",
            where=summary.path,
            remedy="convert it with --form static, and validate that",
        )
    opened = (
        None
        if adapter is None
        else open_adapter(adapter, Bundle(summary.path.parent, manifest, summary.path))
    )
    gates = gates_for(
        None if manifest is None else manifest.recipe.gates,
        thresholds or Thresholds(),
        None if config is None else Path(config),
    )
    trained = None if checkpoint is None else open_checkpoint(checkpoint, base=base, progress=progress)
    if trained is not None:
        _refuse_stranger(trained, summary, beside_base=opened is not None)
    text = (
        None
        if trained is None
        else read_text(
            trained.text_path,
            generation_directory=trained.generation_path,
            rows=trained.architecture.vocab_size,
        )
    )
    rows = (
        built_in(limit)
        if data is None
        else read_data(
            Path(data),
            fields=fields,
            skip_bad_rows=skip_bad_rows,
            limit=limit,
            refusal=_refusal(text, summary, opened),
            calling=calling_of(summary, opened),
        )
    )
    other = None if against is None else _whole(inspect(against))
    questions = questions_for(summary, opened, rows, max_tokens)
    reference = ReferenceSide(
        rows,
        questions,
        positions,
        trained,
        text,
        other if trained is None else None,
        progress,
        guesses=lambda: [] if context.refusal else [answer.text for answer in context.said.answers],
    )
    context = Context(
        summary,
        opened,
        reference,
        rows,
        questions,
        format=questions.answers,
        releases=tuple(runtimes),
        backend=backend,
        again=lambda there: [conclude(c, c.look(there), gates) for c in _OF_OTHER_RELEASES],
        progress=progress,
    )
    laps.step("open what is compared")
    parity = _run(context, checks, gates, laps, beside=other if trained is not None else None)
    if report:
        directory = summary.path.parent if opened is None else opened.directory
        parity = replace(parity, files=write_reports(parity, directory, checks))
    if junit is not None:
        write_junit(parity, Path(junit))
        parity = replace(parity, files=(*parity.files, Path(junit)))
    return parity


def _run(
    context: Context,
    checks: Sequence[CheckModule],
    gates: Gates,
    laps: _Laps,
    beside: Summary | None,
) -> Parity:
    """Ask both sides, run the checks, and put the report together. beside: the bundle with the adapter merged in."""
    identity = context.reference.identity
    opens = context.refusal is None
    laps.step("the bundle answers")
    if opens and context.reference.said is not None:
        laps.step("the reference answers and reads")
        if (run := context.reference.run) is not None:
            identity = replace(identity, versions=run.versions, cached=run.cached)
    found: list[Any] = []
    seconds: list[float] = []
    for check in checks:
        # Of a file that does not open, only the container can be looked at.
        found.append(check.look(context) if opens or check is container else _UNOPENED)
        seconds.append(laps.lap())
    sections: dict[str, Any] = {
        check.NAME: item if isinstance(item, check.Section) else None
        for check, item in zip(checks, found, strict=True)
    }
    scored = sections.get(task.NAME)
    result = task.outcome(scored, gates) if isinstance(scored, task.Section) else None
    if result is not None and result.decision == "ship":
        gates = gates.decided_by_task()
    verdicts = [
        replace(conclude(check, item, gates), seconds=spent)
        for check, item, spent in zip(checks, found, seconds, strict=True)
    ]
    if any(check.status == "failed" for check in verdicts):
        verdicts = list(with_remedies(context, verdicts))
        laps.step("what is to blame")
    comparison = None
    answers, read = sections.get(generation.NAME), sections.get(logits.NAME)
    if opens and beside is not None and answers is not None:
        comparison = hold_beside(context, beside, answers, read)
        laps.step("the merged bundle answers and reads")
    return _report(context, identity, verdicts, sections, result, comparison, laps)


def _refusal(
    text: Text | None, bundle: Summary, adapter: Adapter | None
) -> Callable[[Sequence[Message]], str | None]:
    """Why the chat template refuses a row: found out before the engine fails on it, which cannot name the row."""
    own = None if adapter is None else adapter.manifest.chat_template
    if text is not None:
        source = text.device.source
    elif bundle.manifest is not None:  # of other makers' templates some are for the engine's Jinja alone
        source = own or template_of(Bundle(bundle.path.parent, bundle.manifest, bundle.path))
    else:
        return lambda messages: None
    return lambda messages: refusal(source, messages)


def _refuse_stranger(checkpoint: Checkpoint, bundle: Summary, *, beside_base: bool) -> None:
    """Refuse a checkpoint that the bundle cannot have been made from. beside_base: an adapter lies over the bundle."""
    if beside_base and checkpoint.adapter is None:
        raise InputError(
            "this is a whole model; a sidecar is held against the LoRA adapter that it was made from",
            where=checkpoint.path,
            remedy="name the directory that holds adapter_config.json, and with --base the adapter's base",
        )
    if kept_ids(bundle) is None:
        return
    assert bundle.manifest is not None and bundle.manifest.vocabulary is not None
    rows = bundle.manifest.vocabulary.rows
    if rows != checkpoint.architecture.vocab_size:
        raise InputError(
            f"the bundle's vocabulary was trimmed from {rows:,} pieces, this checkpoint has "
            f"{checkpoint.architecture.vocab_size:,}",
            where=checkpoint.path,
            remedy="name the checkpoint that the bundle was made from",
        )


def _whole(other: Summary) -> Summary:
    if other.digest_matches is False:
        raise BundleError("the file is not the one its manifest describes", where=other.path)
    return other


class _Laps:
    """Cuts the time of a run into pieces, so that they add up to it."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self.steps: tuple[Step, ...] = ()
        self.seconds = 0.0
        """All pieces together."""

    def lap(self) -> float:
        """Return the seconds since the last call."""
        now = time.perf_counter()
        piece = round(now - self._since, 3)
        self._since = now
        self.seconds = round(self.seconds + piece, 3)
        return piece

    def step(self, title: str) -> None:
        """Note that the piece since the last call served several checks."""
        self.steps = (*self.steps, Step(title, self.lap()))


def _report(
    context: Context,
    reference: ReferenceIdentity,
    checks: Sequence[Check],
    sections: Mapping[str, Any],
    result: task.Outcome | None,
    comparison: MergedComparison | None,
    laps: _Laps,
) -> Parity:
    summary, manifest = context.bundle, context.bundle.manifest
    bad = [check for check in checks if check.status == "failed"]
    decision = None if result is None else result.decision
    if bad and decision is not None:
        decision = "do not ship"
    answers = sections.get(generation.NAME)
    return Parity(
        bundle=BundleIdentity(
            name=name_of(summary),
            file=summary.path.name,
            size=summary.size,
            sha256=summary.sha256,
            recipe=None if manifest is None else manifest.recipe.name,
            form=None if manifest is None else manifest.graph.form,
            kv_length=summary.kv_length,
            engine=version("litert-lm-api"),
            adapter=None if context.adapter is None else identify_adapter(context.adapter),
        ),
        reference=reference,
        data=context.data.identity,
        verdict="failed" if bad else "passed",
        headline=_headline(checks, sections.get(task.NAME), result),
        decision=decision,
        checks=tuple(checks),
        sections=sections,
        worst=() if answers is None else worst_examples(answers.rows, *_kind_of_task(sections)),
        steps=laps.steps,
        seconds=laps.seconds,
        edgekit_version=version("edgekit"),
        against_merged=comparison,
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        cores=os.cpu_count(),
    )


def _headline(checks: Sequence[Check], scored: task.Section | None, result: task.Outcome | None) -> str:
    """Say in one line whether to ship: by the task where there is one, by the checks where there is none."""
    bad = [check for check in checks if check.status == "failed"]
    ran = sum(check.status != "skipped" for check in checks)
    failed = f"{len(bad)} of {ran} checks failed: {', '.join(check.title.lower() for check in bad)}"
    if scored is None or result is None:
        return failed if bad else f"all {ran} checks passed"
    short = task.in_short(scored, result)
    if bad:
        by_task = result.decision == "do not ship"
        return f"do not ship: {short}" if by_task else f"do not ship: {failed}; {short}"
    if result.decision == "too few rows to tell" and result.enough is not None:
        return f"too few rows to tell: {short}; about {result.enough:,} rows would be enough"
    return f"{result.decision}: {short}"


def _kind_of_task(sections: Mapping[str, Any]) -> tuple[Kind, Dialect | None]:
    scored = sections.get(task.NAME)
    return (scored.kind, scored.dialect) if isinstance(scored, task.Section) else ("text", None)
