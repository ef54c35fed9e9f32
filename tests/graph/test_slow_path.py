"""The judge: for one checkpoint and recipe, linking gives what the stock exporter and quantizer give.

The constants byte for byte. The operators around them are our own, so logits agree as far as arithmetic goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.checkpoint import Checkpoint
from edgekit.graph.format import VALUE_SEQUENCE_AXIS, Form
from edgekit.runtime.interpreter import GraphInterpreter
from tests.graph.linking import linked_model

FORMS: list[Form] = ["dynamic", "static"]
RECIPES = ["int8", "int4", "int4-all", "int4-channel"]
KV_LENGTH = 1024


@pytest.fixture(scope="module")
def exported(demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Form, Path]:
    """Float models of the demo checkpoint from `litert-torch export_hf`, one per form (a minute each)."""
    from litert_torch.generative.export_hf import export

    paths: dict[Form, Path] = {}
    for form in FORMS:
        directory = tmp_path_factory.mktemp(f"exported-{form}")
        export.export(
            str(demo_path),
            str(directory),
            keep_temporary_files=True,
            quantization_recipe="none",
            bundle_litert_lm=False,
            cache_length=KV_LENGTH,
            v_ts_idx=VALUE_SEQUENCE_AXIS[form],
            enable_dynamic_shape=form == "dynamic",
            prefill_lengths=[32, 128, 512] if form == "static" else [128],
        )
        paths[form] = directory / "model.tflite"
    return paths


def stock_quantized(path: Path, recipe: str) -> bytes:
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
    stock = quantizer.Quantizer(str(path))
    stock.load_quantization_recipe(manager.get_quantization_recipe())
    return bytes(stock.quantize().quantized_model)


def constants(model: bytes) -> Iterator[tuple[Any, ...]]:
    """Every constant that is no shape or index: type, shape, and digests of values and scales.

    Leading dimensions of 1 do not count: the rotary tables have one more in a prompt's signature than in decode's.
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
            yield tensor.type, shape, digest(values), scales(model, parsed, subgraph, tensor)


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


def digest(values: bytes) -> str:
    return hashlib.sha256(values).hexdigest()


@pytest.mark.parametrize("form", FORMS)
def test_float_constants_are_the_exporter_s_byte_for_byte(
    demo: Checkpoint, exported: dict[Form, Path], form: Form
) -> None:
    ours = set(constants(linked_model(demo, "float32", form, KV_LENGTH)))
    assert ours == set(constants(exported[form].read_bytes()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_quantized_model_is_the_quantizer_s(
    demo: Checkpoint, exported: dict[Form, Path], recipe: str, form: Form
) -> None:
    ours = linked_model(demo, recipe, form, KV_LENGTH)
    stock = stock_quantized(exported[form], recipe)
    assert set(constants(ours)) == set(constants(stock))

    # Activations are rounded to 8 bits on the way, so that a last digit that differs may become a step of that size.
    # Such steps are small beside what quantization itself does.
    linked, quantized, exact = (logits(demo, model) for model in (ours, stock, exported[form].read_bytes()))
    assert rms(linked - quantized) < 0.2 * rms(quantized - exact)
    assert rms(linked - exact) == pytest.approx(rms(quantized - exact), rel=0.1)


@pytest.mark.parametrize("form", FORMS)
def test_float_logits_are_the_exporter_s(demo: Checkpoint, exported: dict[Form, Path], form: Form) -> None:
    ours = linked_model(demo, "float32", form, KV_LENGTH)
    np.testing.assert_allclose(logits(demo, ours), logits(demo, exported[form].read_bytes()), atol=5e-5)


def logits(demo: Checkpoint, model: bytes) -> NDArray[np.float32]:
    """Behind the last 30 of 90 random tokens, the first 60 of which are a prompt."""
    tokens = np.random.default_rng(5).integers(4, demo.config.vocab_size, 90).tolist()
    runner = GraphInterpreter(model, kv_length=128)
    runner.prefill(tokens[:60])
    return runner.logits(tokens[60:])


def rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(values**2)))
