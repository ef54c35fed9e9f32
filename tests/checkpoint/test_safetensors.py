"""Reading safetensors: the right values, lazily, and one clear error for every kind of damage."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given

from edgekit.checkpoint.safetensors import check_finite, open_safetensors, open_tensors
from edgekit.checkpoint.same import same_bytes
from edgekit.errors import CheckpointError
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import (
    DTYPES,
    edit_json,
    read_safetensors,
    tiny_checkpoint,
    write_raw_safetensors,
    write_safetensors,
)
from tests.fixtures.mutations import damaged


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.slow
def test_values_are_those_of_the_safetensors_library(dtype: str, shards: int, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tiny_checkpoint(tmp_path, dtype=dtype, shards=shards)
    reference: dict[str, Any] = {}
    for path in tmp_path.glob("*.safetensors"):
        reference |= load_file(path)
    tensors = open_tensors(tmp_path)
    assert set(tensors) == set(reference)
    for name, tensor in tensors.items():
        values = tensor.read()
        assert values.dtype == np.float32 and values.flags.c_contiguous and values.flags.writeable
        assert tensor.dtype == dtype and tensor.shape == tuple(reference[name].shape)
        assert values.tobytes() == reference[name].float().numpy().tobytes()


def test_every_bfloat16_becomes_the_float32_with_the_same_upper_half(tmp_path: Path) -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16)
    write_safetensors(tmp_path / "all.safetensors", {"all": patterns.view(ml_dtypes.bfloat16)})
    values = open_safetensors(tmp_path / "all.safetensors")["all"].read()
    assert np.array_equal(values.view(np.uint32), patterns.astype(np.uint32) << 16)


def test_rows_are_read_alone(tmp_path: Path) -> None:
    tensor = open_tensors(tiny_checkpoint(tmp_path))["model.embed_tokens.weight"]
    whole = tensor.read()
    assert np.array_equal(tensor.read(slice(7, 19)), whole[7:19])
    assert np.array_equal(tensor.read(slice(300, None)), whole[300:])
    assert tensor.read(slice(400, 500)).shape == (0, 64)


def test_what_is_read_can_be_changed_without_changing_the_checkpoint(tmp_path: Path) -> None:
    tensor = open_tensors(tiny_checkpoint(tmp_path, dtype="F32"))["model.norm.weight"]
    values = tensor.read()
    values[:] = 0
    assert tensor.read().all()
    assert not tensor.raw().flags.writeable


def test_raw_is_a_view_in_the_stored_dtype(tmp_path: Path) -> None:
    tensor = open_tensors(tiny_checkpoint(tmp_path))["model.norm.weight"]
    assert tensor.raw().dtype == ml_dtypes.bfloat16
    assert not tensor.raw().flags.owndata


def test_a_checkpoint_much_larger_than_what_is_kept_leaves_no_trace_in_memory(tmp_path: Path) -> None:
    table = np.ones((8192, 4096), np.float16)  # 64 MB
    write_safetensors(tmp_path / "model.safetensors", {"table": table})
    tensor = open_tensors(tmp_path)["table"]
    before = _resident_bytes()
    for start in range(0, 8192, 512):
        tensor.read(slice(start, start + 512))
    assert _resident_bytes() - before < 24 << 20


def test_same_bytes_compares_values_dtype_and_shape(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    other = values.copy()
    other[5] = 7
    tensors = {
        "a": values,
        "b": values,
        "c": other,
        "d": values.reshape(2, 3),
        "e": values.view(np.float32)[:5],
    }
    write_safetensors(tmp_path / "t.safetensors", tensors)
    stored = open_safetensors(tmp_path / "t.safetensors")
    assert same_bytes(stored["a"], stored["b"])
    assert not any(same_bytes(stored["a"], stored[name]) for name in "cde")


def test_finite_values_pass_even_when_their_sum_overflows() -> None:
    check_finite("w", np.full(4, 3e38, np.float32))
    check_finite("w", np.zeros((0, 4), np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_counted(bad: float) -> None:
    values = np.ones((30, 40), np.float32)
    values[3, 4] = values[5, 6] = bad
    with refused("model.safetensors", "model.norm.weight: 2 of 1,200 values are NaN or infinite"):
        check_finite("model.norm.weight", values, where=Path("model.safetensors"))


# Damaged files


def one_tensor(**changes: Any) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | changes}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"not json at all", "header is not JSON"),
        (b"[1, 2]", "header holds a JSON list"),
        (b'{"w": 1, "w": 2}', "twice"),
        (b"\xff\xff\xff\xff", "not UTF-8"),
        ({"w": 3}, "tensor w: the header entry is not an object"),
        (one_tensor(dtype="Q4_0"), "tensor w: unknown dtype 'Q4_0'"),
        (one_tensor(dtype=None), "tensor w: unknown dtype None"),
        (one_tensor(shape="22"), "tensor w: the shape '22'"),
        (one_tensor(shape=[2, -2]), "tensor w: the shape [2, -2]"),
        (one_tensor(shape=[2, 3]), "tensor w: F32 of shape (2, 3) does not take 16 bytes"),
        (one_tensor(shape=[1 << 40, 1 << 40]), "does not take 16 bytes"),
        (one_tensor(data_offsets=[0]), "tensor w: data_offsets [0]"),
        (one_tensor(data_offsets=[0, 1.5]), "tensor w: data_offsets"),
        (one_tensor(data_offsets=[16, 0]), "tensor w: its bytes 16..0 are not within"),
        (one_tensor(shape=[2, 4], data_offsets=[0, 32]), "not within the 16 bytes of data"),
        (one_tensor(shape=[3], data_offsets=[4, 16]), "tensor w: its data leaves a gap before it"),
        (one_tensor(shape=[3], data_offsets=[0, 12]), "4 bytes after the last tensor belong to none"),
        (
            one_tensor() | {"v": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},
            "tensor v: its data overlaps",
        ),
    ],
)
def test_a_wrong_header_is_named_with_file_and_tensor(
    header: dict[str, Any] | bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    write_raw_safetensors(path, header, bytes(16))
    with refused("model.safetensors", words):
        open_tensors(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\x00" * 7, "7 bytes"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "not a safetensors file"),
        ((1000).to_bytes(8, "little") + b"{}", "the file ends after 10"),
        (b"PK\x03\x04" + bytes(200), "the header claims 67,324,752 bytes"),
    ],
)
def test_a_file_that_is_none_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with refused("model.safetensors", words):
        open_tensors(tmp_path)


def test_a_dtype_that_is_no_weight_is_refused_on_reading(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"ids": np.arange(4)})
    tensor = open_tensors(tmp_path)["ids"]
    with refused("model.safetensors", "ids", "I64"):
        tensor.read()


def test_a_file_cut_short_names_the_tensor_that_suffers(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with refused("model.safetensors", "tensor model.norm.weight", "not within"):
        open_tensors(tmp_path)


def _small() -> bytes:
    generator = np.random.default_rng(0)
    weights = {
        f"w{i}": generator.normal(size=(4, 4)).astype(DTYPES["BF16" if i % 2 else "F32"]) for i in range(6)
    }
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.safetensors"
        write_safetensors(path, weights)
        return path.read_bytes()


INTACT = _small()
HEADER_END = 8 + int.from_bytes(INTACT[:8], "little")


@given(damaged(INTACT, [(0, HEADER_END)]))
def test_damage_ends_in_an_error_or_in_what_the_safetensors_library_reads(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    from safetensors import SafetensorError, deserialize

    directory = tmp_path_factory.mktemp("damaged")
    path = directory / "model.safetensors"
    path.write_bytes(content)
    try:
        ours = {name: (t.dtype, t.shape, t.raw().tobytes()) for name, t in open_tensors(directory).items()}
    except CheckpointError as error:
        assert error.where and "model.safetensors" in error.where
        return
    try:
        theirs = {
            name: (t["dtype"], tuple(t["shape"]), bytes(t["data"])) for name, t in deserialize(bytes(content))
        }
    except SafetensorError:
        # Theirs also refuses metadata that is no text; ours does not look at metadata.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        assert set(header) != set(ours)
        return
    assert ours == theirs


# Shards


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, shards=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with refused("model.safetensors.index.json", "1 of 3 shards", "model-00002-of-00003.safetensors"):
        open_tensors(tmp_path)


def test_a_tensor_that_the_index_misplaces_is_named(tmp_path: Path) -> None:
    index = tiny_checkpoint(tmp_path, shards=2) / "model.safetensors.index.json"
    weight_map = json.loads(index.read_text())["weight_map"]
    weight_map["model.layers.9.mlp.up_proj.weight"] = "model-00001-of-00002.safetensors"
    edit_json(index, weight_map=weight_map)
    with refused("model-00001-of-00002.safetensors", "tensor model.layers.9.mlp.up_proj.weight is missing"):
        open_tensors(tmp_path)


def test_a_tensor_in_two_shards_is_named(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path, shards=2)
    path = tmp_path / "model-00002-of-00002.safetensors"
    header, _ = read_safetensors(path)
    name = next(
        iter(read_safetensors(tmp_path / "model-00001-of-00002.safetensors")[0].keys() - {"__metadata__"})
    )
    write_safetensors(path, {name: np.ones(3, np.float32)})
    assert name not in header
    with refused(f"tensor {name} is also in"):
        open_tensors(tmp_path)


@pytest.mark.parametrize("shard", ["../other.safetensors", "/etc/passwd", "weights.bin", 3])
def test_an_index_cannot_point_elsewhere(shard: Any, tmp_path: Path) -> None:
    index = tiny_checkpoint(tmp_path, shards=2) / "model.safetensors.index.json"
    edit_json(index, weight_map={"w": shard})
    with refused("index.json", "tensor w"):
        open_tensors(tmp_path)


def test_an_index_without_a_map_is_refused(tmp_path: Path) -> None:
    edit_json(tiny_checkpoint(tmp_path, shards=2) / "model.safetensors.index.json", weight_map=...)
    with refused("weight_map"):
        open_tensors(tmp_path)


# Other formats


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("pytorch_model.bin", "would run code"),
        ("model.pt", "safe_serialization=True"),
        ("model-Q8_0.gguf", "GGUF"),
        ("model-00001-of-00002.safetensors", "model.safetensors.index.json"),
        ("README.md", "there are no weights here"),
    ],
)
def test_weights_in_another_format_are_refused_unopened(file: str, words: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(b"whatever")
    with refused(str(tmp_path), words):
        open_tensors(tmp_path)


def _resident_bytes() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096
