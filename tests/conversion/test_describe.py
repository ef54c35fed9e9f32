"""What a manifest says of the bundle that it lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.manifest import CacheUse
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.graph.format import KvLayout, KvPrecision

pytestmark = pytest.mark.slow

NUMBERS = 2 * 32
"""Of a position in a layer of the demo: one head for keys, one for values. Five layers slide, one does not."""


@pytest.mark.parametrize(
    ("layout", "precision", "token", "rings"),
    [
        ("full", "float32", 6 * NUMBERS * 4, 0),
        ("window", "float32", NUMBERS * 4, 5 * 80 * NUMBERS * 4),
        ("window", "int8", NUMBERS, 5 * 80 * NUMBERS),
    ],
)
def test_what_a_conversation_takes(
    demo_path: Path, tmp_path: Path, layout: KvLayout, precision: KvPrecision, token: int, rings: int
) -> None:
    graph = GraphOptions(kv_layout=layout, kv_precision=precision)
    manifest = convert(demo_path, tmp_path / "bundle", graph=graph, check=False).manifest
    assert manifest.graph.cache == CacheUse(layout, precision, token, rings)
