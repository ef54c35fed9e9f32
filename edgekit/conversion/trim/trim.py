"""Trim a checkpoint to the pieces that a task needs, and prove that its texts read as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.checkpoint import Checkpoint
from edgekit.conversion.options import Trim
from edgekit.conversion.trim.alphabets import alphabet_of
from edgekit.conversion.trim.choice import answer_texts, choose, needs_of, template_texts
from edgekit.conversion.trim.gather import trim_checkpoint
from edgekit.conversion.trim.held import encoded, open_words
from edgekit.errors import TokenizerError
from edgekit.progress import SILENT, Progress
from edgekit.text.answers import AnswerFormat
from edgekit.text.corpus import Sample, read_corpora
from edgekit.text.generation import Sampler
from edgekit.text.settle import Text, read_text
from edgekit.text.tokenizer.section import Tokenizer
from edgekit.text.vocabulary import read_vocabulary

_BATCH = 1000
_OPEN = (
    "answers repeat words of their prompts ({}, …): names that the texts lack are spelled in pieces that the model has "
    "not learned; edgekit vocab … --check eval.jsonl tells how many"
)


@dataclass(frozen=True)
class Trimmed:
    """A trimmed checkpoint, its text, and its ids: new id n was `kept[n]`, one of `rows`."""

    checkpoint: Checkpoint
    text: Text
    kept: tuple[int, ...]
    rows: int


def trim_vocabulary(
    checkpoint: Checkpoint,
    text: Text,
    trim: Trim,
    directory: Path,
    *,
    answer: AnswerFormat | None = None,
    sampler: Sampler | None = None,
    progress: Progress = SILENT,
) -> Trimmed:
    """Trim a checkpoint.

    text: of the whole vocabulary. trim: what to keep, as `options.check_trim` passed it. directory: an empty one for
    the rebuilt tokenizer; it is not needed any more afterwards. answer: the format of answers, whose texts must survive
    too. sampler: as for `read_text`.
    Raises InputError when what the task needs does not fit, and TokenizerError when the rebuilt tokenizer
    cuts one of its texts differently.
    """
    rows = checkpoint.architecture.vocab_size
    with progress.step("count the task's pieces"):
        paths = [Path(path) for path in trim.texts]
        samples = read_corpora(paths, text, fields=trim.fields, naming="--vocab-field")
        _, met = count_pieces(text.tokenizer, samples)
    with progress.step("trim the vocabulary"):
        vocabulary = read_vocabulary(checkpoint.text_path, rows=rows)
        needs = needs_of(vocabulary, text, answer, met)
        alphabet = alphabet_of(trim.languages) if trim.languages else None
        kept = choose(vocabulary, needs, trim.keep, alphabet=alphabet)
        trimmed = trim_checkpoint(checkpoint, kept, directory)
        new_text = read_text(directory, generation_directory=directory, rows=len(kept), sampler=sampler)
    with progress.step("compare the texts' tokens"):
        _check_control_tokens(text, new_text, kept)
        literals = [] if answer is None else answer_texts(answer)
        named = [Sample(t, (), "the chat template") for t in template_texts(text)]
        named += [Sample(t, (), "the answer format") for t in literals]
        _check_texts([*named, *samples], text.tokenizer, new_text.tokenizer, kept)
    if words := open_words(samples):
        new_text = replace(new_text, notes=(*new_text.notes, _OPEN.format(", ".join(words[:3]))))
    return Trimmed(trimmed, new_text, kept, rows)


def count_pieces(tokenizer: Tokenizer, samples: Sequence[Sample]) -> tuple[Counter[int], Counter[int]]:
    """Count the pieces of texts: (in whole texts alone, and in their parts as well)."""
    counts: Counter[int] = Counter()
    for ids in encoded(tokenizer, [sample.text for sample in samples]):
        counts.update(ids)
    met = counts.copy()
    for ids in encoded(tokenizer, [part for sample in samples for part in sample.parts]):
        met.update(ids)
    return counts, met


def _check_control_tokens(old: Text, new: Text, kept: Sequence[int]) -> None:
    """Every token that steers the engine must be the same token under its new id."""
    pairs: dict[str, tuple[list[int | None], list[int | None]]] = {
        "the start token": ([old.start_id], [new.start_id]),
        "the pad token": ([old.tokenizer.pad_id], [new.tokenizer.pad_id]),
        "the stop tokens": (list(old.stop_ids), list(new.stop_ids)),
    }
    for name, (before, after) in pairs.items():
        found = [None if number is None else kept[number] for number in after]
        if found[:1] != before[:1] or set(found) != set(before):
            raise TokenizerError(
                f"{name} would become {found} instead of {before}",
                where="--vocab-from",
                remedy="convert with the whole vocabulary, and report the tokenizer",
            )


def _check_texts(samples: Sequence[Sample], old: Tokenizer, new: Tokenizer, kept: Sequence[int]) -> None:
    """Every text of the task must be cut into the same pieces as before."""
    for start in range(0, len(samples), _BATCH):
        batch = [(t, s.where) for s in samples[start : start + _BATCH] for t in (s.text, *s.parts)]
        texts = [text for text, _ in batch]
        for (text, where), before, after in zip(
            batch, old.encode_all(texts), new.encode_all(texts), strict=True
        ):
            if before != [kept[number] for number in after]:
                raise TokenizerError(
                    f"{text[:40]!r} would be cut into other pieces by the trimmed tokenizer",
                    where=where,
                    remedy="convert with the whole vocabulary, and report the tokenizer",
                )
