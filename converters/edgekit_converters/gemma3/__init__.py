"""Capture of text-only Gemma 3 graphs, any size.

    trace      a model of the architecture with random weights → TFLite, by litert-torch
    explain    every constant of that file → the checkpoint tensor it was made from
    prepare    weights out, places to patch in → a graph that edgekit links
    narrow     caches of half precision → caches of 8 bits

All of it runs in a child process (`python -m edgekit_converters.gemma3`): torch and TensorFlow write to the
terminal from native code, keep gigabytes of memory, and are not missed afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from edgekit.errors import GraphError
from edgekit.graph.format import Graph, GraphKey, read_graph
from edgekit.progress import SILENT, Progress

_LOG_LINES = 15


def capture(key: GraphKey, progress: Progress = SILENT) -> Graph:
    """Capture the graph of an architecture in one form.

    Takes one to a few minutes and, at the 270M shape, about 4 GB of memory.
    Raises GraphError when a constant of the traced model cannot be explained by the model's tensors, or when
    the exporter fails.
    """
    with (
        progress.step("capture the graph (once for this shape; minutes)"),
        tempfile.TemporaryDirectory(prefix="edgekit-capture-") as directory,
    ):
        path = Path(directory) / key.file_name()
        child = subprocess.run(
            [sys.executable, "-m", "edgekit_converters.gemma3", str(path)],
            input=json.dumps(asdict(key)),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # the exporter orders constants by iterating over sets
        )
        if child.returncode != 0:
            raise GraphError(
                "capturing the graph failed:\n" + "\n".join(child.stderr.splitlines()[-_LOG_LINES:]),
                remedy="report this with the model's config.json",
            )
        return read_graph(path)
