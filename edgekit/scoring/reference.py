"""The reference's side: what the checkpoint says in Transformers, asked only for what is not remembered.

Of each text only the last hidden states are kept, 2.5 kB per token at the 270M shape, where logits would be a
megabyte; the head is applied when they are needed, in the same float32 arithmetic. So trying
five recipes costs one reference run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint import Checkpoint
from edgekit.errors import TemplateError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.protocol import Rendered
from edgekit.runtime.ask.questions import Answer, Questions, Said
from edgekit.runtime.reference import Reference
from edgekit.scoring.forcing import ForcedText, forced_texts
from edgekit.scoring.greedy import answer_all, batches
from edgekit.scoring.memory import Ids, Memory, MergeFigures
from edgekit.scoring.positions import LogitDistance, PositionScores, join, score_positions
from edgekit.scoring.scorer import CHUNK, EMBEDDING
from edgekit.text.data import Row
from edgekit.text.messages import Message
from edgekit.text.settle import Text

_PACKAGES = ("torch", "transformers", "peft")
_MERGE_TEXTS = 4


@dataclass(frozen=True)
class ReferenceRun:
    """All that the checks need of the reference.

    hidden: of each text, the states from the one before its answer to the last that has a token behind it.
    cached: everything was remembered, nothing was computed. possible: tokens of all answers, read or not.
    """

    voice: Said
    texts: tuple[ForcedText, ...]
    hidden: tuple[NDArray[np.float32], ...]
    merge: MergeFigures | None
    versions: Mapping[str, str]
    cached: bool
    possible: int = 0


class HeadScorer:
    """The reference's logits, from its hidden states and the checkpoint's head.

    An answer may be two tokens long, and the head is large: the states of all texts lie behind each other, and the head
    is applied to `CHUNK` of them at once, in the order in which they are wanted.
    """

    def __init__(self, run: ReferenceRun, checkpoint: Checkpoint) -> None:
        tensors = checkpoint.tensors
        self._head = tensors["lm_head.weight" if "lm_head.weight" in tensors else EMBEDDING].read()
        self._states = np.concatenate(run.hidden) if run.hidden else np.zeros((0, 1), np.float32)
        self._place: dict[Ids, tuple[int, int, int]] = {}
        """Of each text: its first position, and where its states begin and end among those of all."""
        end = 0
        for text, hidden in zip(run.texts, run.hidden, strict=True):
            self._place[text.tokens] = (text.first, end, end := end + len(hidden))
        self._block: tuple[int, NDArray[np.float32]] = (-1, np.zeros((0, 0), np.float32))

    def logits(self, tokens: Sequence[int], first: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield the logits behind each token from number `first` on, as far as a token came behind it."""
        since, begin, behind = self._of(tuple(tokens))
        end = min(len(tokens), since + behind - begin)
        for start in range(0, len(tokens), CHUNK):
            low, high = max(start, first), min(start + CHUNK, end)
            if low < high:
                yield self._rows(begin + low - since, begin + high - since)

    def _of(self, tokens: Ids) -> tuple[int, int, int]:
        """The states of a text, or of the beginning of one: no token sees what comes after it."""
        if tokens in self._place:
            return self._place[tokens]
        count = len(tokens)
        return next(place for whole, place in self._place.items() if whole[:count] == tokens)

    def _rows(self, begin: int, end: int) -> NDArray[np.float32]:
        parts = []
        for number in range(begin // CHUNK, -(-end // CHUNK)):
            if self._block[0] != number:
                states = self._states[number * CHUNK : (number + 1) * CHUNK]
                self._block = (number, states @ self._head.T)
            low, high = max(begin - number * CHUNK, 0), min(end - number * CHUNK, CHUNK)
            parts.append(self._block[1][low:high])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def run_reference(
    checkpoint: Checkpoint,
    digest: str,
    text: Text,
    rows: Sequence[Row],
    questions: Questions,
    *,
    positions: int,
    guesses: Sequence[str] = (),
    progress: Progress = SILENT,
) -> ReferenceRun:
    """Ask the reference what it was not asked in an earlier run.

    digest: of the checkpoint. positions: tokens of answers that are read by teacher forcing, all texts together.
    guesses: what it may answer to each prompt, such as a bundle's answers; they cost or save time, and change nothing.
    """
    versions = _versions()
    memory = Memory(digest, versions, progress)
    asking = _Asking(checkpoint, text, memory, progress)
    prompts = [asking.render(messages) for messages in questions.prompts]
    prompt_ids = [asking.encode(prompt.text or "") for prompt in prompts]
    continuations = asking.answers(prompt_ids, guesses, questions.max_tokens)
    forced = [
        said if row.expected is None else (*asking.encode(row.expected), *asking.ending(said))
        for row, said in zip(rows, continuations, strict=True)
    ]
    longest = checkpoint.architecture.max_position_embeddings
    texts = forced_texts(prompt_ids, forced, positions, longest)
    hidden = asking.states(texts)
    stops = text.stop_ids
    voice = Said(
        name="reference",
        start_id=text.start_id,
        stop_ids=tuple((number,) for number in stops),
        ids=tuple(asking.encode(t) for t in questions.texts),
        prompts=tuple(asking.render(messages) for messages in questions.conversations),
        answers=tuple(asking.answer(ids) for ids in continuations),
        pieces={number: asking.piece(number) for number in stops},
    )
    if checkpoint.adapter is not None and memory.merge is None:
        with progress.step("check the merge"):
            memory.merge = _merge(checkpoint, asking.reference, texts[:_MERGE_TEXTS])
    cached = not memory.learned
    memory.keep()
    possible = sum(len(b) for _, b in dict.fromkeys(zip(prompt_ids, forced, strict=True)))
    return ReferenceRun(voice, texts, tuple(hidden), memory.merge, versions, cached, possible)


class _Asking:
    """Asks the memory first, and opens the reference when that does not know."""

    def __init__(self, checkpoint: Checkpoint, text: Text, memory: Memory, progress: Progress) -> None:
        self._checkpoint = checkpoint
        self._text = text
        self._memory = memory
        self._progress = progress

    @cached_property
    def reference(self) -> Reference:
        checkpoint = self._checkpoint
        with self._progress.step("open the reference"):
            opened = Reference(
                checkpoint.base_path or checkpoint.path,
                text_directory=checkpoint.text_path,
                adapter=checkpoint.path if checkpoint.adapter is not None else None,
            )
        if opened.tokenizer.chat_template is None:  # it gets the one that it was converted with
            opened.tokenizer.chat_template = self._text.template.source
        return opened

    def encode(self, text: str) -> Ids:
        known = self._memory.ids
        if text not in known:
            known[text] = self._encode(text)
        return known[text]

    def _encode(self, text: str) -> Ids:
        return tuple(self.reference.tokenizer(text, add_special_tokens=False)["input_ids"])

    def render(self, messages: Sequence[Message]) -> Rendered:
        key, known = json.dumps([dict(message) for message in messages]), self._memory.rendered
        if key not in known:
            known[key] = _render(self.reference, messages)
        return known[key]

    def piece(self, number: int) -> str:
        known = self._memory.pieces
        if number not in known:
            known[number] = self.reference.tokenizer.convert_ids_to_tokens(number)
        return known[number]

    def answer(self, ids: Ids) -> Answer:
        known = self._memory.spelled
        if ids not in known:
            known[ids] = self.reference.tokenizer.decode(list(ids), skip_special_tokens=True)
        said = known[ids]
        return Answer(said, self.encode(said), len(ids), self._ended(ids))

    def ending(self, said: Ids) -> Ids:
        """What should end an expected output: what ended the reference's own, or else the first stop token."""
        return said[-1:] if self._ended(said) else self._text.stop_ids[:1]

    def _ended(self, ids: Ids) -> bool:
        return bool(ids) and ids[-1] in self._text.stop_ids

    def answers(self, prompts: Sequence[Ids], guesses: Sequence[str], max_tokens: int) -> list[Ids]:
        """The greedy continuation of each prompt, at most `max_tokens` long."""
        known = self._memory.answers
        missing: dict[Ids, Ids] = {}
        for number, prompt in enumerate(prompts):
            said = known.get(prompt, ())
            if not self._ended(said) and len(said) < max_tokens:
                guess = guesses[number] if number < len(guesses) else ""
                # Which stop token ends it does not matter: the reference puts its own in its place.
                missing.setdefault(prompt, said or (*self._encode(guess), *self._text.stop_ids[:1]))
        if missing:
            reference = self.reference
            with self._progress.step("answers of the reference", len(missing), "answers") as advance:
                found = answer_all(
                    reference,
                    list(missing),
                    list(missing.values()),
                    max_tokens=max_tokens,
                    stop_ids=self._text.stop_ids,
                    advance=advance,
                )
            for prompt, greedy in zip(missing, found, strict=True):
                known[prompt] = greedy.ids
                if greedy.states is not None:
                    self._memory.states.setdefault(((*prompt, *greedy.ids), len(prompt) - 1), greedy.states)
        return [known[prompt][:max_tokens] for prompt in prompts]

    def states(self, texts: Sequence[ForcedText]) -> list[NDArray[np.float32]]:
        """The hidden states of each text from the one before its answer on, without that of the last token."""
        known = self._memory.states
        missing = [text for text in texts if (text.tokens, text.first) not in known]
        if missing:
            total = sum(len(text.tokens) for text in missing)
            reference = self.reference
            with self._progress.step("the reference reads", total, "tokens") as advance:
                for batch in batches(range(len(missing)), lambda n: len(missing[n].tokens)):
                    read = [missing[n] for n in batch]
                    found = reference.states([t.tokens[:-1] for t in read], [t.first for t in read])
                    for text, states in zip(read, found, strict=True):
                        known[text.tokens, text.first] = states
                        advance(len(text.tokens))
        return [known[text.tokens, text.first] for text in texts]


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _render(reference: Reference, messages: Sequence[Message]) -> Rendered:
    import jinja2

    try:
        return Rendered(reference.render([dict(message) for message in messages]))
    except (
        TemplateError,
        jinja2.TemplateError,
        TypeError,
        KeyError,
    ) as error:  # templates refuse some conversations
        return Rendered(None, str(error))


def _merge(checkpoint: Checkpoint, adapted: Reference, texts: Sequence[ForcedText]) -> MergeFigures:
    """Hold base plus adapter, as peft computes it, to the merged weights and to the base alone."""
    assert checkpoint.base_path is not None
    assert checkpoint.adapter is not None
    expected = [adapted.logits(text.tokens) for text in texts]
    other = Reference(checkpoint.base_path, text_directory=checkpoint.text_path)
    base = [other.logits(text.tokens) for text in texts]
    before = {name: values.cpu().numpy().copy() for name, values in other.model.state_dict().items()}
    tensors = {name: tensor.read() for name, tensor in checkpoint.tensors.items()}
    other.load_weights(tensors)
    merged = [other.logits(text.tokens) for text in texts]
    changed = sum(name in before and not np.array_equal(before[name], v) for name, v in tensors.items())
    kind = "DoRA" if checkpoint.adapter.use_dora else "LoRA"
    return MergeFigures(
        adapter=f"{kind} of rank {checkpoint.adapter.rank}",
        positions=sum(len(text.tokens) - 1 for text in texts),
        merged=_distance(expected, merged, texts),
        from_base=_distance(expected, base, texts),
        changed_tensors=changed,
        tensors=len(tensors),
    )


def _distance(
    first: Sequence[NDArray[np.float32]], second: Sequence[NDArray[np.float32]], texts: Sequence[ForcedText]
) -> LogitDistance:
    parts: list[PositionScores] = [
        score_positions(a[:-1], b[:-1], text.tokens[1:])
        for a, b, text in zip(first, second, texts, strict=True)
    ]
    scores = join(parts)
    return LogitDistance(
        kl_mean=float(scores.kl.mean()),
        kl_max=float(scores.kl.max()),
        largest_logit_difference=max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True)),
        top1=float(scores.top1.mean()),
    )
