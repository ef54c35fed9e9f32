"""The sidecar: the file from which the engine fills a base's adapter inputs.

A TFLite flatbuffer in which only tensors, buffers and metadata matter: a tensor is named like the input that it fills,
its buffer is external (offset and size in the file), and the buffer index of the metadata entry `lora_rank` *is* the
rank. Found by trying LiteRT-LM 0.18.1, and in its sources (`runtime/util/lora_data.cc`): the engine maps the first
megabyte for the flatbuffer and each tensor's bytes by themselves, refuses inline buffers, and fills inputs for which
there is no tensor with zeros. So a sidecar without any tensor
stands for no adapter; *without a sidecar* the engine leaves the inputs as the memory was, and one such conversation
can fill its cache with NaN for as long as it lives.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.bundle.directory import EMPTY_SIDECAR_NAME
from edgekit.bundle.flat import FlatError
from edgekit.bundle.tflite import adapter_rank
from edgekit.errors import AdapterError
from edgekit.files.within import read_regular

SIDECAR_SUFFIX = ".lora.tflite"

_RANK = b"lora_rank"
_PAGE = 16 * 1024
"""Bytes; of the phones that have the largest pages, by which files are mapped. Data begin and the file ends at a
multiple."""

_ALIGNMENT = 64
_HEAD_LIMIT = 1 << 20
_MAX_BYTES = 1 << 30
_UNKNOWN = 1 << 40
"""Stands for offset and size in the first of two passes: a default would be left out, and change the head's size."""


def sidecar_bytes(matrices: Mapping[str, NDArray[np.float32]], rank: int) -> bytes:
    """Write a sidecar; the same matrices give the same bytes.

    matrices: input of the graph → what fills it, float32, in the input's own layout; none for no adapter at all.
    """
    size = _head_size(len(_head(dict.fromkeys(matrices, (_UNKNOWN, _UNKNOWN)), matrices, rank)))
    places: dict[str, tuple[int, int]] = {}
    end = size
    for name, values in matrices.items():
        places[name] = (end, values.nbytes)
        end += -(-values.nbytes // _ALIGNMENT) * _ALIGNMENT
    head = _head(places, matrices, rank)
    file = bytearray(-(-end // _PAGE) * _PAGE)
    file[: len(head)] = head
    for name, values in matrices.items():
        offset, count = places[name]
        file[offset : offset + count] = np.ascontiguousarray(values, np.float32).tobytes()
    return bytes(file)


def read_sidecar(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the matrices of a sidecar that was written here: input of the graph → values.

    Raises AdapterError when the file is not one, or is cut off.
    """
    from edgekit.bundle.flat import FlatError
    from edgekit.bundle.tflite import external_tensors

    try:
        data = read_regular(path, _MAX_BYTES)
    except OSError as error:
        raise AdapterError(f"cannot be read ({error.strerror})", where=path) from error
    if data is None:
        raise AdapterError(f"is larger than {_MAX_BYTES >> 20} MiB, which is no sidecar", where=path)
    try:
        tensors = external_tensors(memoryview(data))
    except FlatError as error:
        raise AdapterError(f"this is no sidecar: {error}", where=path) from error
    for tensor in tensors:
        if tensor.dtype != "float32" or tensor.size != 4 * math.prod(tensor.shape):
            what = f"{tensor.name} is {tensor.dtype} of shape {tensor.shape} in {tensor.size} bytes"
            raise AdapterError(f"this is no sidecar of edgekit's: {what}", where=path)
    return {
        tensor.name: np.frombuffer(data, np.float32, tensor.size // 4, tensor.offset).reshape(tensor.shape)
        for tensor in tensors
    }


def _head_size(length: int) -> int:
    size = -(-length // _PAGE) * _PAGE
    assert size <= _HEAD_LIMIT, "the engine maps one megabyte for the flatbuffer"
    return size


def _head(
    places: Mapping[str, tuple[int, int]], matrices: Mapping[str, NDArray[np.float32]], rank: int
) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version = 3
    model.description = b"edgekit adapter"
    model.buffers = [schema.BufferT()]  # by custom the first one is empty
    subgraph = schema.SubGraphT()
    subgraph.name, subgraph.inputs, subgraph.outputs, subgraph.operators = b"lora", [], [], []
    subgraph.tensors = []
    for name, (offset, size) in places.items():
        buffer: Any = schema.BufferT()
        buffer.offset, buffer.size = offset, size
        tensor: Any = schema.TensorT()
        tensor.name, tensor.type = name.encode(), schema.TensorType.FLOAT32
        tensor.shape, tensor.buffer = np.array(matrices[name].shape, np.int32), len(model.buffers)
        model.buffers.append(buffer)
        subgraph.tensors.append(tensor)
    while len(model.buffers) <= rank:  # so that the rank is a buffer's index
        model.buffers.append(schema.BufferT())
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = _RANK, rank
    model.subgraphs, model.metadata, model.operatorCodes = [subgraph], [metadata], []
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@contextmanager
def empty_sidecar(path: Path) -> Iterator[Path | None]:
    """Give the sidecar of no adapter to a base that takes adapters, None to a model that takes none.

    path: of the .litertlm file. Without a sidecar the engine leaves adapter inputs as the memory was.
    """
    rank = _adapter_rank(path)
    if rank is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-") as directory:
        sidecar = Path(directory) / EMPTY_SIDECAR_NAME
        sidecar.write_bytes(sidecar_bytes({}, rank))
        yield sidecar


def _adapter_rank(path: Path) -> int | None:
    container = read_container(path)
    for section in container.sections:
        if section.kind is SectionKind.TFLITE_MODEL:
            try:
                return adapter_rank(section_bytes(container, section))
            except FlatError:  # encrypted or foreign; the engine has opened it
                return None
    return None
