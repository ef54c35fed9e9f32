"""The tensors of a checkpoint directory, read lazily from memory-mapped safetensors files.

Opening reads headers only. A tensor's bytes are touched when it is read, and its pages are given back
afterwards, so that converting a checkpoint never holds the model in memory.

Format of a safetensors file: 8 bytes little-endian header length, the header (JSON: name → dtype, shape, and
begin and end of its bytes in the data), the data. As the safetensors library does, the data must be covered
exactly, with neither gap nor overlap: anything else is a file that was cut or tampered with.

Pickled weights (`pytorch_model.bin` and friends) run code when they are opened and are refused.
"""

from __future__ import annotations

import math
import mmap
import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from edgekit.errors import CheckpointError
from edgekit.files.within import open_regular
from edgekit.records.documents import parse_json_object, read_json_object

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

FLOAT_DTYPES: Mapping[str, np.dtype[Any]] = {
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
}
"""The dtypes that weights may have."""

_BITS = dict.fromkeys(("F64", "I64", "U64", "C64"), 64)
_BITS |= dict.fromkeys(("F32", "I32", "U32"), 32)
_BITS |= dict.fromkeys(("F16", "BF16", "I16", "U16"), 16)
_BITS |= dict.fromkeys(("I8", "U8", "BOOL"), 8)
_BITS |= dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8)
_BITS |= {"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
_MAX_HEADER_BYTES = 16 << 20  # 130 bytes for a tensor; the library takes 100 MB, which parse to gigabytes
_MAX_DIMENSION = 1 << 48
_MAX_RANK = 8
_LONGEST_NAME = 255  # bytes, of a file
_COPY_AGAIN = "the file is damaged or was not copied whole: copy or download it again"
_SAVE_AS_SAFETENSORS = "save it again with model.save_pretrained(directory, safe_serialization=True)"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class WeightTensor(Protocol):
    """One weight that can be read when it is needed."""

    @property
    def name(self) -> str:
        """Name in the model."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Matrices are (out, in)."""

    @property
    def dtype(self) -> str:
        """One of "BF16", "F16", "F32"."""

    @property
    def source(self) -> Path:
        """The file that holds the tensor, named by errors."""

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Return these rows (all by default) as a fresh, C-contiguous float32 array."""

    def raw(self) -> NDArray[Any]:
        """Return the tensor in its own dtype; where possible a read-only view of the file."""


class MappedFile:
    """A file mapped read-only into memory; unmapped when the last view of it is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with os.fdopen(open_regular(path, links=True), "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise CheckpointError("no such file", where=path, remedy=_COPY_AGAIN) from None
        except ValueError:  # what mmap says of an empty file
            raise CheckpointError("the file is empty", where=path, remedy=_COPY_AGAIN) from None
        except OSError as error:
            raise CheckpointError(
                f"cannot be read ({error.strerror})", where=path, remedy="check the permissions"
            ) from error

    def __len__(self) -> int:
        return len(self._map)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Copy `size` bytes from `offset`."""
        return self._map[offset : offset + size]

    def array(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """View the bytes from `offset` as a read-only array."""
        count = math.prod(shape)
        return np.frombuffer(self._map, dtype=dtype, count=count, offset=offset).reshape(shape)

    def forget(self, offset: int, size: int) -> None:
        """Take this range's whole pages out of the process; they stay in the system's file cache."""
        start = -(-offset // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (offset + size) // mmap.PAGESIZE * mmap.PAGESIZE
        if end > start and hasattr(self._map, "madvise"):  # absent on Windows
            self._map.madvise(mmap.MADV_DONTNEED, start, end - start)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as it lies in a safetensors file."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: MappedFile
    offset: int
    """Of its first byte in the file."""
    size: int
    """In bytes."""

    @property
    def source(self) -> Path:
        """The file that holds the tensor."""
        return self.file.path

    def read(self, rows: slice | None = None) -> NDArray[np.float32]:
        """Return these rows (all by default) as a fresh, C-contiguous float32 array.

        Raises CheckpointError when the dtype is none of BF16, F16, F32.
        """
        view = self.raw()
        start, count = 0, self.shape[0] if self.shape else 1
        if rows is not None:
            start, stop, step = rows.indices(self.shape[0])
            if step != 1:
                raise ValueError(f"rows of {self.name} are read in steps of 1, not {step}")
            count = max(0, stop - start)
            view = view[start : start + count]
        values = _float32(view)
        if self.shape and self.shape[0]:
            row_bytes = self.size // self.shape[0]
            self.file.forget(self.offset + start * row_bytes, count * row_bytes)
        return values

    def raw(self) -> NDArray[Any]:
        """Return a read-only view of the file in the tensor's own dtype.

        Raises CheckpointError when the dtype is none of BF16, F16, F32.
        """
        dtype = FLOAT_DTYPES.get(self.dtype)
        if dtype is None:
            raise CheckpointError(
                f"tensor {self.name} has dtype {self.dtype}, not one of {', '.join(FLOAT_DTYPES)}",
                where=self.source,
                remedy="save the model in float: model.to(torch.bfloat16).save_pretrained(directory)",
            )
        return self.file.array(self.offset, self.shape, dtype)

    def renamed(self, name: str) -> StoredTensor:
        """Return the same tensor under another name."""
        return replace(self, name=name)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """A fresh copy as float32. A bfloat16 is the upper half of one, and so is made faster than by ml_dtypes."""
    if values.dtype != FLOAT_DTYPES["BF16"] or not values.ndim:
        return values.astype(np.float32, order="C", copy=True)
    wide = values.view(np.uint16).astype(np.uint32, order="C")
    wide <<= 16
    return wide.view(np.float32)


def open_tensors(directory: Path) -> dict[str, StoredTensor]:
    """Open the weights of a checkpoint directory: `model.safetensors`, else the shards of its index.

    Names are as stored. Raises CheckpointError, naming file and tensor, for a damaged file, an index that
    does not match its shards, and for weights in another format (pickle, GGUF).
    """
    single = directory / SINGLE_FILE
    if single.is_file():
        return open_safetensors(single)
    index = directory / INDEX_FILE
    if index.is_file():
        return _open_shards(index)
    raise _no_weights(directory)


def open_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Open one safetensors file; raises CheckpointError naming file and tensor when it is damaged."""
    file = MappedFile(path)
    header, data_start = _header(file)
    header.pop("__metadata__", None)
    tensors = {name: _stored_tensor(file, name, entry, data_start) for name, entry in header.items()}
    _check_coverage(file, list(tensors.values()), data_start)
    return tensors


def check_finite(name: str, array: NDArray[np.float32], *, where: Path | None = None) -> None:
    """Raise CheckpointError when an array that was read holds NaN or infinity.

    name: the tensor's. where: the file it is from (`WeightTensor.source`).
    """
    # One pass without a temporary of the array's size decides the usual case: a sum of finite weights is
    # finite, and NaN or infinity stays in it. Only when the sum overflows by itself is there more to look at.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.add.reduce(array, axis=None)):
            return
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    if bad:
        raise CheckpointError(
            f"tensor {name}: {bad:,} of {array.size:,} values are NaN or infinite",
            where=where,
            remedy="the training diverged or overflowed (float16 does so easily): "
            "take an earlier checkpoint, or train in bfloat16",
        )


def _header(file: MappedFile) -> tuple[dict[str, Any], int]:
    """(parsed header, offset of the data)."""
    if len(file) < 8:
        raise _damaged(file, f"the file has {len(file)} bytes, too few for a safetensors header")
    length = int.from_bytes(file.bytes_at(0, 8), "little")
    if length > _MAX_HEADER_BYTES:
        raise _damaged(file, f"the header claims {length:,} bytes; this is not a safetensors file")
    if 8 + length > len(file):
        raise _damaged(file, f"the header claims {length:,} bytes but the file ends after {len(file):,}")
    try:
        return parse_json_object(file.bytes_at(8, length), where=file.path, remedy=_COPY_AGAIN), 8 + length
    except CheckpointError as error:
        raise _damaged(file, f"the header {error.message}") from error


def _stored_tensor(file: MappedFile, name: str, entry: object, data_start: int) -> StoredTensor:
    if not isinstance(entry, dict):
        raise _damaged(file, f"tensor {name}: the header entry is not an object")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _damaged(file, f"tensor {name}: unknown dtype {reprlib.repr(dtype)}")
    if not isinstance(shape, list) or len(shape) > _MAX_RANK or not all(_is_count(v) for v in shape):
        raise _damaged(
            file, f"tensor {name}: the shape {reprlib.repr(shape)} is not a list of up to {_MAX_RANK} sizes"
        )
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(value) for value in offsets):
        raise _damaged(file, f"tensor {name}: data_offsets {reprlib.repr(offsets)} are not two positions")
    begin, end = offsets
    available = len(file) - data_start
    if not begin <= end <= available:
        raise _damaged(
            file,
            f"tensor {name}: its bytes {begin:,}..{end:,} are not within the {available:,} bytes of data",
        )
    bits = math.prod(shape) * _BITS[dtype]
    if bits != (end - begin) * 8:
        raise _damaged(
            file,
            f"tensor {name}: {dtype} of shape {tuple(shape)} does not take {end - begin:,} bytes",
        )
    return StoredTensor(name, tuple(shape), dtype, file, data_start + begin, end - begin)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_DIMENSION


def _check_coverage(file: MappedFile, tensors: list[StoredTensor], data_start: int) -> None:
    """Raise unless the tensors cover the file's data exactly."""
    position = data_start
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.size)):
        if tensor.offset != position:
            fault = "overlaps the tensor before it" if tensor.offset < position else "leaves a gap before it"
            raise _damaged(file, f"tensor {tensor.name}: its data {fault}")
        position += tensor.size
    if position != len(file):
        raise _damaged(file, f"{len(file) - position:,} bytes after the last tensor belong to none")


def _damaged(file: MappedFile, message: str) -> CheckpointError:
    return CheckpointError(message, where=file.path, remedy=_COPY_AGAIN)


def _open_shards(index: Path) -> dict[str, StoredTensor]:
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(
            'key "weight_map" is not an object of tensor → file', where=index, remedy=_COPY_AGAIN
        )
    shard_names: dict[str, str] = {}  # shard → one tensor it should hold
    for name, shard in weight_map.items():
        if (
            not isinstance(shard, str)
            or Path(shard).name != shard
            or not shard.endswith(".safetensors")
            or len(shard.encode(errors="surrogatepass")) > _LONGEST_NAME
        ):
            raise CheckpointError(
                f"tensor {name} is said to be in {reprlib.repr(shard)}, not a .safetensors file of this directory",
                where=index,
                remedy=_COPY_AGAIN,
            )
        shard_names.setdefault(shard, name)
    missing = [shard for shard in shard_names if not (index.parent / shard).is_file()]
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(shard_names)} shards are missing: {some(missing)} "
            f"(tensor {shard_names[missing[0]]} is in {missing[0]})",
            where=index,
            remedy="copy or download the checkpoint again, all shards next to the index",
        )
    tensors: dict[str, StoredTensor] = {}
    for shard in sorted(shard_names):
        for name, tensor in open_safetensors(index.parent / shard).items():
            if name in tensors:
                raise CheckpointError(
                    f"tensor {name} is also in {tensors[name].source.name}",
                    where=tensor.source,
                    remedy=_COPY_AGAIN,
                )
            tensors[name] = tensor
    for name, shard in weight_map.items():
        if name not in tensors or tensors[name].source.name != shard:
            raise CheckpointError(
                f"tensor {name} is missing, although {index.name} places it here",
                where=index.parent / shard,
                remedy="the shards are of another checkpoint than the index: copy or download it again",
            )
    return tensors


def _no_weights(directory: Path) -> CheckpointError:
    """Say what there is instead of model.safetensors, and what to do about it."""
    names = sorted(entry.name for entry in directory.iterdir() if entry.is_file())
    safetensors = [name for name in names if name.endswith(".safetensors")]
    pickles = [name for name in names if name.endswith(_PICKLES) and name != "training_args.bin"]
    gguf = [name for name in names if name.endswith(".gguf")]
    if safetensors:
        return CheckpointError(
            f"neither {SINGLE_FILE} nor {INDEX_FILE} is here, only {some(safetensors)}",
            where=directory,
            remedy=f"name a single file {SINGLE_FILE}, or bring the index of the shards along",
        )
    if pickles:
        return CheckpointError(
            f"the weights are pickled ({some(pickles)}); opening them would run code from the checkpoint",
            where=directory,
            remedy=_SAVE_AS_SAFETENSORS,
        )
    if gguf:
        return CheckpointError(
            f"the weights are in GGUF ({some(gguf)}), which is already quantized for another runtime",
            where=directory,
            remedy="pass the Hugging Face checkpoint that the GGUF file was made from",
        )
    return CheckpointError(
        f"there are no weights here: neither {SINGLE_FILE} nor {INDEX_FILE}",
        where=directory,
        remedy=f"pass the directory that the training wrote, or {_SAVE_AS_SAFETENSORS}",
    )


def some(names: list[str], limit: int = 5) -> str:
    """List the first few names and say how many more there are."""
    listed = ", ".join(names[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"
