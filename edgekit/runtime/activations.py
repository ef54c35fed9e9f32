"""A checkpoint's forward pass in NumPy: what goes into its products over a short text, and what it would say.

The forward pass is that of Transformers' Gemma3Model in float32, one layer at a time, so that no more than one layer's
weights are in memory. It exists because `convert` must not need torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.safetensors import WeightTensor, check_finite
from edgekit.errors import CheckpointError
from edgekit.families.base import EMBEDDING, HEAD, SLIDING, Architecture
from edgekit.progress import SILENT, Progress

Floats = NDArray[np.float32]

_See = Callable[[str, Floats], None]
"""Told the place and what was there, (tokens, columns)."""

_HEAD_ROWS = 16384
_HEAD_PLACE = "head"
_PLACES: Mapping[str, str] = {
    "self_attn.q_proj": "attention",
    "self_attn.k_proj": "attention",
    "self_attn.v_proj": "attention",
    "self_attn.o_proj": "attended",
    "mlp.gate_proj": "mlp",
    "mlp.up_proj": "mlp",
    "mlp.down_proj": "gated",
}


def input_moments(
    tensors: Mapping[str, WeightTensor],
    architecture: Architecture,
    texts: Sequence[Sequence[int]],
    progress: Progress = SILENT,
) -> dict[str, Floats]:
    """Run texts through a checkpoint, and return the second moments of what goes into its products.

    texts: ids, each with its start token, if it has one.
    Raises CheckpointError when a weight, or what is computed, is not finite.
    Returns place (see `place_of`) → mean of x x^T over all tokens, (columns, columns) float32.
    """
    moments: dict[str, Floats] = {}
    tokens = sum(map(len, texts))

    def see(place: str, x: Floats) -> None:
        moments[place] = x.T @ x / np.float32(tokens)

    with progress.step("look at activations", architecture.layers, "layers") as advance:
        _run(tensors, architecture, texts, see, advance)
    return moments


def behind_the_best(
    tensors: Mapping[str, WeightTensor], architecture: Architecture, ids: Sequence[int], answer: int
) -> Floats:
    """How much less likely than the likeliest token each token of an answer is to the checkpoint itself, in nats.

    ids: prompt and answer, which begins at place `answer`, at least 1. Returns (tokens of the answer,), 0 where greedy
    decoding would say the same.
    """
    states = _run(tensors, architecture, [ids], lambda place, x: None, lambda done: None)[answer - 1 : -1]
    head = tensors[HEAD] if HEAD in tensors else tensors[EMBEDDING]
    said = np.array(ids[answer:])
    best = np.full(len(said), -np.inf, np.float32)
    chosen = np.zeros(len(said), np.float32)
    for start in range(0, head.shape[0], _HEAD_ROWS):
        logits = states @ head.read(slice(start, min(start + _HEAD_ROWS, head.shape[0]))).T
        np.maximum(best, logits.max(axis=-1), out=best)
        here = np.flatnonzero((said >= start) & (said < start + logits.shape[-1]))
        chosen[here] = logits[here, said[here] - start]
    return best - chosen


def _run(
    tensors: Mapping[str, WeightTensor],
    architecture: Architecture,
    texts: Sequence[Sequence[int]],
    see: _See,
    advance: Callable[[int], None],
) -> Floats:
    """Run texts through all layers; returns what the head is multiplied with, (tokens of all texts, hidden)."""
    ends = np.cumsum([len(text) for text in texts]).tolist()
    spans = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    embedding = tensors[EMBEDDING]

    def checked(place: str, x: Floats) -> None:
        if not np.isfinite(x).all():
            raise CheckpointError(
                f"what it computes is not finite ({place})",
                where=embedding.source,
                remedy="the training went wrong, or saved in half precision what does not fit",
            )
        see(place, x)

    rows = [embedding.read(slice(token, token + 1)) for text in texts for token in text]
    x = np.concatenate(rows) * np.float32(architecture.hidden_size**0.5)
    for index, kind in enumerate(architecture.layer_types):
        x = _Layer(tensors, architecture, index, kind).forward(x, spans, checked)
        advance(1)
    x = _norm(x, np.float32(1) + tensors["model.norm.weight"].read(), architecture.rms_norm_eps)
    checked(_HEAD_PLACE, x)
    return x


def place_of(tensor: str) -> str:
    """Where the states are that a matrix is multiplied with; matrices that read the same states have one place."""
    if tensor in (EMBEDDING, HEAD):
        return _HEAD_PLACE
    layer, _, projection = tensor.removesuffix(".weight").rpartition(".layers.")[2].partition(".")
    return f"{layer}.{_PLACES[projection]}"


class _Layer:
    def __init__(self, tensors: Mapping[str, WeightTensor], a: Architecture, index: int, kind: str) -> None:
        self.index = index
        self.a = a
        self.window = a.sliding_window if kind == SLIDING else None
        base, factor = (a.rope_local_base_freq, 1.0) if self.window else (a.rope_theta, a.rope_scaling_factor)
        exponents = np.arange(0, a.head_dim, 2, dtype=np.float32) / np.float32(a.head_dim)
        self.frequencies = (1.0 / np.float32(base) ** exponents / np.float32(factor)).astype(np.float32)
        prefix = f"model.layers.{index}."
        self.weights = {}
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                values = tensor.read()
                check_finite(name, values, where=tensor.source)
                self.weights[name.removeprefix(prefix).removesuffix(".weight")] = values

    def forward(self, x: Floats, spans: Sequence[slice], see: _See) -> Floats:
        """(tokens, hidden) → (tokens, hidden); spans: of the texts, which do not see each other."""
        w = self.weights
        h = self._norm(x, "input_layernorm")
        see(f"{self.index}.attention", h)
        h = np.concatenate([self._attend(h[span]) for span in spans])
        see(f"{self.index}.attended", h)
        x = x + self._norm(h @ w["self_attn.o_proj"].T, "post_attention_layernorm")
        h = self._norm(x, "pre_feedforward_layernorm")
        see(f"{self.index}.mlp", h)
        h = _gelu(h @ w["mlp.gate_proj"].T) * (h @ w["mlp.up_proj"].T)
        see(f"{self.index}.gated", h)
        return x + self._norm(h @ w["mlp.down_proj"].T, "post_feedforward_layernorm")

    def _norm(self, x: Floats, name: str) -> Floats:
        return _norm(x, np.float32(1) + self.weights[name], self.a.rms_norm_eps)

    def _attend(self, h: Floats) -> Floats:
        a, w = self.a, self.weights
        q = self._heads(h, "q_proj", a.num_attention_heads)
        k = self._heads(h, "k_proj", a.num_key_value_heads)
        v = self._heads(h, "v_proj", a.num_key_value_heads)
        q = self._rotate(_norm(q, 1 + w["self_attn.q_norm"], a.rms_norm_eps))
        k = self._rotate(_norm(k, 1 + w["self_attn.k_norm"], a.rms_norm_eps))
        shared = a.num_attention_heads // a.num_key_value_heads
        k, v = np.repeat(k, shared, axis=0), np.repeat(v, shared, axis=0)
        scores = q @ k.transpose(0, 2, 1) * np.float32(a.query_pre_attn_scalar**-0.5)
        behind = np.arange(len(h))[:, None] - np.arange(len(h))[None, :]
        hidden = (behind < 0) if self.window is None else (behind < 0) | (behind >= self.window)
        scores[:, hidden] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        return np.ascontiguousarray(attended.transpose(1, 0, 2)).reshape(len(h), -1)

    def _heads(self, h: Floats, projection: str, heads: int) -> Floats:
        """(tokens, hidden) → (heads, tokens, head_dim)."""
        y: Floats = h @ self.weights[f"self_attn.{projection}"].T
        shaped: Floats = y.reshape(len(h), heads, self.a.head_dim).transpose(1, 0, 2)
        return shaped

    def _rotate(self, x: Floats) -> Floats:
        angles = np.arange(x.shape[1], dtype=np.float32)[:, None] * self.frequencies
        cos, sin = np.cos(angles), np.sin(angles)
        left, right = np.split(x, 2, axis=-1)
        turned: Floats = np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)
        return turned


def _norm(x: Floats, gain: Floats, epsilon: float) -> Floats:
    scale: Floats = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(epsilon))
    normed: Floats = (x * scale * gain).astype(np.float32)
    return normed


def _gelu(x: Floats) -> Floats:
    """GELU by tanh, as Gemma's hidden_activation gelu_pytorch_tanh."""
    inner: Floats = x + np.float32(0.044715) * x * x * x
    np.tanh(inner * np.float32(math.sqrt(2 / math.pi)), out=inner)
    result: Floats = np.float32(0.5) * x * (inner + np.float32(1))
    return result
