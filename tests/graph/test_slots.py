"""A graph with adapter inputs computes what the plain one computes, and with an adapter what PEFT computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.inspect import inspect
from edgekit.checkpoint import Checkpoint
from edgekit.checkpoint.lora.config import read_adapter_config
from edgekit.conversion.adapter.matrices import adapter_matrices
from edgekit.conversion.convert import convert
from edgekit.conversion.options import FileFormat, GraphOptions
from edgekit.errors import InputError
from edgekit.families.gemma3 import FAMILY, GEMMA_3_270M
from edgekit.graph.format import AdapterInputs
from edgekit.graph.library import SHIPPED
from edgekit.graph.slots import ATTENTION, RANKS, TARGETS, adapter_slots
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from edgekit_converters.ship import shipped_keys
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import peft_adapter
from tests.graph.linking import linked_model

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def tokens(demo: Checkpoint) -> list[int]:
    ids: list[int] = np.random.default_rng(7).integers(6, demo.architecture.vocab_size, 40).tolist()
    return ids


@pytest.fixture(scope="module")
def plain(demo: Checkpoint, tokens: list[int]) -> np.ndarray:
    return GraphInterpreter(linked_model(demo), kv_length=64).logits(tokens)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("targets", [TARGETS, ATTENTION], ids=["all", "attention"])
def test_without_an_adapter_it_is_the_plain_graph_to_the_last_bit(
    demo: Checkpoint, tokens: list[int], plain: np.ndarray, rank: int, targets: tuple[str, ...]
) -> None:
    model = linked_model(demo, adapters=AdapterInputs(rank, targets))
    np.testing.assert_array_equal(GraphInterpreter(model, kv_length=64).logits(tokens), plain)


@pytest.mark.parametrize("graph_rank", RANKS)
@pytest.mark.parametrize(
    "options",
    [
        {"r": 16, "lora_alpha": 16, "target_modules": list(TARGETS)},
        {"r": 8, "lora_alpha": 32, "target_modules": list(ATTENTION)},
        {"r": 8, "lora_alpha": 8, "target_modules": ["down_proj"], "use_rslora": True},
    ],
    ids=["all", "attention of a smaller rank", "one projection, rsLoRA"],
)
def test_with_an_adapter_it_is_peft(
    tmp_path: Path,
    demo: Checkpoint,
    demo_path: Path,
    tokens: list[int],
    plain: np.ndarray,
    graph_rank: int,
    options: dict[str, object],
) -> None:
    peft_adapter(tmp_path, demo_path, **options)
    expected = Reference(demo_path, text_directory=demo_path, adapter=tmp_path).logits(tokens)
    slots = adapter_slots(demo.architecture)
    matrices = adapter_matrices(tmp_path, read_adapter_config(tmp_path), slots, graph_rank, FAMILY)
    model = linked_model(demo, adapters=AdapterInputs(graph_rank, TARGETS))
    computed = GraphInterpreter(model, kv_length=64, adapter=matrices.by_input).logits(tokens)
    np.testing.assert_allclose(computed, expected, atol=TOLERANCE, rtol=TOLERANCE)
    assert np.abs(expected - plain).max() > 100 * TOLERANCE


def test_every_projection_has_inputs_that_the_engine_fills_by_name() -> None:
    slots = adapter_slots(GEMMA_3_270M)
    assert len(slots) == 18 * 7
    by_module = {slot.module: slot for slot in slots}
    first, last = by_module["model.layers.0.self_attn.q_proj"], by_module["model.layers.17.mlp.down_proj"]
    assert (first.down, first.up) == ("lora_atten_q_a_prime_weight_0", "lora_atten_q_b_prime_weight_0")
    assert first.shapes(16) == ((16, 640), (16, 1024))
    assert (last.down, last.up) == ("lora_atten_v_a_prime_weight_35", "lora_atten_v_b_prime_weight_35")
    assert last.shapes(32) == ((32, 2048), (32, 640))
    names = [name for slot in slots for name in (slot.down, slot.up)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["demo", "270m"])
def test_all_of_them_ship_and_are_small(name: str) -> None:
    adapters = [key for key in shipped_keys(name).values() if key.adapters is not None]
    assert len(adapters) == 5
    for key in adapters:
        assert (SHIPPED / key.file_name()).stat().st_size < 1_000_000, key.file_name()


def test_a_base_says_what_it_takes(tmp_path: Path, demo_path: Path) -> None:
    graph = GraphOptions(adapters="32:attention")
    bundle = convert(demo_path, tmp_path / "base", graph=graph, check=False).bundle
    summary = inspect(bundle)
    assert summary.manifest is not None and summary.manifest.adapters is not None
    assert summary.manifest.adapters.rank == 32
    assert summary.manifest.adapters.targets == ATTENTION
    assert summary.manifest.minimum_runtime == "0.14.0"
    assert (bundle / summary.manifest.adapters.empty.file).stat().st_size == 16_384
    decode = next(s for model in summary.models for s in model.signatures if s.name == "decode")
    inputs = {spec.name: spec.shape for spec in decode.inputs if spec.name.startswith("lora_atten_")}
    assert len(inputs) == 6 * 4 * 2
    assert inputs["lora_atten_o_b_prime_weight_5"] == (32, 256)


@pytest.mark.parametrize(
    ("graph", "file_format", "words"),
    [
        (GraphOptions(adapters="8"), "litertlm", ["--adapters", "16 or 32", "padded"]),
        (GraphOptions(adapters=""), "litertlm", ["--adapters", "16 or 32"]),
        (GraphOptions(adapters="16:mlp"), "litertlm", ["--adapters", "'mlp'", "16:attention"]),
        (GraphOptions(adapters="16:"), "litertlm", ["--adapters", "16:attention"]),
        (GraphOptions("static", adapters="16"), "litertlm", ["--adapters", "--form static"]),
        (GraphOptions(adapters="16"), "tflite", ["--adapters", "--format tflite"]),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, demo_path: Path, graph: GraphOptions, file_format: FileFormat, words: list[str]
) -> None:
    with refused(*words, kind=InputError):
        convert(demo_path, tmp_path / "base", graph=graph, file_format=file_format)
    assert not (tmp_path / "base").exists()
