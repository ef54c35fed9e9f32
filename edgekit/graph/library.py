"""Where graphs are found: shipped with edgekit, in the user's cache, or captured on first use."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from edgekit.errors import GraphError, MissingToolError
from edgekit.families.base import Architecture
from edgekit.files import cache
from edgekit.files.lock import lock
from edgekit.files.whole import whole
from edgekit.graph import editor
from edgekit.graph import rotate as rotating
from edgekit.graph.format import (
    AdapterInputs,
    Form,
    Graph,
    GraphKey,
    KvLayout,
    KvPrecision,
    read_graph,
    write_graph,
)
from edgekit.progress import SILENT, Progress

SHIPPED = Path(__file__).parent / "shipped"
"""Captured graphs, and rotated ones of the 270M shape, which its first conversion need not make."""
_ROTATING = (Path(rotating.__file__), Path(editor.__file__))
STATIC_PREFILL_LENGTHS = (32, 128, 512)

Capture = Callable[[GraphKey, Progress], Graph]


def cache_directory() -> Path:
    """The user's cache of graphs."""
    return cache.cache_directory("graphs")


def find_graph(key: GraphKey, progress: Progress = SILENT) -> Graph:
    """Give the graph for a key: shipped, cached, or captured now and kept for the next time; rotated when asked for.

    Raises MissingToolError when it must be captured and the `convert` extra is not installed.
    """
    shipped = SHIPPED / key.file_name()
    if shipped.exists():
        return read_graph(shipped)
    if key.rotation:
        return _rotated(find_graph(replace(key, rotation=0), progress), key.rotation, progress)
    cached = cache_directory() / key.file_name()
    return _read_cached(cached, key, progress) or _capture_once(cached, key, progress)


def _rotated(graph: Graph, longest: int, progress: Progress) -> Graph:
    """Rotate a graph, which takes most of a second, or take what an earlier run made of it with the same program."""
    program = b"".join(path.read_bytes() for path in _ROTATING)
    made_by = f"{hashlib.sha256(program).hexdigest()} {longest} {graph.digest()}"
    path = cache_directory() / f"{hashlib.sha256(made_by.encode()).hexdigest()[:32]}.rotated"
    flatbuffer = cache.cached(path, lambda: rotating.rotate(graph, longest).flatbuffer, progress)
    key = replace(graph.key, rotation=longest)
    return replace(graph, key=key, captured=graph.digest(), flatbuffer=flatbuffer)


def _capture_once(path: Path, key: GraphKey, progress: Progress) -> Graph:
    """Capture under a lock, so that two converters of one new shape wait for one capture."""
    capture = _converter(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock(path):
        if (made_meanwhile := _read_cached(path, key, progress)) is not None:
            return made_meanwhile
        graph = capture(key, progress)
        with whole(path, error=GraphError) as file:
            write_graph(graph, file)
        return graph


def _read_cached(path: Path, key: GraphKey, progress: Progress) -> Graph | None:
    """What an earlier run captured; None when there is nothing, or what is there cannot be used: it is dropped then."""
    if not path.exists():
        return None
    try:
        graph = read_graph(path)
        if graph.key == key:
            return graph
        why = "it is of another architecture"
    except GraphError as error:
        why = error.message
    progress.note(f"a graph in the cache is damaged, and captured anew: {path} ({why})")
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return None


def _converter(key: GraphKey) -> Capture:
    found = entry_points(group="edgekit.converters", name=key.architecture.family)
    if not found:
        architecture = key.architecture
        raise MissingToolError(
            f"no graph ships for this shape ({architecture.layers} layers, hidden size "
            f"{architecture.hidden_size}, {key.form}); it must be captured once, which needs torch",
            remedy='pip install "edgekit[convert]", then convert again (a few minutes the first time)',
        )
    try:
        return cast(Capture, next(iter(found)).load())
    except ImportError as error:
        raise MissingToolError(
            f"edgekit-converters is installed but does not load: {error}",
            remedy='pip install --upgrade "edgekit[convert]"',
        ) from error


def graph_key(
    architecture: Architecture,
    form: Form,
    kv_layout: KvLayout = "full",
    adapters: AdapterInputs | None = None,
    kv_precision: KvPrecision = "float32",
    rotation: int = 0,
) -> GraphKey:
    """The graph that a checkpoint's architecture asks for."""
    lengths = STATIC_PREFILL_LENGTHS if form == "static" else ()
    return GraphKey(
        architecture.free(),
        form,
        lengths,
        kv_layout=kv_layout,
        adapters=adapters,
        kv_precision=kv_precision,
        rotation=rotation,
    )
