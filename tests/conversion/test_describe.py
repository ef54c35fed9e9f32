"""What a manifest says of the bundle that it lies in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.bundle.manifest import CacheUse
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, TextOptions
from edgekit.graph.format import KvLayout, KvPrecision
from tests.conftest import SENTIMENT

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


@pytest.mark.parametrize("closed", [True, False])
def test_an_answer_schema_that_leaves_its_object_open_is_noted(
    demo_path: Path, adapter_ready_bundle: Path, tmp_path: Path, closed: bool
) -> None:
    schema = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema | ({"additionalProperties": False} if closed else {})))
    text = TextOptions(answer_schema=path)
    converted = convert(demo_path, tmp_path / "bundle", text=text, check=False).manifest
    adapted = adapter(
        SENTIMENT / "adapter", adapter_ready_bundle, tmp_path / "adapter", text=text, check=False
    ).manifest
    for manifest in (converted, adapted):
        assert any("more properties than it names" in note for note in manifest.notes) is not closed
