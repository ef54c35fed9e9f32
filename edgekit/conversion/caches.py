"""How large a checkpoint's values are, which 8-bit caches must hold: seen on the built-in text."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from edgekit.checkpoint import Checkpoint
from edgekit.progress import SILENT, Progress
from edgekit.quantize.caches import attention_names
from edgekit.runtime.activations import input_moments, place_of
from edgekit.text.passages import PASSAGES
from edgekit.text.settle import Text

_TOKENS: Final = 256
_PASSAGES: Final = 8


def value_exponents(checkpoint: Checkpoint, text: Text, progress: Progress = SILENT) -> tuple[int, ...]:
    """By layer the power of two that values are divided by, so that the root of their mean square is 0.7 to 1.4.

    checkpoint, text: with the whole vocabulary.
    """
    start = [] if text.start_id is None else [text.start_id]
    texts = text.tokenizer.encode_all(PASSAGES[:: max(1, len(PASSAGES) // _PASSAGES)])
    short = [[*start, *ids][: _TOKENS // len(texts)] for ids in texts]
    moments = input_moments(checkpoint.tensors, checkpoint.architecture, short, progress)
    found = []
    for layer in range(checkpoint.architecture.layers):
        name = attention_names(layer).values
        weights = checkpoint.tensors[name].read()
        squares = np.einsum("ij,ij->i", weights @ moments[place_of(name)], weights)
        found.append(round(math.log2(max(float(squares.mean()), 2.0**-40)) / 2))
    return tuple(found)
