"""Where graphs are found: shipped with edgekit, in the user's cache, or captured on first use."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from edgekit.errors import GraphError, MissingToolError
from edgekit.families.gemma3 import FULL, SLIDING, Gemma3Config
from edgekit.files.lock import lock
from edgekit.files.whole import whole
from edgekit.graph.format import (
    AdapterInputs,
    Architecture,
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
CACHE_VARIABLE = "EDGEKIT_CACHE"
STATIC_PREFILL_LENGTHS = (32, 128, 512)

GEMMA_3_270M = Architecture(
    hidden_size=640,
    intermediate_size=2048,
    num_attention_heads=4,
    num_key_value_heads=1,
    head_dim=256,
    layer_types=((SLIDING,) * 5 + (FULL,)) * 3,
    sliding_window=512,
    query_pre_attn_scalar=256,
    rms_norm_eps=1e-6,
    hidden_activation="gelu_pytorch_tanh",
    rope_theta=1_000_000.0,
    rope_local_base_freq=10_000.0,
    rope_scaling_factor=1.0,
    tied_embedding=True,
)
GEMMA_3_VOCABULARY = 262_144

Capture = Callable[[GraphKey, Progress], Graph]


def cache_directory() -> Path:
    """The user's graph cache: `$EDGEKIT_CACHE/graphs`, or the platform's cache directory for edgekit."""
    if override := os.environ.get(CACHE_VARIABLE):
        return Path(override) / "graphs"
    import platformdirs

    return Path(platformdirs.user_cache_dir("edgekit")) / "graphs"


def find_graph(key: GraphKey, progress: Progress = SILENT) -> Graph:
    """Give the graph for a key: shipped, cached, or captured now and kept for the next time.

    Raises MissingToolError when it must be captured and the `convert` extra is not installed.
    """
    shipped = SHIPPED / key.file_name()
    if shipped.exists():
        return read_graph(shipped)
    cached = cache_directory() / key.file_name()
    if cached.exists():
        return _read_cached(cached, key)
    return _capture_once(cached, key, progress)


def _capture_once(path: Path, key: GraphKey, progress: Progress) -> Graph:
    """Capture under a lock, so that two converters of one new shape wait for one capture."""
    capture = _converter(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock(path):
        if path.exists():
            return _read_cached(path, key)
        graph = capture(key, progress)
        with whole(path, error=GraphError) as file:
            write_graph(graph, file)
        return graph


def _read_cached(path: Path, key: GraphKey) -> Graph:
    graph = read_graph(path)
    if graph.key != key:
        raise GraphError(
            "the cached graph is of another architecture", where=path, remedy="delete it and convert again"
        )
    return graph


def _converter(key: GraphKey) -> Capture:
    found = entry_points(group="edgekit.converters", name="gemma3")
    if not found:
        architecture = key.architecture
        raise MissingToolError(
            f"no graph ships for this shape ({len(architecture.layer_types)} layers, hidden size "
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
    config: Gemma3Config,
    form: Form,
    kv_layout: KvLayout = "full",
    adapters: AdapterInputs | None = None,
    kv_precision: KvPrecision = "float32",
) -> GraphKey:
    """The graph that a checkpoint's configuration asks for.

    Raises GraphError for a rotary scaling or a soft cap that the capture does not trace.
    """
    scaling = dict(config.rope_scaling or ())
    kind = scaling.get("rope_type", "default")
    if kind not in ("default", "linear"):
        raise GraphError(
            f"rotary scaling {kind!r} is not supported, only linear scaling is",
            where="config.json: rope_scaling",
        )
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        if getattr(config, key) is not None:
            raise GraphError("soft caps are not supported; Gemma 3 has none", where=f"config.json: {key}")
    architecture = Architecture(
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        layer_types=config.layer_types,
        sliding_window=config.sliding_window,
        query_pre_attn_scalar=int(config.query_pre_attn_scalar),
        rms_norm_eps=config.rms_norm_eps,
        hidden_activation=config.hidden_activation,
        rope_theta=float(config.rope_theta),
        rope_local_base_freq=float(config.rope_local_base_freq),
        rope_scaling_factor=float(scaling.get("factor", 1.0)),
        tied_embedding=config.tie_word_embeddings,
    )
    lengths = STATIC_PREFILL_LENGTHS if form == "static" else ()
    return GraphKey(
        architecture, form, lengths, kv_layout=kv_layout, adapters=adapters, kv_precision=kv_precision
    )
