"""`edgekit.validate`: ask both sides once, then run every check on what they said."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from edgekit.bundle.adapter.opening import Adapter, open_adapter
from edgekit.bundle.container import Container, read_container
from edgekit.bundle.directory import REPORTS_NAME
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.inspect import inspect
from edgekit.bundle.opening import Bundle
from edgekit.bundle.stored import StoredWeight, model_bytes, stored_weights
from edgekit.bundle.subject import identify_adapter
from edgekit.bundle.summary import BundleSummary
from edgekit.checkpoint import Checkpoint, digest, open_checkpoint
from edgekit.conversion.trim.gather import gather_rows
from edgekit.errors import BundleError, InputError
from edgekit.gates import Gates, Thresholds, gates_for
from edgekit.graph import find_graph, graph_key
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.questions import Questions, Refusal, Voice
from edgekit.scoring.reference import (
    ForcedText,
    HeadScorer,
    MergeSection,
    ReferenceRun,
    forced_texts,
    run_reference,
)
from edgekit.scoring.scorer import scoring_key, without_scoring
from edgekit.text.data import Data, built_in, read_data
from edgekit.text.settle import Text, read_text
from edgekit.validation.answers import check_generation, check_task, worst_examples
from edgekit.validation.asking import conversations, questions_for
from edgekit.validation.checks import (
    TITLES,
    check_container,
    check_merge,
    check_stop,
    check_template,
    check_tokens,
    failed,
    skipped,
)
from edgekit.validation.files import HTML_NAME, write_json, write_junit
from edgekit.validation.merged import adapter_way, compare_ways
from edgekit.validation.result import (
    Check,
    CheckName,
    GenerationSection,
    LogitsSection,
    MergedComparison,
    ParityReport,
    ReferenceIdentity,
)
from edgekit.validation.runtimes import check_runtimes
from edgekit.validation.side import Side, compare_logits
from edgekit.validation.sidecars import check_sidecar, sidecar_items, slot_items, with_sidecar
from edgekit.validation.trimmed import Decode, bundle_decoder, in_old_ids
from edgekit.validation.weights import check_weights, originals_of

DEFAULT_LIMIT = 100
DEFAULT_POSITIONS = 2000
DEFAULT_MAX_TOKENS = 128

_NO_REFERENCE = "there is nothing to hold it against: name the checkpoint, or another bundle with --against"


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
    thresholds: Thresholds | None = None,
    config: str | Path | None = None,
    junit: str | Path | None = None,
    report: bool = True,
    progress: Progress = SILENT,
) -> ParityReport:
    """Does a bundle still say what the fine-tune said?

    bundle: a bundle directory or any .litertlm file. checkpoint: the fine-tune, or a LoRA adapter (then `base`
    may name its base). adapter: an adapter bundle to lay over the bundle, a base that takes adapters; the checkpoint is
    then the LoRA adapter that it was made from. against: another bundle to compare with instead of a checkpoint; needs
    no torch. With an adapter and a checkpoint it is the bundle with the same adapter merged in, and both are held
    against the checkpoint.
    data: JSONL, CSV, or a directory saved by `datasets`; built-in prompts by default. fields: our name → the
    data's. skip_bad_rows: leave out rows that cannot be used. limit: rows to use, None for all.
    positions: tokens that are read by teacher forcing. max_tokens: of an answer.
    runtimes: other releases of the engine to try. thresholds: of the gates, over those of `config` (an
    edgekit.toml) and the recipe's defaults.
    junit: a file for CI systems. report: write reports/validate.json and validate.html into the bundle, with an adapter
    into the adapter bundle.
    Returns the report, whose verdict is "failed" when a check failed. Raises EdgekitError when it cannot be made.
    """
    if checkpoint is not None and against is not None and adapter is None:
        raise InputError(
            "name a checkpoint or --against another bundle; both go together only with --adapter"
        )
    began = time.perf_counter()
    summary = inspect(bundle)
    side = Side(summary, None if adapter is None else _adapter(adapter, summary))
    rows = (
        built_in(limit)
        if data is None
        else read_data(Path(data), fields=fields, skip_bad_rows=skip_bad_rows, limit=limit)
    )
    gates = gates_for(
        None if summary.manifest is None else summary.manifest.recipe.gates,
        thresholds or Thresholds(),
        None if config is None else Path(config),
    )
    run = _Run(side, rows, questions_for(side, rows, max_tokens), gates, positions, tuple(runtimes), progress)
    if checkpoint is not None:
        run.hold_against_checkpoint(open_checkpoint(checkpoint, base=base, progress=progress))
    if against is not None:
        other = Side(inspect(against))
        if checkpoint is None:
            run.hold_against_bundle(other)
        else:
            run.hold_beside(other)
    result = run.report(time.perf_counter() - began, lambda: time.perf_counter() - began)
    if report:
        from edgekit.validation.page import write_html

        directory = summary.path.parent if side.adapter is None else side.adapter.directory
        write_json(result, directory)
        write_html(result, directory / REPORTS_NAME / HTML_NAME)
    if junit is not None:
        write_junit(result, Path(junit))
    return result


def _adapter(path: str | Path, base: BundleSummary) -> Adapter:
    return open_adapter(path, Bundle(base.path.parent, base.manifest, base.path))


@dataclass
class _Run:
    """One validation under way: what is known so far, and the checks that follow from it."""

    side: Side
    data: Data
    questions: Questions
    gates: Gates
    positions: int
    runtimes: tuple[str, ...]
    progress: Progress
    identity: ReferenceIdentity = field(default_factory=lambda: ReferenceIdentity("none", "nothing", ""))
    checkpoint: Checkpoint | None = None
    base: Checkpoint | None = None
    """Of which the bundle holds the weights: the checkpoint, or the base of one that is an adapter beside it."""
    text: Text | None = None
    other: Side | None = None
    """The bundle that is the reference."""
    merged: Side | None = None
    """The bundle with the adapter merged in, to hold beside the sidecar."""

    # ---------------------------------------- the other side

    def hold_against_checkpoint(self, checkpoint: Checkpoint) -> None:
        if self.side.adapter is not None and checkpoint.adapter is None:
            raise InputError(
                "this is a whole model; a sidecar is held against the LoRA adapter that it was made from",
                where=checkpoint.path,
                remedy="name the directory that holds adapter_config.json, and with --base the adapter's base",
            )
        rows = self.side.rows
        if rows is not None and rows != checkpoint.architecture.vocab_size:
            raise InputError(
                f"the bundle's vocabulary was trimmed from {rows:,} pieces, this checkpoint has "
                f"{checkpoint.architecture.vocab_size:,}",
                where=checkpoint.path,
                remedy="name the checkpoint that the bundle was made from",
            )
        self.checkpoint = self.base = checkpoint
        if self.side.adapter is not None:
            assert checkpoint.base_path is not None
            self.base = open_checkpoint(checkpoint.base_path)
        self.text = read_text(
            checkpoint.text_path,
            generation_directory=checkpoint.generation_path,
            rows=checkpoint.architecture.vocab_size,
        )
        self.identity = ReferenceIdentity(
            "checkpoint",
            checkpoint.name,
            digest(checkpoint),
            None if checkpoint.base_path is None else checkpoint.base_path.name,
        )

    def hold_against_bundle(self, other: Side) -> None:
        _refuse_changed(other)
        self.other = other
        self.identity = ReferenceIdentity("bundle", other.path.stem, other.summary.sha256)

    def hold_beside(self, merged: Side) -> None:
        _refuse_changed(merged)
        self.merged = merged

    # ---------------------------------------- all checks

    def report(self, opened: float, clock: Callable[[], float]) -> ParityReport:
        checks: dict[CheckName, Check] = {}
        sections: dict[str, Any] = dict.fromkeys(TITLES)
        lap = opened

        def note(name: CheckName, found: tuple[Check, Any] | Check) -> None:
            nonlocal lap
            check, section = found if isinstance(found, tuple) else (found, None)
            now = clock()
            checks[name], sections[name] = replace(check, seconds=round(now - lap, 3)), section
            lap = now

        intact = self.side.summary.digest_matches is not False and self.side.summary.size_matches is not False
        voice: Voice | Refusal | None = None
        if intact and self.side.summary.llm is not None:
            voice = self.side.ask(self.questions, name="the bundle", progress=self.progress)
        refusal = voice.reason if isinstance(voice, Refusal) else None
        if voice is None:
            refusal = "not tried, because the file is not whole"
        note("container", self._container(refusal))
        if not isinstance(voice, Voice):
            reason = "the bundle is not the file that was converted, or does not open: see the container"
            for name in TITLES:
                if name not in checks:
                    note(name, skipped(name, reason))
            return self._assemble(checks, sections, clock())

        reference = self._ask_reference()
        lap = clock()  # the reference serves several checks and is none's own time
        run = reference if isinstance(reference, ReferenceRun) else None
        spoken = reference.voice if isinstance(reference, ReferenceRun) else reference
        note("merge", self._merge(run))
        for name, found in self._texts(voice, spoken).items():
            note(name, found)
        rows = sections["generation"].rows
        if any(row.expected is not None for row in rows):
            note("task", check_task(rows, self.gates))
        else:
            note("task", skipped("task", "the data has no expected outputs"))
        note("logits", self._logits(run, spoken))
        note("weights", self._weights())
        note("runtimes", self._runtimes(voice, spoken))
        beside = None if run is None else self._beside(run, sections["logits"], sections["generation"])
        return self._assemble(checks, sections, clock(), beside)

    def _ask_reference(self) -> ReferenceRun | Voice | None:
        if self.checkpoint is not None:
            assert self.text is not None
            run = run_reference(
                self.checkpoint,
                self.identity.digest,
                self.text,
                self.data.rows,
                self.questions,
                positions=self.positions,
                progress=self.progress,
            )
            self.identity = replace(self.identity, versions=run.versions, cached=run.cached)
            return run
        if self.other is None:
            return None
        questions = replace(self.questions, answers=None)
        return self._ask_other(self.other, questions, "the other bundle")

    def _ask_other(self, other: Side, questions: Questions, name: str) -> Voice:
        voice = other.ask(questions, name=name, progress=self.progress)
        if isinstance(voice, Refusal):
            raise BundleError(f"the engine refuses the file: {voice.reason}", where=other.path)
        return in_old_ids(voice, other.old_ids)

    # ---------------------------------------- 1

    def _container(self, refusal: str | None) -> tuple[Check, Any]:
        summary, adapter = self.side.summary, self.side.adapter
        items = slot_items(summary)
        if adapter is not None:
            items += sidecar_items(adapter, summary, self.checkpoint)
        return check_container(summary, None if self.base is None else digest(self.base), refusal, items)

    # ---------------------------------------- 0

    def _merge(self, run: ReferenceRun | None) -> tuple[Check, MergeSection] | Check:
        if run is None or run.merge is None:
            return skipped("merge", "the checkpoint is no adapter" if run else _NO_REFERENCE)
        return check_merge(run.merge, in_sidecar=self.side.adapter is not None), run.merge

    # ---------------------------------------- 2, 3, 4, 6: what was said

    def _texts(self, voice: Voice, reference: Voice | None) -> dict[CheckName, tuple[Check, Any] | Check]:
        found: dict[CheckName, tuple[Check, Any] | Check] = {}
        old_ids, other_ids = self.side.old_ids, None if self.other is None else self.other.old_ids
        voice = in_old_ids(voice, old_ids)
        if reference is None:
            found["tokens"] = skipped("tokens", _NO_REFERENCE)
            found["template"] = skipped("template", _NO_REFERENCE)
        else:
            trimmed = old_ids is not None or other_ids is not None
            found["tokens"] = check_tokens(
                self.questions.texts,
                reference,
                voice,
                kept=None if old_ids is None else frozenset(old_ids),
                reference_kept=None if other_ids is None else frozenset(other_ids),
                decode=self._old_decoder(old_ids) if trimmed else None,
            )
            cases = conversations(self.data, self._system_prompt)
            found["template"] = check_template(cases, reference, voice, self._start_text())
        found["stop"] = check_stop(reference, voice, self.questions.max_tokens)
        found["generation"] = self._generation(voice, reference)
        return found

    def _generation(self, voice: Voice, reference: Voice | None) -> tuple[Check, GenerationSection]:
        return check_generation(
            self.data.rows,
            reference,
            voice,
            max_tokens=self.questions.max_tokens,
            answers=self.questions.answers,
            gates=self.gates,
            encode=None if self.text is None else self.text.tokenizer.encode,
        )

    def _old_decoder(self, old_ids: Sequence[int] | None) -> Decode | None:
        """What the bundle's own tokenizer makes of its ids, given as those of the whole vocabulary."""
        decode = bundle_decoder(read_container(self.side.path))
        if old_ids is None:
            return decode
        new = {old: number for number, old in enumerate(old_ids)}
        return None if decode is None else lambda ids: decode([new[number] for number in ids])

    @property
    def _system_prompt(self) -> str | None:
        return None if self.side.adapter is None else self.side.adapter.manifest.system_prompt

    def _start_text(self) -> str:
        """The text of the start token, with which Transformers' prompts begin; another engine's do not."""
        return "" if self.text is None else self.text.special_tokens.get("bos_token", "")

    # ---------------------------------------- 5

    def _logits(self, run: ReferenceRun | None, reference: Voice | None) -> tuple[Check, Any] | Check:
        if reference is None:
            return skipped("logits", _NO_REFERENCE)
        try:
            for side in (self.side, self.other):
                if side is not None:
                    model_bytes(read_container(side.path))
        except BundleError as error:
            return skipped("logits", error.message)
        texts = self._other_texts(reference) if run is None else run.texts
        if not texts:
            return skipped("logits", "there is no text of two tokens or more")
        try:
            return self._compare(self.side, texts, run)
        except (RuntimeError, ValueError, KeyError) as error:
            if self.side.manifest is None:
                return skipped("logits", f"its graph is not like edgekit's ({error})")
            return failed("logits", f"the LiteRT interpreter does not run the model: {error}")

    def _compare(
        self, side: Side, texts: Sequence[ForcedText], run: ReferenceRun | None
    ) -> tuple[Check, Any] | Check:
        """Hold a bundle's logits to the reference's: those of a run, or of the other bundle."""
        longest = max(len(text.tokens) for text in texts)
        bundle = side.scorer(longest, self.checkpoint, self.progress)
        if run is not None:
            assert self.checkpoint is not None
            reference = HeadScorer(run, self.checkpoint)
            return compare_logits(texts, reference, bundle, side, self.gates, progress=self.progress)
        assert self.other is not None
        return compare_logits(
            texts,
            self.other.scorer(longest, progress=self.progress),
            bundle,
            side,
            self.gates,
            reference_ids=self.other.old_ids,
            progress=self.progress,
        )

    def _other_texts(self, reference: Voice) -> tuple[ForcedText, ...]:
        """The texts to read when another bundle is the reference: its own answers, in its own ids."""
        ids = dict(zip(self.questions.texts, reference.ids, strict=True))
        start = () if reference.start_id is None else (reference.start_id,)
        prompts = [(*start, *asked) for asked in reference.asked]
        answers = [
            answer.ids if row.expected is None else ids[row.expected]
            for row, answer in zip(self.data.rows, reference.answers, strict=True)
        ]
        longest = min(length for length in (self.side.summary.kv_length, 4096) if length)
        return forced_texts(prompts, answers, self.positions, longest)

    # ---------------------------------------- 8

    def _weights(self) -> tuple[Check, Any] | Check:
        if self.checkpoint is None and self.other is None:
            return skipped("weights", _NO_REFERENCE)
        if self.checkpoint is None and self.side.adapter is not None:
            return skipped(
                "weights", "the other bundle's are not the base's: name the LoRA adapter to compare them"
            )
        try:
            container = read_container(self.side.path)
            stored = stored_weights(model_bytes(container))
            if self.checkpoint is not None:
                found = self._weights_of_checkpoint(container, stored)
                if self.side.adapter is None:
                    return found
                return with_sidecar(found, check_sidecar(self.side.adapter, self.checkpoint))
            assert self.other is not None
            others = stored_weights(model_bytes(read_container(self.other.path)))
        except BundleError as error:
            return skipped("weights", error.message)
        same = {n: w for n, w in stored.items() if n in others and others[n].shape == w.shape}
        if not same:
            return skipped("weights", "the two files have no tensors of one name")
        readers = {name: others[name].read for name in same}
        return check_weights(same, readers, self.gates, schemes=None, progress=self.progress)

    def _weights_of_checkpoint(
        self, container: Container, stored: Mapping[str, StoredWeight]
    ) -> tuple[Check, Any] | Check:
        assert self.base is not None
        manifest = self.side.manifest
        if manifest is None:
            return skipped("weights", "edgekit did not make the file, so its tensors have other names")
        key = scoring_key(manifest.graph.id, graph_key(self.base.architecture, "dynamic"))
        assert key is not None
        graph = find_graph(without_scoring(key), self.progress)
        old_ids = self.side.old_ids
        checkpoint = self.base if old_ids is None else gather_rows(self.base, old_ids)
        originals = originals_of(graph, checkpoint.tensors)
        named = {name: weight for name, weight in stored.items() if name in originals}
        other_shape = [
            name
            for name, weight in named.items()
            if weight.shape != checkpoint.tensors[name].shape or len(named) < len(originals)
        ]
        if other_shape:
            remedy = "name the checkpoint that the bundle was made from"
            return failed("weights", f"{other_shape[0]} has another shape than the checkpoint's", remedy)
        return check_weights(
            named, originals, self.gates, schemes=manifest.recipe.schemes, progress=self.progress
        )

    # ---------------------------------------- 9

    def _runtimes(self, voice: Voice, reference: Voice | None) -> tuple[Check, Any] | Check:
        if not self.runtimes:
            return skipped("runtimes", "no other release was asked for (--runtime 0.11.0,0.14.0)")
        questions = replace(self.questions, answers=None)  # 0.11 cannot hold answers to a format

        def judge(voice: Voice) -> list[Check]:
            found = self._texts(voice, reference).values()
            return [check[0] if isinstance(check, tuple) else check for check in found]

        return check_runtimes(self.side, self.runtimes, questions, voice, judge, self.progress)

    # ---------------------------------------- the merged bundle

    def _beside(
        self, run: ReferenceRun, logits: LogitsSection | None, generation: GenerationSection
    ) -> MergedComparison | None:
        """Ask the bundle with the adapter merged in the same questions."""
        merged, adapter = self.merged, self.side.adapter
        if merged is None or adapter is None:
            return None
        voice = self._ask_other(merged, replace(self.questions, answers=None), "the merged bundle")
        answers = self._generation(voice, run.voice)[1]
        compared = self._compare(merged, run.texts, run) if run.texts else None
        theirs = compared[1] if isinstance(compared, tuple) else None
        recipe = None if merged.manifest is None else merged.manifest.recipe.name
        assert self.side.manifest is not None
        return compare_ways(
            adapter_way(
                adapter.manifest.name,
                self.side.manifest.recipe.name,
                adapter.manifest.sidecar.size,
                logits,
                generation,
            ),
            adapter_way(_bundle_name(merged.summary), recipe, merged.summary.size, theirs, answers),
            generation.rows,
            [answer.text for answer in voice.answers],
            note=self._merged_note(merged),
        )

    def _merged_note(self, merged: Side) -> str | None:
        made_from = None if merged.manifest is None else merged.manifest.source.digest
        if made_from is None or made_from == self.identity.digest:
            return None
        return "the merged bundle was made from another checkpoint than this adapter on this base"

    # ---------------------------------------- the report

    def _assemble(
        self,
        checks: Mapping[CheckName, Check],
        sections: Mapping[str, Any],
        seconds: float,
        beside: MergedComparison | None = None,
    ) -> ParityReport:
        summary, manifest = self.side.summary, self.side.manifest
        bad = [check for check in checks.values() if check.status == "failed"]
        verdict: Literal["passed", "failed"] = "failed" if bad else "passed"
        ran = sum(check.status != "skipped" for check in checks.values())
        headline = (
            f"{len(bad)} of {ran} checks failed: {', '.join(check.title.lower() for check in bad)}"
            if bad
            else f"all {ran} checks passed"
        )
        generation = sections["generation"]
        return ParityReport(
            bundle=BundleIdentity(
                name=_bundle_name(summary),
                file=summary.path.name,
                size=summary.size,
                sha256=summary.sha256,
                recipe=None if manifest is None else manifest.recipe.name,
                form=None if manifest is None else manifest.graph.form,
                kv_length=summary.kv_length,
                engine=version("litert-lm-api"),
                adapter=None if self.side.adapter is None else identify_adapter(self.side.adapter),
            ),
            reference=self.identity,
            data=self.data.identity,
            verdict=verdict,
            headline=headline,
            checks=tuple(checks[name] for name in TITLES),
            worst=() if generation is None else worst_examples(generation.rows),
            seconds=round(seconds, 3),
            edgekit_version=version("edgekit"),
            against_merged=beside,
            **{name: sections[name] for name in TITLES},
        )


def _bundle_name(summary: BundleSummary) -> str:
    return summary.path.parent.name if summary.manifest is not None else summary.path.stem


def _refuse_changed(side: Side) -> None:
    if side.summary.digest_matches is False:
        raise BundleError("the file is not the one its manifest describes", where=side.path)
