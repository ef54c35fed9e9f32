"""Capture of text-only Gemma 3 graphs, any size.

trace      a model of the architecture with random weights → TFLite, by litert-torch
explain    every constant of that file → the checkpoint tensor it was made from
prepare    weights out, places to patch in → a graph that edgekit links
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path

from edgekit.graph.format import Graph, GraphKey
from edgekit.progress import SILENT, Progress
from edgekit_converters.gemma3.explain import explain_constants
from edgekit_converters.gemma3.prepare import prepare
from edgekit_converters.gemma3.trace import placeholders, random_model, trace

PACKAGES = ("litert-torch", "torch", "transformers", "tensorflow-cpu", "litert-converter")


def capture(key: GraphKey, progress: Progress = SILENT) -> Graph:
    """Capture the graph of an architecture in one form.

    Takes one to a few minutes and, at the 270M shape, about 4 GB of memory.
    Raises GraphError when a constant of the traced model cannot be explained by the model's tensors.
    """
    sizes = placeholders(key)
    with tempfile.TemporaryDirectory(prefix="edgekit-capture-") as directory:
        model = random_model(key.architecture, sizes.vocabulary)
        tensors = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
        with progress.step("trace the model"):
            path = trace(model, key, sizes, Path(directory))
        with progress.step("explain its constants"):
            traced = path.read_bytes()
            constants = explain_constants(traced, key.architecture, tensors, sizes.kv_length)
            return prepare(traced, key, sizes, constants, _versions())


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # tensorflow goes by another name off Linux x86-64
            continue
    return found
