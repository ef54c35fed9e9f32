"""What a family is, and the one type for the shape of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]
Document = Mapping[str, Any]
"""A parsed config.json."""

SLIDING = "sliding_attention"
FULL = "full_attention"

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"


@dataclass(frozen=True)
class Architecture:
    """The shape of a decoder: all that its graph and its tensors depend on. Names are those of config.json.

    layer_types: `SLIDING` or `FULL`, one per layer. sliding_window: positions that a sliding layer sees, itself
    included. rope_theta, rope_local_base_freq: bases of the rotary frequencies in full and in sliding layers;
    rope_scaling_factor: what positions are divided by in full layers. tied_embedding: the output head is the embedding.
    family: by its name in `edgekit.families`.
    vocab_size, max_position_embeddings: 0 in a graph, which takes any (see `free`).
    conditional: the checkpoint is the text part of a model that sees, and holds a vision tower that is left out.
    """

    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    layer_types: tuple[str, ...]
    sliding_window: int
    query_pre_attn_scalar: int
    rms_norm_eps: float
    hidden_activation: str
    rope_theta: float
    rope_local_base_freq: float
    rope_scaling_factor: float
    tied_embedding: bool
    family: str = "gemma3"
    vocab_size: int = 0
    max_position_embeddings: int = 0
    conditional: bool = False

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return len(self.layer_types)

    @property
    def query_size(self) -> int:
        """Rows of a query projection."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_size(self) -> int:
        """Rows of a key or value projection."""
        return self.num_key_value_heads * self.head_dim

    @property
    def ring_length(self) -> int:
        """Positions in the cache of a sliding layer that keeps a ring: the window, and a quarter of it that the
        engine may take back."""
        return self.sliding_window + self.sliding_window // 4

    def free(self) -> Architecture:
        """Without what a graph leaves free: two architectures that are equal then have one graph."""
        return replace(self, vocab_size=0, max_position_embeddings=0, conditional=False)


@dataclass(frozen=True)
class FoldSite:
    """Where positive numbers s, one per channel, can move between weights without changing what the model computes.

    divided: what is divided by s: the gain 1 + w of a norm (a vector), or the rows of a matrix.
    multiplied: the matrices whose columns are multiplied by s.
    channels: how many numbers s has. groups, repeats: of key and value heads, whose numbers all query heads of a group
    share: among the columns each of the groups' parts of s stands `repeats` times, one behind the other.
    """

    name: str
    divided: str
    multiplied: tuple[str, ...]
    channels: int
    groups: int = 1
    repeats: int = 1


@dataclass(frozen=True)
class Family:
    """Models that one graph capture and one set of tensor names serve; how they speak is a dialect's matter.

    model_types: values of "model_type" in config.json. classes: of "architectures", for files without the former.
    read: an architecture of a config.json, the file of which errors name; raises CheckpointError for a model that is of
        another kind or cannot be converted.
    tensors: name and shape of every tensor, in the model's order.
    canonical: the name in Transformers' model of a name as training tools store it.
    left_out: whether a checkpoint may hold a tensor of this canonical name that is no part of the language model.
    gguf_names: llama.cpp's name → the canonical one; `{n}` stands for a layer's number in both.
    folds: sites where a scale can be moved, exactly.
    """

    name: str
    title: str
    model_types: frozenset[str]
    classes: frozenset[str]
    read: Callable[[Document, Path], Architecture]
    tensors: Callable[[Architecture], Mapping[str, Shape]]
    canonical: Callable[[str], str]
    left_out: Callable[[str], bool]
    gguf_names: Mapping[str, str] = field(default_factory=dict)
    folds: Callable[[Architecture], tuple[FoldSite, ...]] = lambda _: ()
