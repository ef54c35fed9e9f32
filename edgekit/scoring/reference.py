"""The reference's side, asked once: what the checkpoint says in Transformers, and where that is kept.

Of each text only the last hidden states are kept, 2.5 kB per token at the 270M shape, where logits would be a
megabyte; the head is applied when they are needed, in the same float32 arithmetic. So trying
five recipes costs one reference run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint import Checkpoint
from edgekit.errors import EdgekitError, InputError
from edgekit.files.directory import new_directory
from edgekit.graph.library import cache_directory
from edgekit.progress import SILENT, Progress
from edgekit.records.codec import decode, plain, read_values
from edgekit.runtime.ask.protocol import Rendered
from edgekit.runtime.ask.questions import Answer, Questions, Said
from edgekit.runtime.reference import Reference
from edgekit.scoring.forcing import ForcedText, forced_texts
from edgekit.scoring.positions import LogitDistance, PositionScores, join, score_positions
from edgekit.scoring.scorer import CHUNK, EMBEDDING
from edgekit.text.data import Row
from edgekit.text.messages import Message
from edgekit.text.settle import Text

_FORMAT = 1
_PACKAGES = ("torch", "transformers", "peft")
_MERGE_TEXTS = 4
_RESULTS, _HIDDEN = "results.json", "hidden.npz"


@dataclass(frozen=True)
class MergeFigures:
    """An adapter: base plus adapter in peft against the merged weights, which are converted unless a sidecar is used.

    merged: peft against the merged weights; should be nothing but rounding.
    from_base: the fine-tune against its base; next to nothing means that the adapter has no effect.
    changed_tensors: tensors that differ from the base's, of `tensors`.
    """

    adapter: str
    positions: int
    merged: LogitDistance
    from_base: LogitDistance
    changed_tensors: int
    tensors: int


@dataclass(frozen=True)
class ReferenceRun:
    """All that the checks need of the reference."""

    voice: Said
    texts: tuple[ForcedText, ...]
    hidden: tuple[NDArray[np.float32], ...]
    merge: MergeFigures | None
    versions: Mapping[str, str]
    cached: bool


class HeadScorer:
    """The reference's logits, from its hidden states and the checkpoint's head."""

    def __init__(self, run: ReferenceRun, checkpoint: Checkpoint) -> None:
        tensors = checkpoint.tensors
        self._head = tensors["lm_head.weight" if "lm_head.weight" in tensors else EMBEDDING].read()
        self._hidden = {text.tokens: hidden for text, hidden in zip(run.texts, run.hidden, strict=True)}

    def logits(self, tokens: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits behind each token."""
        hidden = self._states(tuple(tokens))
        for start in range(0, len(hidden), CHUNK):
            yield hidden[start : start + CHUNK] @ self._head.T

    def _states(self, tokens: tuple[int, ...]) -> NDArray[np.float32]:
        """The states of a text, or of the beginning of one: no token sees what comes after it."""
        if tokens in self._hidden:
            return self._hidden[tokens]
        count = len(tokens)
        return next(h[:count] for whole, h in self._hidden.items() if whole[:count] == tokens)


def run_reference(
    checkpoint: Checkpoint,
    digest: str,
    text: Text,
    rows: Sequence[Row],
    questions: Questions,
    *,
    positions: int,
    progress: Progress = SILENT,
) -> ReferenceRun:
    """Ask the reference, or take what it said the last time.

    digest: of the checkpoint. positions: tokens of all texts together that are read by teacher forcing.
    The key of the cache is everything that the results depend on: checkpoint, questions, and versions.
    """
    versions = _versions()
    key = hashlib.sha256(
        json.dumps(
            [_FORMAT, digest, _asked(questions), [r.expected for r in rows], positions, versions],
            sort_keys=True,
        ).encode()
    ).hexdigest()
    directory = cache_directory().parent / "references" / key[:32]
    if (directory / _RESULTS).is_file():
        return _load(directory, versions)
    run = _ask(checkpoint, text, rows, questions, positions, versions, progress)
    _save(run, directory)
    return run


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _asked(questions: Questions) -> list[Any]:
    """What the reference is asked; the answer format is the bundle's matter alone."""
    return [questions.texts, questions.conversations, questions.prompts, questions.max_tokens]


def _ask(
    checkpoint: Checkpoint,
    text: Text,
    rows: Sequence[Row],
    questions: Questions,
    positions: int,
    versions: Mapping[str, str],
    progress: Progress,
) -> ReferenceRun:
    with progress.step("open the reference"):
        reference = Reference(
            checkpoint.base_path or checkpoint.path,
            text_directory=checkpoint.text_path,
            adapter=checkpoint.path if checkpoint.adapter is not None else None,
        )
        _same_template(reference, text)
    encode = _encoder(reference)
    prompts = [_render(reference, messages) for messages in questions.prompts]
    prompt_ids = [encode(prompt.text or "") for prompt in prompts]
    stops = text.stop_ids
    continuations: list[list[int]] = []
    with progress.step("answers of the reference", len(prompt_ids), "answers") as advance:
        for ids in prompt_ids:
            continuations.append(
                reference.generate_ids(ids, max_new_tokens=questions.max_tokens, stop_ids=stops)
            )
            advance(1)
    forced = [
        [*encode(row.expected), *stops[:1]] if row.expected is not None else continuation
        for row, continuation in zip(rows, continuations, strict=True)
    ]
    texts = forced_texts(prompt_ids, forced, positions, checkpoint.architecture.max_position_embeddings)
    hidden = []
    with progress.step("the reference reads", sum(len(t.tokens) for t in texts), "tokens") as advance:
        for forced_text in texts:
            hidden.append(reference.hidden(forced_text.tokens))
            advance(len(forced_text.tokens))
    voice = Said(
        name="reference",
        start_id=text.start_id,
        stop_ids=tuple((number,) for number in stops),
        ids=tuple(tuple(encode(t)) for t in questions.texts),
        prompts=tuple(_render(reference, messages) for messages in questions.conversations),
        answers=tuple(_answer(reference, encode, ids, stops) for ids in continuations),
        pieces={number: reference.tokenizer.convert_ids_to_tokens(number) for number in stops},
    )
    merge = None
    if checkpoint.adapter is not None:
        with progress.step("check the merge"):
            merge = _merge(checkpoint, reference, texts[:_MERGE_TEXTS])
    return ReferenceRun(voice, texts, tuple(hidden), merge, versions, cached=False)


def _same_template(reference: Reference, text: Text) -> None:
    """A checkpoint without a template gets the one that it was converted with."""
    if reference.tokenizer.chat_template is None:
        reference.tokenizer.chat_template = text.template.source


def _encoder(reference: Reference) -> Any:
    def encode(text: str) -> list[int]:
        ids: list[int] = reference.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    return encode


def _render(reference: Reference, messages: Sequence[Message]) -> Rendered:
    import jinja2

    try:
        return Rendered(reference.render([dict(message) for message in messages]))
    except (jinja2.TemplateError, TypeError, KeyError) as error:  # templates refuse some conversations
        return Rendered(None, str(error))


def _answer(reference: Reference, encode: Any, ids: Sequence[int], stops: Sequence[int]) -> Answer:
    ended = bool(ids) and ids[-1] in stops
    said: str = reference.tokenizer.decode(list(ids), skip_special_tokens=True)
    return Answer(said, tuple(encode(said)), len(ids), ended)


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


# ---------------------------------------- the cache


def _save(run: ReferenceRun, directory: Path) -> None:
    """Keep results; the directory appears whole or not at all, and a full disk is no reason to stop."""
    with contextlib.suppress(InputError), new_directory(directory, record=_RESULTS, force=True) as partial:
        np.savez(partial / _HIDDEN, **{str(n): values for n, values in enumerate(run.hidden)})  # type: ignore[arg-type]
        texts = tuple((text.tokens, text.answer_start) for text in run.texts)
        saved = plain(_Saved(run.voice, texts, run.merge), infinite=True)
        (partial / _RESULTS).write_text(json.dumps(saved, allow_nan=False), encoding="utf-8")


def _load(directory: Path, versions: Mapping[str, str]) -> ReferenceRun:
    path, remedy = directory / _RESULTS, "delete the directory"
    saved = decode(_Saved, read_values(path, remedy=remedy), where=path, remedy=remedy, infinite=True)
    try:
        with np.load(directory / _HIDDEN) as arrays:
            hidden = tuple(arrays[str(number)] for number in range(len(saved.texts)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EdgekitError(
            f"the cached reference results are damaged ({error})", where=directory, remedy=remedy
        ) from error
    return ReferenceRun(
        voice=saved.voice,
        texts=tuple(ForcedText(tokens, start) for tokens, start in saved.texts),
        hidden=hidden,
        merge=saved.merge,
        versions=versions,
        cached=True,
    )


@dataclass(frozen=True)
class _Saved:
    """What the cache keeps beside the hidden states: texts are ids and where the answer starts."""

    voice: Said
    texts: tuple[tuple[tuple[int, ...], int], ...]
    merge: MergeFigures | None
