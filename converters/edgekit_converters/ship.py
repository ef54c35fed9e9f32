"""Capture the graphs that ship inside edgekit: `python -m edgekit_converters.ship [DIR] [--only NAME]`."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from edgekit.families.base import Architecture
from edgekit.families.gemma3 import GEMMA_3_270M
from edgekit.graph.format import AdapterInputs, Form, Graph, GraphKey, KvPrecision, read_graph, write_graph
from edgekit.graph.library import SHIPPED, STATIC_PREFILL_LENGTHS
from edgekit.graph.rotate import rotate
from edgekit.graph.slots import ATTENTION, RANKS, TARGETS
from edgekit_converters.gemma3 import capture

_ROTATION = 128
"""That of all recipes that ship."""

_NARROW: dict[str, KvPrecision] = {"kv16": "float16", "kv8": "int8"}

_PERIOD = ("sliding_attention",) * 5 + ("full_attention",)

_DEMO = Architecture(
    hidden_size=256,
    intermediate_size=384,
    num_attention_heads=4,
    num_key_value_heads=1,
    head_dim=32,
    layer_types=_PERIOD,
    sliding_window=64,
    query_pre_attn_scalar=32,
    rms_norm_eps=1e-6,
    hidden_activation="gelu_pytorch_tanh",
    rope_theta=1_000_000.0,
    rope_local_base_freq=10_000.0,
    rope_scaling_factor=1.0,
    tied_embedding=True,
)
ARCHITECTURES = {
    "270m": GEMMA_3_270M.free(),
    "demo": _DEMO,
    "actions": dataclasses.replace(_DEMO, sliding_window=128),
}
"""Gemma 3 270M, the demo model of `examples/settings-navigator`, and that of `examples/phone-actions`."""


def shipped_keys(name: str) -> dict[str, GraphKey]:
    """The graphs that ship of an architecture, by "name-form"; of "actions" those that its demo needs."""
    if name == "actions":
        key = GraphKey(ARCHITECTURES[name], "dynamic")
        return {f"{name}-dynamic": key, f"{name}-scoring": dataclasses.replace(key, scoring=True)}
    forms: tuple[Form, ...] = ("dynamic", "static")
    keys = {
        f"{name}-{form}": GraphKey(
            ARCHITECTURES[name], form, STATIC_PREFILL_LENGTHS if form == "static" else ()
        )
        for form in forms
    }
    keys[f"{name}-window"] = GraphKey(ARCHITECTURES[name], "dynamic", kv_layout="window")
    keys[f"{name}-scoring"] = GraphKey(ARCHITECTURES[name], "dynamic", scoring=True)
    keys |= {
        f"{name}-{short}-{kind}": dataclasses.replace(keys[f"{name}-{kind}"], kv_precision=precision)
        for short, precision in _NARROW.items()
        for kind in ("dynamic", "window", "scoring")
    }
    for targets, kind in ((TARGETS, "adapter"), (ATTENTION, "attention-adapter")):
        for rank in RANKS:
            inputs = AdapterInputs(rank, targets)
            keys[f"{name}-{kind}{rank}"] = GraphKey(ARCHITECTURES[name], "dynamic", adapters=inputs)
    # Smaller ranks and fewer projections are padded with zeros, so one graph scores all adapters.
    largest = AdapterInputs(RANKS[-1], TARGETS)
    keys[f"{name}-adapter-scoring"] = GraphKey(ARCHITECTURES[name], "dynamic", scoring=True, adapters=largest)
    if name == "270m":  # for what most conversions and validations ask for
        keys |= {
            f"{name}-rotated-{kind}": dataclasses.replace(keys[f"{name}-{kind}"], rotation=_ROTATION)
            for kind in ("dynamic", "window", "scoring")
        }
    return keys


def _made(key: GraphKey, directory: Path) -> Graph:
    """Capture a graph, or rotate one that was captured before it."""
    if not key.rotation:
        return capture(key)
    return rotate(read_graph(directory / dataclasses.replace(key, rotation=0).file_name()), key.rotation)


def main() -> None:
    """Capture and write every shipped graph, or those whose name starts with --only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--only", default="", help="270m, demo, 270m-static, …")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for architecture in ARCHITECTURES:
        for name, key in shipped_keys(architecture).items():
            if not name.startswith(arguments.only):
                continue
            started = time.perf_counter()
            path = arguments.directory / key.file_name()
            write_graph(_made(key, arguments.directory), path)
            seconds = time.perf_counter() - started
            print(f"{name:26} {path.name}  {path.stat().st_size:>9,} bytes  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
