"""The interpreter on a base that takes adapters: what fills their inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.container import read_container
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.sidecar import read_sidecar
from edgekit.bundle.stored import model_bytes
from edgekit.errors import AdapterError
from edgekit.runtime.interpreter import GraphInterpreter, check_model

TOKENS = list(range(20, 30))
DOWN, UP = "lora_atten_q_a_prime_weight_0", "lora_atten_q_b_prime_weight_0"


@pytest.fixture(scope="module")
def model(adapter_ready_bundle: Path) -> bytes:
    return bytes(model_bytes(read_container(open_bundle(adapter_ready_bundle).model_path)))


@pytest.fixture(scope="module")
def plain(model: bytes) -> np.ndarray:
    return GraphInterpreter(model).logits(TOKENS)


def test_without_an_adapter_zeros_fill_the_inputs(
    model: bytes, plain: np.ndarray, sentiment_adapter: Path
) -> None:
    matrices = read_sidecar(sentiment_adapter / "sentiment.lora.tflite")
    zeros = {name: np.zeros_like(values) for name, values in matrices.items()}
    assert np.isfinite(plain).all()
    assert np.array_equal(GraphInterpreter(model, adapter=zeros).logits(TOKENS), plain)


def test_an_adapter_acts_in_prefill_and_decode_alike(
    model: bytes, plain: np.ndarray, sentiment_adapter: Path
) -> None:
    runner = GraphInterpreter(model, adapter=read_sidecar(sentiment_adapter / "sentiment.lora.tflite"))
    runner.prefill(TOKENS[:-1])
    prefilled = runner.decode(TOKENS[-1])
    runner.reset()
    stepped = runner.logits(TOKENS)[-1]
    assert np.abs(stepped - plain[-1]).max() > 1
    np.testing.assert_allclose(prefilled, stepped, atol=0.5)  # activations are rounded to 8 bits


def test_a_smaller_rank_is_padded(model: bytes, sentiment_adapter: Path) -> None:
    """The demo's adapter has rank 8; its sidecar holds 16 rows, of which the last eight are zeros."""
    matrices = read_sidecar(sentiment_adapter / "sentiment.lora.tflite")
    assert all(not values[8:].any() for values in matrices.values())
    cut = {name: values[:8] for name, values in matrices.items()}
    padded, unpadded = (GraphInterpreter(model, adapter=a).logits(TOKENS) for a in (matrices, cut))
    assert np.array_equal(padded, unpadded)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("lora_atten_q_a_prime_weight_99", (16, 128), "no input for lora_atten_q_a_prime_weight_99"),
        (DOWN, (32, 128), r"takes \(16, "),
        (UP, (16, 7), r"the sidecar has \(16, 7\)"),
    ],
)
@pytest.mark.slow
def test_what_does_not_fit_is_refused(model: bytes, name: str, shape: tuple[int, int], said: str) -> None:
    with pytest.raises(AdapterError, match=said):
        GraphInterpreter(model, adapter={name: np.ones(shape, np.float32)})


def test_a_plain_graph_takes_no_adapter(demo_path: Path, tmp_path: Path) -> None:
    from edgekit.conversion.convert import convert

    path = convert(demo_path, tmp_path / "b", file_format="tflite", check=False).model
    with pytest.raises(AdapterError, match="no input for"):
        GraphInterpreter(path, adapter={DOWN: np.ones((16, 128), np.float32)})


@pytest.mark.slow
def test_a_base_computes_a_step(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    check_model(path)
