"""Link a checkpoint into a graph and give the model's bytes: what several tests here start from."""

from __future__ import annotations

from edgekit.checkpoint import Checkpoint
from edgekit.graph import find_graph, graph_key, plan_link
from edgekit.graph.format import Form
from edgekit.graph.weights import model_chunks
from edgekit.recipes import read_recipe, resolve


def linked_model(
    checkpoint: Checkpoint, recipe: str = "float32", form: Form = "dynamic", kv_length: int = 1024
) -> bytes:
    """The TFLite model that `edgekit convert` would put into a bundle."""
    graph = find_graph(graph_key(checkpoint.config, form))
    matrices = {c.tensor: checkpoint.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    link = plan_link(
        graph,
        resolve(read_recipe(recipe), matrices),
        checkpoint.config.vocab_size,
        kv_length if form == "static" else None,
    )
    chunks = model_chunks(link, checkpoint.tensors, advance=lambda done: None)
    model = b"".join(bytes(chunk) for chunk in chunks)
    assert len(model) == link.size
    return model
