"""The inverse frequencies of rotary embeddings, as Transformers computes them."""

from __future__ import annotations

import math

import torch

from edgekit.families.base import Architecture

TURN = 2 * math.pi
"""Radians of a whole turn."""


def frequencies(architecture: Architecture) -> dict[str, torch.Tensor]:
    """(head_dim / 2,) float32 for each kind of layer. In each, angle = position * frequency."""
    exponents = torch.arange(0, architecture.head_dim, 2, dtype=torch.int64).to(torch.float32)
    return {
        kind: 1.0 / (base ** (exponents / architecture.head_dim)) / factor
        for kind, base, factor in (
            ("full_attention", architecture.rope_theta, architecture.rope_scaling_factor),
            ("sliding_attention", architecture.rope_local_base_freq, 1.0),
        )
    }
