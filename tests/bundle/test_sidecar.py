"""The sidecar's bytes are what the engine reads, and damaged ones are told."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.bundle.sidecar import read_sidecar, sidecar_bytes
from edgekit.errors import AdapterError

NAME = "lora_atten_q_a_prime_weight_0"


def matrices(rank: int = 16) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        NAME: generator.normal(size=(rank, 40)).astype(np.float32),
        "lora_atten_q_b_prime_weight_0": generator.normal(size=(rank, 24)).astype(np.float32),
    }


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.lora.tflite"
    path.write_bytes(sidecar_bytes(matrices(), 16))
    read = read_sidecar(path)
    assert list(read) == list(matrices())
    for name, values in matrices().items():
        np.testing.assert_array_equal(read[name], values)


def test_the_same_matrices_give_the_same_bytes() -> None:
    assert sidecar_bytes(matrices(), 16) == sidecar_bytes(matrices(), 16)


@pytest.mark.parametrize("rank", [16, 32])
def test_the_rank_is_the_index_of_a_buffer_that_exists(rank: int) -> None:
    model = schema.ModelT.InitFromPackedBuf(sidecar_bytes(matrices(rank), rank), 0)
    (metadata,) = model.metadata
    assert metadata.name == b"lora_rank"
    assert metadata.buffer == rank < len(model.buffers)


def test_data_are_external_aligned_and_end_on_a_page_of_16_kib() -> None:
    data = sidecar_bytes(matrices(), 16)
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    assert len(data) % (16 * 1024) == 0
    for tensor in model.subgraphs[0].tensors:
        buffer = model.buffers[tensor.buffer]
        assert buffer.data is None
        assert buffer.offset % 64 == 0
        assert 0 < buffer.offset < buffer.offset + buffer.size <= len(data)


def test_no_adapter_at_all_is_one_page(tmp_path: Path) -> None:
    path = tmp_path / "empty.lora.tflite"
    path.write_bytes(sidecar_bytes({}, 16))
    assert path.stat().st_size == 16 * 1024
    assert read_sidecar(path) == {}


def test_a_file_that_is_no_sidecar_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.lora.tflite"
    path.write_bytes(b"PK\3\4" * 100)
    with pytest.raises(AdapterError, match="no sidecar"):
        read_sidecar(path)


def test_a_file_cut_off_anywhere_is_told(tmp_path: Path) -> None:
    whole = sidecar_bytes(matrices(), 16)
    used = whole.rstrip(b"\0")
    path = tmp_path / "a.lora.tflite"
    for length in np.linspace(0, len(used) - 1, 40, dtype=int):
        path.write_bytes(whole[:length])
        with pytest.raises(AdapterError):
            read_sidecar(path)


def test_a_tensor_of_another_type_is_told(tmp_path: Path) -> None:
    model = schema.ModelT.InitFromPackedBuf(sidecar_bytes(matrices(), 16), 0)
    model.subgraphs[0].tensors[0].type = schema.TensorType.FLOAT16
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(model.Pack(builder), b"TFL3")
    head, path = bytes(builder.Output()), tmp_path / "a.lora.tflite"
    path.write_bytes(head + sidecar_bytes(matrices(), 16)[len(head) :])
    with pytest.raises(AdapterError, match="float16"):
        read_sidecar(path)
