"""Whole logit vectors of a bundle, quickly: its own weights in a graph that scores.

The graph that ships gives logits behind its decode signature only, one token at a time. So a third form of each
graph was captured, whose prefill signature gives the logits behind every token, and here it is linked to the
constants of the bundle: the very bytes of codes and scales, nothing is quantized again. Its logits are those of
the shipped decode signature (tests/scoring/test_scorer.py holds them to each other).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.container import read_container
from edgekit.bundle.manifest import GraphUse, Manifest
from edgekit.bundle.sidecar import read_sidecar
from edgekit.bundle.stored import StoredWeight, model_bytes, stored_weights
from edgekit.bundle.summary import Summary
from edgekit.checkpoint import Checkpoint
from edgekit.errors import GraphError, MissingToolError
from edgekit.graph import find_graph, graph_key
from edgekit.graph.format import RESIDUAL_SCALE, AdapterInputs, Graph, GraphKey, read_graph
from edgekit.graph.library import SHIPPED, cache_directory
from edgekit.graph.linker import plan_link
from edgekit.graph.slots import RANKS, TARGETS
from edgekit.progress import SILENT, Progress
from edgekit.runtime.interpreter import GraphInterpreter

CHUNK = 64
"""Tokens whose logits are made at once: 67 MB at 262,144 pieces."""

EMBEDDING = "model.embed_tokens.weight"


class Scorer(Protocol):
    """Something that reads tokens and says what it expects next."""

    def logits(self, tokens: Sequence[int], first: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield the logits behind each token in order, from number `first` on: (at most CHUNK, vocabulary).

        Chunks end at multiples of `CHUNK`, whatever is left out, so that those of two scorers lie side by side.
        """


class GraphScorer:
    """A model in the LiteRT interpreter, by its scoring graph or, token by token, by its decode signature."""

    def __init__(
        self,
        model: bytes,
        *,
        longest: int,
        by_prefill: bool,
        adapter: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        """Open a model; longest: tokens of the longest text. adapter: the matrices of a sidecar."""
        self.by_prefill = by_prefill
        self._runner = GraphInterpreter(model, kv_length=-(-longest // CHUNK) * CHUNK, adapter=adapter)

    def logits(self, tokens: Sequence[int], first: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield the logits behind each token from number `first` on."""
        self._runner.reset()
        for start in range(0, len(tokens), CHUNK):
            chunk = tokens[start : start + CHUNK]
            found = self._runner.prefill_logits(chunk) if self.by_prefill else self._runner.logits(chunk)
            if start + len(found) > first:
                yield found[max(0, first - start) :]


def open_scorer(
    bundle: Summary,
    *,
    longest: int,
    sidecar: Path | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress = SILENT,
) -> GraphScorer:
    """Open a bundle's model by its scoring graph; by its decode signature when there is none for its shape.

    longest: tokens of the longest text. sidecar: of an adapter. checkpoint: tells the shape, when the bundle's graph is
    not found any more. Raises BundleError for a file without a model that can be read.
    """
    model = model_bytes(read_container(bundle.path))
    adapter = None if sidecar is None else read_sidecar(sidecar)
    manifest, key = bundle.manifest, None
    if manifest is not None:
        fallback = None if checkpoint is None else graph_key(checkpoint.architecture, "dynamic")
        key = scoring_key(manifest.graph, fallback, adapters=manifest.adapters is not None)
    if key is not None:
        try:
            relinked = relink(find_graph(key, progress), weights_of(model, manifest))
            return GraphScorer(relinked, longest=longest, by_prefill=True, adapter=adapter)
        except (MissingToolError, GraphError):  # no such graph, and none can be captured here
            pass
    return GraphScorer(bytes(model), longest=longest, by_prefill=False, adapter=adapter)


def weights_of(model: memoryview, manifest: Manifest | None) -> dict[str, StoredWeight]:
    """Return a bundle's constants as every other form of its graph has them.

    model: its TFLite section. In a static graph the gains of some norms hold the scale of the residual stream
    (`RESIDUAL_SCALE`), which is taken away: it is a power of two, so nothing is lost.
    """
    weights = stored_weights(model)
    graph = None if manifest is None else next(_linked_graphs(manifest.graph.id), None)
    for constant in () if graph is None else graph.constants:
        if constant.transform == "one-plus-scaled" and constant.tensor in weights:
            weight = weights[constant.tensor]
            gains = np.frombuffer(weight.data, np.float32) / np.float32(RESIDUAL_SCALE)
            weights[constant.tensor] = replace(weight, data=memoryview(gains.tobytes()))
    return weights


def scoring_key(
    graph: GraphUse | None, fallback: GraphKey | None, *, adapters: bool = False
) -> GraphKey | None:
    """Return the scoring form of the graph that a bundle was linked into.

    graph: as the manifest has it. fallback: the checkpoint's graph, when the bundle's is not found here any more.
    adapters: the bundle takes adapters. There is one such form for every rank and every choice of projections: zeros
        pad the rank, and fill the inputs of the others.
    """
    inputs = AdapterInputs(max(RANKS), TARGETS) if adapters else None
    found = fallback
    if graph is not None:
        found = next((linked.key for linked in _linked_graphs(graph.id)), fallback)
    if found is None:
        return None
    return GraphKey(
        found.architecture,
        "dynamic",
        scoring=True,
        adapters=inputs,
        kv_precision=found.kv_precision,
        rotation=0 if graph is None else graph.rotation,
    )


def _linked_graphs(graph_id: str) -> Iterator[Graph]:
    """Find the graph of which a manifest holds the digest's beginning."""
    for directory in (SHIPPED, cache_directory()):
        for path in sorted(directory.glob("*.graph")):
            try:
                graph = read_graph(path)
            except GraphError:  # in the cache, which whoever needs that one makes anew
                continue
            if not graph.key.scoring and not graph.key.rotation and graph.digest().startswith(graph_id):
                yield graph


def relink(graph: Graph, weights: Mapping[str, StoredWeight]) -> bytes:
    """Link the weights of a bundle, as they are, into another form of its graph.

    Raises GraphError when a weight is missing or has another shape: the model is not of this architecture.
    """
    vocabulary = weights[EMBEDDING].shape[0] if EMBEDDING in weights else 0
    for constant in graph.constants:
        shape = tuple(vocabulary if size == graph.vocabulary else size for size in constant.shape)
        if constant.tensor not in weights or weights[constant.tensor].shape != shape:
            raise GraphError("the bundle does not hold it, or in another shape", where=constant.tensor)
    schemes = {c.tensor: weights[c.tensor].scheme for c in graph.constants if c.quantizable}
    link = plan_link(graph, schemes, vocabulary)
    model = bytearray(link.size)
    model[: len(link.head)] = link.head
    for slot in link.slots:
        weight = weights[slot.constant.tensor]
        model[slot.offset : slot.offset + slot.size] = weight.data
        if slot.block_scale_offset is not None and weight.scale_data is not None:
            model[slot.block_scale_offset : slot.block_scale_offset + slot.block_scale_size] = (
                weight.scale_data
            )
        elif weight.scales is not None:
            link.put_channel_scales(slot, 0, weight.scales)
    model[link.tail_offset :] = link.tail
    return bytes(model)


def without_scoring(key: GraphKey) -> GraphKey:
    """Return the plain form of a scoring graph: it has the same constants, whatever adapters it takes."""
    return replace(key, scoring=False, adapters=None)
