"""The judge: for one checkpoint and recipe, linking gives what the stock exporter and quantizer give.

The constants byte for byte, and what reads the quantized ones. The operators around them are our own, so logits agree
as far as arithmetic goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import dropwhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.checkpoint import Checkpoint
from edgekit.graph import find_graph, graph_key
from edgekit.graph.format import RESIDUAL_SCALE, VALUE_SEQUENCE_AXIS, Form
from edgekit.recipes import FLOAT32, resolve
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit_converters.gemma3 import rotary
from tests.fixtures.bundles import Kept
from tests.graph.linking import STOCK, Dequantized, linked, linked_model

pytestmark = pytest.mark.slow

FORMS: list[Form] = ["dynamic", "static"]
QUANTIZED = (schema.TensorType.INT8, schema.TensorType.INT4)
KV_LENGTH = 1024
ALIKE = 1.5
"""Two root mean squares over the same 30 positions are as good as equal below this ratio.

Were the errors of one position all one error, each mean would be one of 30 samples, and the ratio of two would vary by
1 / sqrt(30) = 18% around 1; this is nearly three times as much.
"""


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    given: Form = request.param
    return given


@pytest.fixture(scope="module")
def exported(form: Form, demo_path: Path, kept: Kept) -> bytes:
    """The float model of the demo checkpoint from `litert-torch export_hf`: minutes, and made once."""

    def make(target: Path) -> None:
        from litert_torch.generative.export_hf import export

        target.mkdir()
        export.export(
            str(demo_path),
            str(target),
            keep_temporary_files=True,
            quantization_recipe="none",
            bundle_litert_lm=False,
            cache_length=KV_LENGTH,
            v_ts_idx=VALUE_SEQUENCE_AXIS[form],
            enable_dynamic_shape=form == "dynamic",
            prefill_lengths=[128],
        )

    packages = {name: version(name) for name in ("litert-torch", "torch", "transformers")}
    return (kept("exported", (demo_path, form, packages), make) / "model.tflite").read_bytes()


def stock_quantized(exported: bytes, recipe: str) -> bytes:
    """The exported model, quantized by ai-edge-quantizer's own machinery."""
    from ai_edge_quantizer import quantizer, recipe_manager
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    manager = recipe_manager.RecipeManager()
    wide = {"num_bits": 8, "granularity": QuantGranularity.CHANNELWISE}
    block = {"num_bits": 4, "granularity": QuantGranularity.BLOCKWISE_32}
    channel = {"num_bits": 4, "granularity": QuantGranularity.CHANNELWISE}
    layers, embedding = {
        "int8": (wide, wide),
        "int4": (block, wide),
        "int4-all": (block, block),
        "int4-channel": (channel, channel),
    }[recipe]
    manager.add_dynamic_config(regex=".*", operation_name=TFLOperationName.FULLY_CONNECTED, **layers)
    manager.add_dynamic_config(regex=".*", operation_name=TFLOperationName.EMBEDDING_LOOKUP, **embedding)
    if layers is not embedding:  # the tied head reads the embedding's table
        manager.add_dynamic_config(
            regex=".*logits.*", operation_name=TFLOperationName.FULLY_CONNECTED, **embedding
        )
    stock = quantizer.Quantizer(exported)
    stock.load_quantization_recipe(manager.get_quantization_recipe())
    return bytes(stock.quantize().quantized_model)


def constants(model: bytes, originals: Mapping[bytes, bytes] = {}) -> Iterator[tuple[Any, ...]]:
    """Every constant that is no shape or index: type, shape, and digests of values and scales.

    originals: what the exporter writes where we write something else. Leading dimensions of 1 do not count: the rotary
    tables have one more in a prompt's signature than in decode's.
    """
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    seen = set()
    for subgraph in parsed.subgraphs:
        for tensor in subgraph.tensors:
            values = content(model, parsed.buffers[tensor.buffer])
            if tensor.buffer in seen or len(values) < 64 or tensor.type == schema.TensorType.INT32:
                continue
            seen.add(tensor.buffer)
            shape = tuple(dropwhile(lambda size: size == 1, tensor.shape))
            yield (
                tensor.type,
                shape,
                digest(originals.get(values, values)),
                scales(model, parsed, subgraph, tensor),
            )


def originals(demo: Checkpoint, form: Form) -> dict[bytes, bytes]:
    """What the exporter writes, by what a static graph holds instead: gains that scale, and angles in turns."""
    if form == "dynamic":
        return {}
    found = {}
    for name, tensor in demo.tensors.items():
        if "layernorm" in name and "post_" in name:
            gains = np.float32(1) + tensor.read().astype(np.float32)
            found[(gains * np.float32(RESIDUAL_SCALE)).tobytes()] = gains.tobytes()
    for table in rotary.frequencies(demo.architecture).values():
        found[(table / rotary.TURN).numpy().tobytes()] = table.numpy().tobytes()
    return found


def scales(model: bytes, parsed: Any, subgraph: Any, tensor: Any) -> str:
    quantization = tensor.quantization
    if quantization is None:
        return ""
    if quantization.detailsType == schema.QuantizationDetails.BlockwiseQuantization:
        table = subgraph.tensors[quantization.details.scales]
        return digest(content(model, parsed.buffers[table.buffer]))
    return "" if quantization.scale is None else digest(np.asarray(quantization.scale, np.float32).tobytes())


def content(model: bytes, buffer: Any) -> bytes:
    if buffer.size:
        return model[buffer.offset : buffer.offset + buffer.size]
    return b"" if buffer.data is None else np.asarray(buffer.data, np.uint8).tobytes()


def readers(model: bytes) -> Iterator[tuple[Any, ...]]:
    """Every operator that reads a quantized constant: what it is, its options, and its inputs and outputs by type."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    for subgraph in parsed.subgraphs:
        for operator in subgraph.operators:
            tensors = [
                subgraph.tensors[index] for index in [*operator.inputs, *operator.outputs] if index >= 0
            ]
            stored = [(t, content(model, parsed.buffers[t.buffer])) for t in tensors]
            read = [digest(values) for tensor, values in stored if values and tensor.type in QUANTIZED]
            if read:
                code = parsed.operatorCodes[operator.opcodeIndex].builtinCode
                options = operator.builtinOptions
                yield code, *read, *(t.type for t in tensors), str(options and sorted(vars(options).items()))


def digest(values: bytes) -> str:
    return hashlib.sha256(values).hexdigest()


def test_float_constants_are_the_exporter_s_byte_for_byte(
    demo: Checkpoint, exported: bytes, form: Form
) -> None:
    ours = linked_model(demo, "float32", form, KV_LENGTH)
    assert set(constants(ours, originals(demo, form))) == set(constants(exported))


def test_float_logits_are_the_exporter_s(demo: Checkpoint, exported: bytes, form: Form) -> None:
    ours = linked_model(demo, "float32", form, KV_LENGTH)
    np.testing.assert_allclose(logits(demo, ours), logits(demo, exported), atol=5e-5)


@pytest.mark.parametrize("recipe", STOCK)
def test_a_quantized_model_is_the_quantizer_s(
    demo: Checkpoint, exported: bytes, recipe: str, form: Form
) -> None:
    """Constants byte for byte, and the operators that read them; logits as far as rounding lets them.

    Activations are rounded to 8 bits before each matrix. A sum in another order moves a value by 1e-7, now and then
    over the edge between two steps, and one step early in the model moves others over theirs: two graphs of one
    function soon round independently of each other. When that begins is the kernels' affair. With AVX-512 VNNI the
    demo's two int8 models stay 0.002 apart, with AVX2 0.006 (Haswell) or 0.012 (EPYC); from the same weights in
    float32 each is 0.020 away on all of them. So that distance is the measure of the other two.
    """
    ours, stock = linked_model(demo, STOCK[recipe], form, KV_LENGTH), stock_quantized(exported, recipe)
    assert set(constants(ours, originals(demo, form))) == set(constants(stock))
    assert set(readers(ours)) == set(readers(stock))

    exact = logits(demo, dequantized_model(demo, recipe, form))
    linked, quantized = (logits(demo, model) for model in (ours, stock))
    noise = rms(linked - exact), rms(quantized - exact)
    assert max(noise) < ALIKE * min(noise)
    # Independent errors add up by their squares; errors that have anything in common differ by less.
    assert rms(linked - quantized) < np.hypot(*noise)


def dequantized_model(demo: Checkpoint, recipe: str, form: Form) -> bytes:
    """The float32 graph with the values that the recipe's codes and scales stand for."""
    graph = find_graph(graph_key(demo.architecture, form))
    matrices = {c.tensor: demo.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    rounded = {
        name: Dequantized(demo.tensors[name], scheme)
        for name, scheme in resolve(STOCK[recipe], matrices).items()
    }
    static = KV_LENGTH if form == "static" else None
    floats = dict.fromkeys(matrices, FLOAT32)
    return linked(graph, floats, demo.architecture.vocab_size, {**demo.tensors, **rounded}, static)


def logits(demo: Checkpoint, model: bytes) -> NDArray[np.float32]:
    """Behind the last 30 of 90 random tokens, the first 60 of which are a prompt."""
    tokens = np.random.default_rng(5).integers(4, demo.architecture.vocab_size, 90).tolist()
    runner = GraphInterpreter(model, kv_length=128)
    runner.prefill(tokens[:60])
    return runner.logits(tokens[60:])


def rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(values**2)))
