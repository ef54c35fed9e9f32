"""Calibrate: run a short text through the checkpoint, and keep what its matrices are multiplied with.

GPTQ (`edgekit.quantize.gptq`) rounds by it. There is no torch in it: see `edgekit.runtime.activations`. What was seen
is kept in the user's cache, by checkpoint and text.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edgekit.bundle.manifest import CalibrationUse
from edgekit.checkpoint import Checkpoint, WeightTensor
from edgekit.conversion.options import Calibrate
from edgekit.errors import InputError, TemplateError
from edgekit.families.base import EMBEDDING, HEAD
from edgekit.files.whole import whole
from edgekit.graph.library import cache_directory
from edgekit.progress import SILENT, Progress
from edgekit.quantize.gptq import DAMPING, LOOKUP_DAMPING, Roots, inverse_root
from edgekit.quantize.rotation import Rotated, rotated
from edgekit.runtime.activations import input_moments, place_of
from edgekit.text.corpus import read_corpora
from edgekit.text.messages import Message
from edgekit.text.passages import PASSAGES, TURNS
from edgekit.text.settle import Text
from edgekit.text.template.render import render

TOKENS: Final = 4096
"""Tokens of the user's texts that are looked at; more of them make little better, and take longer."""

_LONGEST_TEXT: Final = 512
_FORMAT: Final = 1
_TRIED: Final = 3
_DIGEST: Final = 32
"""Bytes of the SHA-256 that stands before what is kept."""
_ABANDONED: Final = 86_400.0
"""Seconds after which a file that was begun belongs to a killed run."""
_KEPT: Final = 3
"""Calibrations in the cache, each some 200 MB for Gemma 3 270M."""


@dataclass(frozen=True)
class Calibration:
    """What was seen, and on which texts.

    moments: place → mean of x x^T over the tokens, as `edgekit.runtime.activations` gives it. prompts: a few
    conversations of the user's texts, to try the bundle on.
    """

    use: CalibrationUse
    moments: Mapping[str, NDArray[np.float32]]
    prompts: tuple[tuple[Message, ...], ...] = ()

    def roots(self, tensors: Mapping[str, WeightTensor]) -> Roots:
        """What GPTQ needs of each matrix.

        tensors: the matrices as they are quantized, rotated ones among them: their inputs are rotated as well.
        """

        looked_up = None if HEAD in tensors else place_of(EMBEDDING)

        # q, k and v share one, as gate and up do; all together would take half a gigabyte.
        @lru_cache(maxsize=4)
        def root(place: str, size: int) -> NDArray[np.float32]:
            moments = rotated(np.ascontiguousarray(rotated(self.moments[place], size).T), size)
            return inverse_root(moments, LOOKUP_DAMPING if place == looked_up else DAMPING)

        def of(name: str) -> NDArray[np.float32]:
            tensor = tensors[name]
            return root(place_of(name), tensor.columns if isinstance(tensor, Rotated) else 1)

        return of


def calibrate(
    checkpoint: Checkpoint, text: Text, options: Calibrate, digest: str, progress: Progress = SILENT
) -> Calibration:
    """Look at what a checkpoint's matrices are multiplied with.

    checkpoint, text: with the whole vocabulary. digest: of the checkpoint.
    Raises InputError, naming file and line, for texts that cannot be used.
    """
    names, texts, prompts = _texts(text, options)
    asked = hashlib.sha256(repr(texts).encode()).hexdigest()
    use = CalibrationUse(names, sum(map(len, texts)), asked)
    key = hashlib.sha256(f"{_FORMAT} {digest} {asked}".encode()).hexdigest()
    path = cache_directory().parent / "calibrations" / f"{key[:32]}.moments"
    moments = _cached(path, progress)
    if moments is None:
        moments = input_moments(checkpoint.tensors, checkpoint.architecture, texts, progress)
        _keep(path, moments)
    return Calibration(use, moments, prompts)


def _texts(
    text: Text, options: Calibrate
) -> tuple[tuple[str, ...], list[list[int]], tuple[tuple[Message, ...], ...]]:
    """The names of the texts, their ids, and a few prompts among them."""
    start = [] if text.start_id is None else [text.start_id]
    if options.texts:
        paths = [Path(path) for path in options.texts]
        samples = read_corpora(paths, text, fields=options.fields, naming="--calibrate-field")
        # In any order but the file's: files are often sorted by what is to be answered.
        order = np.random.default_rng(0).permutation(len(samples))[:TOKENS]
        chosen = [samples[at] for at in order]
        found = text.tokenizer.encode_all([sample.text for sample in chosen])
        prompts = tuple([sample.messages for sample in chosen if sample.messages][:_TRIED])
        names = tuple(path.name for path in paths)
    else:
        found = text.tokenizer.encode_all([*PASSAGES, *_turns(text)])
        names, prompts = ("built-in text",), ()
    texts, total = [], 0
    for ids in found:
        whole_text = ids if ids[: len(start)] == start else [*start, *ids]
        texts.append(whole_text[: min(_LONGEST_TEXT, TOKENS - total)])
        total += len(texts[-1])
        if total == TOKENS:
            break
    if total < 2:
        raise InputError(
            "there is not enough text in it", where=", ".join(names), remedy="name the train file"
        )
    return names, texts, prompts


def _turns(text: Text) -> Iterator[str]:
    """The built-in chats in the checkpoint's own template; none when it takes no plain chat."""
    for prompt, answer in TURNS:
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        try:
            yield render(text.template, messages, special_tokens=text.special_tokens)
        except TemplateError:
            return


def _cached(path: Path, progress: Progress) -> dict[str, NDArray[np.float32]] | None:
    """What is in the cache; None when nothing is, or when it cannot be used: it is made anew then."""
    try:
        with path.open("rb") as file:
            digest, content = file.read(_DIGEST), file.read()
        if hashlib.sha256(content).digest() != digest:
            progress.note(
                f"what was seen of activations is damaged in the cache, and looked at again: {path}"
            )
            return None
        found = {place: _square(triangle) for place, triangle in load(content).items()}
        path.touch()  # the oldest are dropped
    except (OSError, SafetensorError):
        return None
    return found


def _keep(path: Path, moments: Mapping[str, NDArray[np.float32]]) -> None:
    """Keep what was seen; a cache that cannot be written is no error."""
    try:
        with whole(path) as file:
            content = save({place: _triangle(m) for place, m in moments.items()})
            file.write(hashlib.sha256(content).digest())
            file.write(content)
        for left in path.parent.glob(".*.part"):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink(missing_ok=True)
        others = sorted(path.parent.glob("*.moments"), key=lambda other: other.stat().st_mtime)
        for old in others[:-_KEPT]:
            old.unlink(missing_ok=True)
    except (InputError, OSError):
        return


def _triangle(moments: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lower triangle of a symmetric matrix, row by row."""
    return np.concatenate([row[: at + 1] for at, row in enumerate(moments)])


def _square(triangle: NDArray[np.float32]) -> NDArray[np.float32]:
    size = int((8 * len(triangle) + 1) ** 0.5 - 1) // 2
    square = np.zeros((size, size), np.float32)
    start = 0
    for at in range(size):
        square[at, : at + 1] = square[: at + 1, at] = triangle[start : start + at + 1]
        start += at + 1
    return square
