"""Capture one graph in this process: the key as JSON on standard input, the graph's path as argument."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgekit.graph.format import GraphKey, write_graph
from edgekit.records.codec import decode

_PACKAGES = ("litert-torch", "torch", "transformers", "tensorflow-cpu", "tensorflow", "litert-converter")


def main() -> None:
    """Trace, explain, prepare and write."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    key = decode(GraphKey, json.load(sys.stdin), where="the graph's key")
    from edgekit_converters.gemma3.explain import explain_constants
    from edgekit_converters.gemma3.narrow import narrow
    from edgekit_converters.gemma3.prepare import prepare
    from edgekit_converters.gemma3.trace import placeholders, random_model, trace

    # 8-bit caches are made of those of half precision: torch's quantized types say more than a graph needs.
    traced_key = replace(key, kv_precision="float16") if key.kv_precision == "int8" else key
    sizes = placeholders(traced_key)
    model = random_model(key.architecture, sizes.vocabulary)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    with tempfile.TemporaryDirectory(dir=Path(sys.argv[1]).parent) as directory:
        traced = trace(model, traced_key, sizes, Path(directory)).read_bytes()
    constants = explain_constants(traced, key.architecture, tensors, sizes.kv_length)
    graph = prepare(traced, traced_key, sizes, constants, _versions())
    write_graph(narrow(graph) if traced_key != key else graph, Path(sys.argv[1]))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # tensorflow goes by one name or the other
            continue
    return found


if __name__ == "__main__":
    main()
