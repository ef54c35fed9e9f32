"""Link a checkpoint into a graph and give the model's bytes: what several tests here start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint import Checkpoint, WeightTensor
from edgekit.graph import Graph, find_graph, graph_key, plan_link
from edgekit.graph.format import AdapterInputs, Form, KvLayout, KvPrecision
from edgekit.graph.weights import model_chunks
from edgekit.quantize.caches import fit_caches
from edgekit.quantize.rotation import rotate_weights
from edgekit.quantize.solve import dequantize, quantize_tensor
from edgekit.recipes import Recipe, Rule, Scheme, read_recipe, resolve

_EMBEDDING = ("model.embed_tokens.weight", "lm_head.weight")


def _stock(name: str, embedding: Scheme, layers: Scheme) -> Recipe:
    return Recipe(name, "", (Rule(_EMBEDDING, embedding), Rule(("*",), layers)))


STOCK = {
    recipe.name: recipe
    for recipe in (
        _stock("int8", Scheme(8), Scheme(8)),
        _stock("int4", Scheme(8), Scheme(4, 32)),
        _stock("int4-all", Scheme(4, 32), Scheme(4, 32)),
        _stock("int4-channel", Scheme(4), Scheme(4)),
    )
}
"""Recipes that ai-edge-quantizer has as well: no calibration, no rotation."""


def linked_model(
    checkpoint: Checkpoint,
    recipe: str | Recipe = "float32",
    form: Form = "dynamic",
    kv_length: int = 1024,
    kv_layout: KvLayout = "full",
    adapters: AdapterInputs | None = None,
    kv_precision: KvPrecision = "float32",
    rotation: int | None = None,
) -> bytes:
    """The TFLite model that `edgekit convert` would put into a bundle; rotation: another than the recipe's."""
    if isinstance(recipe, str):
        recipe = read_recipe(recipe)
    rotation = recipe.graph.rotation if rotation is None else rotation
    graph = find_graph(graph_key(checkpoint.architecture, form, kv_layout, adapters, kv_precision, rotation))
    matrices = {c.tensor: checkpoint.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    schemes = resolve(recipe, matrices)
    static = kv_length if form == "static" else None
    tensors: Mapping[str, WeightTensor] = checkpoint.tensors
    if kv_precision == "int8":
        tensors = fit_caches(tensors, checkpoint.architecture, [0] * checkpoint.architecture.layers)
    tensors = rotate_weights(
        tensors,
        matrices,
        rotation,
        checkpoint.architecture.head_dim,
        through_attention=adapters is None,
    )
    return linked(graph, schemes, checkpoint.architecture.vocab_size, tensors, static)


def linked(
    graph: Graph,
    schemes: Mapping[str, Scheme],
    vocabulary: int,
    tensors: Mapping[str, WeightTensor],
    kv_length: int | None = None,
) -> bytes:
    """A linked model, whole in memory."""
    link = plan_link(graph, schemes, vocabulary, kv_length)
    model = b"".join(bytes(chunk) for chunk in model_chunks(link, tensors, advance=lambda done: None))
    assert len(model) == link.size
    return model


@dataclass(frozen=True)
class Dequantized:
    """A tensor as the engine computes with it: quantized and back."""

    stored: WeightTensor
    scheme: Scheme

    @property
    def name(self) -> str:
        return self.stored.name

    @property
    def source(self) -> Path:
        return self.stored.source

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        return dequantize(quantize_tensor(self.stored.read(), self.scheme), self.scheme)[rows or slice(None)]
