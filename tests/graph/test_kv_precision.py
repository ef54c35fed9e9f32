"""Keys and values kept in half precision or in 8 bits: fewer bytes, nearly the same logits, the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.bundle.container import read_container
from edgekit.bundle.stored import model_bytes
from edgekit.checkpoint import Checkpoint
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.errors import InputError
from edgekit.graph.format import KvLayout, KvPrecision, read_graph
from edgekit.graph.library import SHIPPED
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from edgekit.text.generation import GREEDY
from edgekit_converters.gemma3.narrow import narrow
from tests.graph.linking import linked_model

pytestmark = pytest.mark.slow

WINDOW = 64
PROMPTS = ("turn off wifi please", "skjermen er for lys", "音量を上げて")


def cache_types(model: bytes) -> set[int]:
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    return {
        parsed.subgraphs[signature.subgraphIndex].tensors[entry.tensorIndex].type
        for signature in parsed.signatureDefs
        for entry in [*signature.inputs, *signature.outputs]
        if entry.name.startswith(b"kv_cache")
    }


TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8,
}
NEAR = {"float16": 0.05, "int8": 0.5}
"""Half precision keeps 11 bits; float32 caches agree to 1e-4."""


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("cache", ["full", "window"])
def test_only_the_caches_are_narrower_and_logits_stay_near(
    demo: Checkpoint, reference: Reference, cache: KvLayout, precision: KvPrecision
) -> None:
    tokens = np.random.default_rng(5).integers(6, demo.architecture.vocab_size, 4 * WINDOW).tolist()
    model = linked_model(demo, kv_layout=cache, kv_precision=precision)
    assert cache_types(model) == {TYPES[precision]}
    assert cache_types(linked_model(demo, kv_layout=cache)) == {schema.TensorType.FLOAT32}
    runner = GraphInterpreter(model, kv_length=len(tokens))
    runner.prefill(tokens[:100])
    computed, expected = runner.logits(tokens[100:]), reference.logits(tokens)[100:]
    assert 1e-4 < np.abs(computed - expected).max() < NEAR[precision]


@pytest.mark.parametrize("cache", ["full", "window"])
def test_the_engine_gives_the_same_answers(demo_path: Path, tmp_path: Path, cache: str) -> None:
    said: dict[KvPrecision, list[str]] = {}
    precisions: tuple[KvPrecision, ...] = ("float32", "float16", "int8")
    for kv_cache in precisions:
        made = convert(
            demo_path,
            tmp_path / kv_cache,
            graph=GraphOptions(kv_layout=cache, kv_precision=kv_cache),
            check=False,
        )
        assert cache_types(bytes(model_bytes(read_container(made.model)))) == {TYPES[kv_cache]}
        with ask(made.model) as session:
            said[kv_cache] = []
            for prompt in PROMPTS:
                with session.talk(Decoding(sampler=GREEDY, max_tokens=64)) as chat:
                    said[kv_cache].append(chat.say(prompt).text)
    assert said["int8"] == said["float16"] == said["float32"]


def test_another_precision_is_refused_with_those_there_are(demo_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float16") as refused:
        convert(demo_path, tmp_path / "b", graph=GraphOptions(kv_precision="int4"))  # type: ignore[arg-type]
    assert refused.value.where == "--kv-precision"


@pytest.mark.parametrize("others", [{"form": "static"}, {"adapters": "16"}])
def test_what_8_bit_caches_do_not_go_with_is_refused(
    demo_path: Path, tmp_path: Path, others: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as refused:
        convert(demo_path, tmp_path / "b", graph=GraphOptions(kv_precision="int8", **others))
    assert "--kv-precision int8" in str(refused.value.where)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*-kv8.graph")), ids=lambda path: path.stem)
def test_what_ships_with_8_bit_caches_is_made_of_half_precision(path: Path) -> None:
    assert narrow(read_graph(path.with_name(path.name.replace("-kv8", "-kv16")))) == read_graph(path)
