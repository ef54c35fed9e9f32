"""What a validation is about, and what both sides said: each is asked when it is first needed, and then kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.summary import Summary
from edgekit.calling.tools import Calling
from edgekit.checkpoint import Checkpoint, digest, open_checkpoint
from edgekit.errors import BundleError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.protocol import Backend
from edgekit.runtime.ask.questions import Answer, Questions, Refusal, Said, ask_engine
from edgekit.scoring.forcing import ForcedText, forced_texts
from edgekit.scoring.reference import HeadScorer, ReferenceRun, run_reference
from edgekit.scoring.scorer import GraphScorer, Scorer, open_scorer
from edgekit.text.answers import AnswerFormat
from edgekit.text.data import Data
from edgekit.text.settle import Text
from edgekit.validation.questions import calling_of
from edgekit.validation.verdict import Check

_LONGEST = 4096
"""Tokens of a text that another bundle reads, at most."""


@dataclass(frozen=True)
class ReferenceIdentity:
    """What the bundle was held against.

    kind: a "checkpoint" in Transformers, another "bundle", or "none".
    digest: of the checkpoint, or the other model file's SHA-256. base: an adapter's base model.
    cached: whether its results came from an earlier run.
    """

    kind: Literal["checkpoint", "bundle", "none"]
    name: str
    digest: str
    base: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    cached: bool = False


@dataclass(frozen=True)
class ReferenceSide:
    """What the bundle is held against: a checkpoint in Transformers, another bundle, or nothing.

    positions: tokens of answers that are read by teacher forcing, at most. All ids are those of the whole vocabulary.
    guesses: gives what the reference may answer to each prompt; checking a guess is quicker than answering.
    """

    data: Data
    questions: Questions
    positions: int
    checkpoint: Checkpoint | None = None
    text: Text | None = None
    bundle: Summary | None = None
    progress: Progress = SILENT
    guesses: Callable[[], Sequence[str]] = tuple

    @cached_property
    def identity(self) -> ReferenceIdentity:
        """Say what it is, without asking it."""
        if self.checkpoint is not None:
            base = self.checkpoint.base_path
            name, base_name = self.checkpoint.name, None if base is None else base.name
            return ReferenceIdentity("checkpoint", name, digest(self.checkpoint), base_name)
        if self.bundle is not None:
            return ReferenceIdentity("bundle", self.bundle.path.stem, self.bundle.sha256)
        return ReferenceIdentity("none", "nothing", "")

    @property
    def kept_ids(self) -> tuple[int, ...] | None:
        """The ids that a trimmed bundle has; None for a whole vocabulary."""
        return None if self.bundle is None else kept_ids(self.bundle)

    @property
    def start_text(self) -> str:
        """The text of the start token, with which Transformers' prompts begin; another engine's do not."""
        return "" if self.text is None else self.text.special_tokens.get("bos_token", "")

    @cached_property
    def run(self) -> ReferenceRun | None:
        """All that the checkpoint said and read."""
        if self.checkpoint is None:
            return None
        assert self.text is not None
        return run_reference(
            self.checkpoint,
            self.identity.digest,
            self.text,
            self.data.rows,
            self.questions,
            positions=self.positions,
            guesses=self.guesses(),
            progress=self.progress,
        )

    @cached_property
    def said(self) -> Said | None:
        """What the reference said; None without one."""
        if self.run is not None:
            return self.run.voice
        if self.bundle is None:
            return None
        questions = replace(self.questions, answers=None)
        said = ask_engine(self.bundle.path, questions, name="the other bundle", progress=self.progress)
        return _in_old_ids(_opened(said, self.bundle), self.kept_ids)

    def texts(self, cache: int | None) -> tuple[ForcedText, ...]:
        """The texts to read, prompts with answers. cache: tokens that the bundle has room for."""
        if self.run is not None:
            return self.run.texts
        return forced_texts(*self._said_ids, self.positions, min(cache or _LONGEST, _LONGEST))

    @property
    def possible(self) -> int:
        """Tokens of all answers that could be read."""
        if self.run is not None:
            return self.run.possible
        return sum(len(answer) for _, answer in dict.fromkeys(zip(*self._said_ids, strict=True)))

    @cached_property
    def _said_ids(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """The other bundle's prompts, and what is answered."""
        said = self.said
        assert said is not None
        ids = dict(zip(self.questions.texts, said.ids, strict=True))
        start = () if said.start_id is None else (said.start_id,)
        prompts = [(*start, *asked) for asked in said.asked]
        answers = [
            answer.ids if row.expected is None else ids[row.expected]
            for row, answer in zip(self.data.rows, said.answers, strict=True)
        ]
        return prompts, answers

    def scorer(self, longest: int) -> Scorer:
        """Give the reference's logits, over its own ids."""
        if self.run is not None:
            assert self.checkpoint is not None
            return HeadScorer(self.run, self.checkpoint)
        assert self.bundle is not None
        return open_scorer(self.bundle, longest=longest, progress=self.progress)


@dataclass(frozen=True)
class Context:
    """What checks look at.

    adapter: laid over the bundle. format: what the app will hold answers to; questions ask for it only where the engine
    can. releases: other releases of the engine to try. again: gives the verdicts of the checks that hang on the
    engine's words alone, for a context in which another release speaks.
    backend: what the bundle's engine computes on. speaker, python: who speaks for the bundle: this installation's
    engine, or the one of another environment.
    """

    bundle: Summary
    adapter: Adapter | None
    reference: ReferenceSide
    data: Data
    questions: Questions
    format: AnswerFormat | None = None
    releases: tuple[str, ...] = ()
    again: Callable[[Context], Sequence[Check]] = lambda _: ()
    backend: Backend = "cpu"
    speaker: str = "the bundle"
    python: Path | None = None
    progress: Progress = SILENT

    @cached_property
    def heard(self) -> Said | Refusal:
        """What the engine said of the bundle, in the bundle's own ids."""
        if not is_whole(self.bundle):
            return Refusal("not tried, because the file is not whole")
        return ask_engine(
            self.bundle.path,
            self.questions,
            name=self.speaker,
            backend=self.backend,
            adapter=self.adapter,
            python=None if self.python is None else str(self.python),
            progress=self.progress,
        )

    @property
    def refusal(self) -> str | None:
        """Why the engine does not open the bundle; None when it does."""
        return self.heard.reason if isinstance(self.heard, Refusal) else None

    @cached_property
    def said(self) -> Said:
        """What the bundle said, in the ids of the whole vocabulary. Raises BundleError when it does not open."""
        return _in_old_ids(_opened(self.heard, self.bundle), self.kept_ids)

    @property
    def kept_ids(self) -> tuple[int, ...] | None:
        """The checkpoint's id of each id of a trimmed vocabulary; None for one that is whole."""
        return kept_ids(self.bundle)

    @property
    def calling(self) -> Calling | None:
        """How the bundle calls; None where it does not, or an adapter with another task lies over it."""
        return calling_of(self.bundle, self.adapter)

    @property
    def system_prompt(self) -> str | None:
        """What the adapter's conversations begin with."""
        return None if self.adapter is None else self.adapter.manifest.system_prompt

    @cached_property
    def source(self) -> Checkpoint | None:
        """The checkpoint whose weights the bundle holds; below a sidecar that is the adapter's base."""
        checkpoint = self.reference.checkpoint
        if checkpoint is None or self.adapter is None:
            return checkpoint
        assert checkpoint.base_path is not None
        return open_checkpoint(checkpoint.base_path)

    def scorer(self, longest: int) -> GraphScorer:
        """Give the bundle's logits, over its own ids."""
        return open_scorer(
            self.bundle,
            longest=longest,
            sidecar=None if self.adapter is None else self.adapter.sidecar,
            checkpoint=self.reference.checkpoint,
            progress=self.progress,
        )


def is_whole(bundle: Summary) -> bool:
    """Whether a file is the one that its manifest describes, and holds what an engine needs to open it."""
    return bundle.digest_matches is not False and bundle.size_matches is not False and bundle.llm is not None


def name_of(bundle: Summary) -> str:
    """Return what to call a bundle: its directory's name, a bare file's own."""
    return bundle.path.stem if bundle.manifest is None else bundle.path.parent.name


def kept_ids(bundle: Summary) -> tuple[int, ...] | None:
    """Return the checkpoint's id of each id of a trimmed vocabulary; None for one that is whole."""
    trimmed = None if bundle.manifest is None else bundle.manifest.vocabulary
    return None if trimmed is None else trimmed.old_ids


def _opened(heard: Said | Refusal, bundle: Summary) -> Said:
    if isinstance(heard, Refusal):
        raise BundleError(f"the engine refuses the file: {heard.reason}", where=bundle.path)
    return heard


def _in_old_ids(voice: Said, old_ids: Sequence[int] | None) -> Said:
    """Return what a trimmed bundle said in the ids of the whole vocabulary; as it is without a map."""
    if old_ids is None:
        return voice

    def old(ids: Sequence[int]) -> tuple[int, ...]:
        return tuple(old_ids[number] for number in ids)

    def answers(given: Sequence[Answer]) -> tuple[Answer, ...]:
        return tuple(replace(answer, ids=old(answer.ids)) for answer in given)

    return replace(
        voice,
        start_id=None if voice.start_id is None else old_ids[voice.start_id],
        stop_ids=tuple(map(old, voice.stop_ids)),
        ids=tuple(map(old, voice.ids)),
        answers=answers(voice.answers),
        constrained=None if voice.constrained is None else answers(voice.constrained),
        asked=tuple(map(old, voice.asked)),
        pieces={old_ids[number]: text for number, text in voice.pieces.items()},
    )
