"""Keys and values kept in half precision: half the bytes, nearly the same logits, the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.bundle.container import read_container
from edgekit.bundle.stored import model_bytes
from edgekit.checkpoint import Checkpoint
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.errors import InputError
from edgekit.graph.format import KvLayout, KvPrecision
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from edgekit.text.generation import GREEDY
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


@pytest.mark.parametrize("cache", ["full", "window"])
def test_only_the_caches_are_narrower_and_logits_stay_near(
    demo: Checkpoint, reference: Reference, cache: KvLayout
) -> None:
    tokens = np.random.default_rng(5).integers(6, demo.architecture.vocab_size, 4 * WINDOW).tolist()
    model = linked_model(demo, kv_layout=cache, kv_precision="float16")
    assert cache_types(model) == {schema.TensorType.FLOAT16}
    assert cache_types(linked_model(demo, kv_layout=cache)) == {schema.TensorType.FLOAT32}
    runner = GraphInterpreter(model, kv_length=len(tokens))
    runner.prefill(tokens[:100])
    computed, expected = runner.logits(tokens[100:]), reference.logits(tokens)[100:]
    # Half precision keeps 11 bits; float32 caches agree to 1e-4.
    assert 1e-4 < np.abs(computed - expected).max() < 0.05


@pytest.mark.parametrize("cache", ["full", "window"])
def test_the_engine_gives_the_same_answers(demo_path: Path, tmp_path: Path, cache: str) -> None:
    said: dict[KvPrecision, list[str]] = {}
    precisions: tuple[KvPrecision, ...] = ("float32", "float16")
    for kv_cache in precisions:
        made = convert(
            demo_path,
            tmp_path / kv_cache,
            graph=GraphOptions(kv_layout=cache, kv_precision=kv_cache),
            check=False,
        )
        wanted = {schema.TensorType.FLOAT16 if kv_cache == "float16" else schema.TensorType.FLOAT32}
        assert cache_types(bytes(model_bytes(read_container(made.model)))) == wanted
        with ask(made.model) as session:
            said[kv_cache] = []
            for prompt in PROMPTS:
                with session.talk(Decoding(sampler=GREEDY, max_tokens=64)) as chat:
                    said[kv_cache].append(chat.say(prompt).text)
    assert said["float16"] == said["float32"]


def test_another_precision_is_refused_with_those_there_are(demo_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float16") as refused:
        convert(demo_path, tmp_path / "b", graph=GraphOptions(kv_precision="int8"))
    assert refused.value.where == "--kv-precision"
    assert not (tmp_path / "b").exists()
