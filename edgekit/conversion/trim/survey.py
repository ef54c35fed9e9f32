"""`edgekit vocab`: what a trimmed vocabulary would cover and weigh, before anything is converted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion.trim.alphabets import alphabet_of
from edgekit.conversion.trim.choice import fill, least, needs_of, preferred_first
from edgekit.conversion.trim.gather import VOCABULARY_TENSORS
from edgekit.conversion.trim.held import LEAST_COVERAGE, ROOM, Cut, HeldOut, Respelled, open_words
from edgekit.conversion.trim.trim import count_pieces
from edgekit.errors import InputError
from edgekit.progress import SILENT, Progress
from edgekit.recipes import read_recipe, resolve
from edgekit.recipes.recipe import stored_bytes
from edgekit.results import raise_if_failed
from edgekit.text.answers import AnswerFormat, parse_answer
from edgekit.text.corpus import read_corpora
from edgekit.text.settle import Text, read_text
from edgekit.text.vocabulary import Vocabulary, read_vocabulary

SIZES = (8_000, 16_000, 32_000, 64_000)
RECIPES = ("int8", "int4", "int4-all")
_MORE_SIZES = (96_000, 128_000, 160_000, 192_000)
_SHOWN_WORDS = 6

_REACH_POINTS = 60
_HELD_OUT = 10  # every tenth text
_FEWEST_TEXTS = 20
_PIECE_BYTES = 11  # of a piece in a SentencePiece model, beside its text: tags, lengths, score, type
_ROW_BYTES = 12  # of a row's scale and zero point in the model's quantization table


@dataclass(frozen=True)
class Size:
    """A vocabulary of some size.

    pieces: rows of its embedding. fits: whether all that the task needs fits in; `edgekit convert` refuses
    otherwise. coverage: share of the texts' tokens whose piece is kept, 0 to 1; 1 when it fits.
    unseen: the same share of the rows that were held out, None when there are too few. bytes: of weights and tokenizer,
    by recipe. cut: how many of the held-out rows are cut otherwise.
    """

    pieces: int
    fits: bool
    coverage: float
    unseen: float | None
    bytes: Mapping[str, int]
    cut: Cut | None = None


@dataclass(frozen=True)
class Reach:
    """The share of the texts' tokens, 0 to 1, that the most frequent pieces make up."""

    pieces: int
    share: float


@dataclass(frozen=True)
class Survey:
    """What was found. texts, tokens: that were counted; met: different pieces among them.

    needed: the fewest pieces that `edgekit convert` takes: control and byte tokens, the template's and the answer
    format's text, what was met, and all that these are merged from. sizes: the last one is the whole vocabulary.
    reach: from no piece to all that were met. held_out: what was held out of the counting, None for nothing. checked:
    these are rows of their own, not some of the texts. open_words: that answers repeat from their prompts, as far as
    that is what the task does, the rarest first. proposal: the smallest size that loses next to nothing of the held-out
    rows. respelled: words of these that the size below it, of `respelled_at` pieces, spells otherwise.
    """

    checkpoint: str
    rows: int
    corpora: tuple[str, ...]
    languages: tuple[str, ...]
    texts: int
    tokens: int
    met: int
    needed: int
    sizes: tuple[Size, ...]
    reach: tuple[Reach, ...]
    held_out: str | None = None
    checked: bool = False
    open_words: tuple[str, ...] = ()
    proposal: int | None = None
    respelled: tuple[Respelled, ...] = ()
    respelled_at: int | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """None: a survey only tells."""
        return ()

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def files(self) -> tuple[Path, ...]:
        """None: a survey writes nothing."""
        return ()

    def raise_if_failed(self) -> None:
        """Raise GateError when there are problems."""
        raise_if_failed(self)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dataclasses.asdict(self)


def survey_vocabulary(
    checkpoint: str | Path,
    texts: Sequence[str | Path],
    *,
    check: Sequence[str | Path] = (),
    keep: Sequence[int] = (),
    languages: Sequence[str] = (),
    recipes: Sequence[str] = RECIPES,
    answer_schema: str | Path | None = None,
    answer_regex: str | None = None,
    base: str | Path | None = None,
    fields: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
) -> Survey:
    """Tell for several sizes of the vocabulary what a task's texts would lose, and what the model would weigh.

    checkpoint, base: as for `edgekit.convert`. texts, languages, fields: as in `Trim`. check: rows that are not among
    the texts, by which sizes are judged; every tenth text by default. keep: sizes to look at; by default 8,000 to
    64,000, and with `check` larger ones until one loses next to nothing. answer_schema, answer_regex: a format whose
    text must survive, as in `TextOptions`.
    Raises EdgekitError for anything that cannot be read.
    """
    answer = parse_answer(answer_schema, answer_regex)
    opened = open_checkpoint(checkpoint, base=base, progress=progress)
    rows = opened.architecture.vocab_size
    for pieces in keep:
        if not 0 < pieces < rows:
            raise InputError(
                f"{pieces:,} is not from 1 to {rows - 1:,}, below the whole vocabulary", where="--keep"
            )
    alphabet = alphabet_of(languages) if languages else None
    with progress.step("read tokenizer and template"):
        text = read_text(opened.text_path, generation_directory=opened.generation_path, rows=rows)
        vocabulary = read_vocabulary(opened.text_path, rows=rows)
    with progress.step("count the task's pieces"):
        samples = read_corpora([Path(path) for path in texts], text, fields=fields)
        counts, met = count_pieces(text.tokenizer, samples)
        known, held = met, None
        if check:
            names = ", ".join(Path(path).name for path in check)
            others = read_corpora([Path(path) for path in check], text, fields=fields)
            held = HeldOut(names, others, text.tokenizer)
        elif len(samples) >= _FEWEST_TEXTS:
            _, known = count_pieces(text.tokenizer, [s for n, s in enumerate(samples) if n % _HELD_OUT])
            held = HeldOut("every tenth text", samples[::_HELD_OUT], text.tokenizer)
    ranked = list(preferred_first(vocabulary, alphabet))
    needed = least(vocabulary, needs_of(vocabulary, text, answer, met))
    words = _rarest(text, open_words(samples))
    weights = _Weights(opened, vocabulary, recipes)
    sizes: list[Size] = []
    proposal: int | None = None
    shown: tuple[int, set[int]] | None = None
    chosen_sizes = sorted(set(keep)) or _default_sizes(rows, more=bool(check))
    with progress.step("try sizes", len(chosen_sizes), "sizes") as advance:
        for pieces in chosen_sizes:
            advance(1)
            if pieces > SIZES[-1] and proposal is not None and not keep:
                continue
            kept = _best(vocabulary, text, answer, met, pieces, ranked)
            without = kept if known is met else _best(vocabulary, text, answer, known, pieces, ranked)
            size = Size(
                pieces=pieces,
                fits=len(needed) <= pieces,
                coverage=_share(counts, kept),
                unseen=None if held is None else held.coverage(without),
                bytes=weights.of(kept, pieces),
                cut=None if held is None else held.cut(without),
            )
            sizes.append(size)
            if proposal is None and _enough(size, len(needed), certain=bool(check) or not words):
                proposal = pieces
            if proposal is None or shown is None:
                shown = pieces, without
    whole = set(vocabulary.ids.values())
    everything = None if held is None else held.cut(whole)
    sizes.append(Size(rows, True, 1.0, None if held is None else 1.0, weights.of(whole, rows), everything))
    return Survey(
        checkpoint=opened.name,
        rows=rows,
        corpora=tuple(Path(path).name for path in texts),
        languages=tuple(languages),
        texts=len(samples),
        tokens=counts.total(),
        met=len(counts),
        needed=len(needed),
        sizes=tuple(sizes),
        reach=_reach(counts),
        held_out=None if held is None else held.name,
        checked=bool(check),
        open_words=words,
        proposal=proposal,
        respelled=() if held is None or shown is None else held.respelled(vocabulary, shown[1]),
        respelled_at=None if shown is None else shown[0],
    )


def _rarest(text: Text, words: Sequence[str]) -> tuple[str, ...]:
    """Put words first that the tokenizer learned last, such as names."""
    pieces = dict(zip(words, text.tokenizer.encode_all([f" {word}" for word in words]), strict=True))
    return tuple(sorted(words, key=lambda word: -max(pieces[word], default=0)))[:_SHOWN_WORDS]


def _enough(size: Size, needed: int, *, certain: bool) -> bool:
    """Whether a size may be proposed: with room beside what is needed, and next to nothing lost of held-out rows.

    certain: the held-out rows tell what users will write; where answers repeat open words, those of the same texts do
    not.
    """
    if not certain or size.pieces < ROOM * needed or size.cut is None or size.unseen is None:
        return False
    return size.cut.answers <= size.cut.most_answers and size.unseen >= LEAST_COVERAGE


def _reach(counts: Counter[int]) -> tuple[Reach, ...]:
    """Add up pieces, the most frequent first, and look at the sum at about `_REACH_POINTS` places."""
    sums = [0, *accumulate(count for _, count in counts.most_common())]
    step = max(1, (len(sums) - 1) // _REACH_POINTS)
    places = [*range(0, len(sums) - 1, step), len(sums) - 1]
    return tuple(Reach(place, sums[place] / sums[-1]) for place in places)


def _default_sizes(rows: int, *, more: bool) -> list[int]:
    """The usual sizes below the whole vocabulary; its quarters when it is smaller than all of them."""
    usual = (*SIZES, *_MORE_SIZES) if more else SIZES
    return [size for size in usual if size < rows] or [rows * part // 4 for part in (1, 2, 3)]


def _best(
    vocabulary: Vocabulary,
    text: Text,
    answer: AnswerFormat | None,
    met: Counter[int],
    pieces: int,
    ranked: Sequence[int],
) -> set[int]:
    """The best vocabulary of a size, whether or not all that was met fits: the most frequent first."""
    *fundamental, _ = needs_of(vocabulary, text, answer, met)
    kept = least(vocabulary, fundamental)
    fill(vocabulary, kept, pieces, [number for number, _ in met.most_common()])
    fill(vocabulary, kept, pieces, ranked)
    return kept


def _share(counts: Counter[int], kept: set[int]) -> float:
    return sum(count for number, count in counts.items() if number in kept) / counts.total()


class _Weights:
    """Bytes of weights and tokenizer at any size of the vocabulary."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Vocabulary, recipes: Sequence[str]) -> None:
        shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
        self._matrices = {name: shape for name, shape in shapes.items() if len(shape) == 2}
        self._others = 4 * sum(shape[0] for shape in shapes.values() if len(shape) == 1)
        self._vocabulary = vocabulary
        self._recipes = [read_recipe(name) for name in recipes]

    def of(self, kept: set[int], rows: int) -> dict[str, int]:
        matrices = {
            name: (rows, shape[1]) if name in VOCABULARY_TENSORS else shape
            for name, shape in self._matrices.items()
        }
        texts = (self._vocabulary.texts[number] or "" for number in kept)
        tokenizer = sum(len(text.encode()) + _PIECE_BYTES for text in texts)
        found = {}
        for recipe in self._recipes:
            schemes = resolve(recipe, matrices)
            scales = sum(
                _ROW_BYTES * matrices[name][0]
                for name, scheme in schemes.items()
                if scheme.bits < 32 and not scheme.block_size
            )
            found[recipe.name] = stored_bytes(schemes, matrices) + scales + self._others + tokenizer
        return found
