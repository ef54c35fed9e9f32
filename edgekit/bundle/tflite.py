"""What a TFLite model holds: signatures, constants by scheme and by part. Damaged models end as FlatError.

The model is read where it lies in memory with the bounded reader of `edgekit.bundle.flat`; weights are never
touched. Field numbers are those of the TFLite schema (ai-edge-litert 2.3, `schema_py_generated`), which only
ever grows. Small models keep constants inside the flatbuffer; large ones behind it, at the offset and size
that a buffer names, counted from the model's first byte.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edgekit.bundle.flat import Flat, FlatError, Table

_I8, _U8, _I32, _U32, _U64 = (struct.Struct(f"<{code}") for code in "bBiIQ")

_TYPES: Final = (
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
    "bfloat16",
    "int2",
    "uint4",
    "float8_e4m3fn",
    "float8_e5m2",
)
"""The schema's TensorType, by number."""

ADAPTER_INPUT: Final = "lora_atten_"
"""With which the names of adapter inputs begin (`edgekit.graph.slots`)."""

_NO_DETAILS, _BLOCKWISE = 0, 2  # of the union QuantizationDetails


@dataclass(frozen=True)
class TensorSpec:
    """An input or output; -1 stands for a free dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class SignatureSummary:
    """A callable of the model, inputs and outputs in the file's order."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class SchemeSummary:
    """Constants of one scheme, such as `int4 block 32`: how many tensors, parameters and bytes.

    bytes: as stored. Block scales belong to what they scale; channel scales are part of the graph.
    """

    scheme: str
    tensors: int
    parameters: int
    bytes: int


@dataclass(frozen=True)
class ModelSummary:
    """A TFLite model.

    section: its number in the container.
    graph_bytes, weight_bytes: the section without its constants, and the constants.
    parameters: of the constants that are weights, that is, of all floating-point and quantized ones.
    dynamic: the KV cache's length is a free dimension; kv_length is None then (and when there is no cache).
    prefill_lengths: tokens per prefill signature, -1 for a free dimension.
    parts: bytes of constants by part: embedding, attention, mlp, norms, other constants.
    """

    section: int
    size: int
    graph_bytes: int
    weight_bytes: int
    parameters: int
    layers: int
    dynamic: bool
    kv_length: int | None
    prefill_lengths: tuple[int, ...]
    signatures: tuple[SignatureSummary, ...]
    schemes: tuple[SchemeSummary, ...]
    parts: Mapping[str, int]


@dataclass(frozen=True)
class _Constant:
    """A buffer with content, seen through the first tensor that refers to it."""

    name: str
    shape: tuple[int, ...]
    scheme: str
    quantized: bool
    bytes: int
    inside: bool


def is_tflite(data: memoryview) -> bool:
    """Tell whether a file begins like a TFLite flatbuffer."""
    return len(data) >= 8 and bytes(data[4:8]) == b"TFL3"


def read_model(data: memoryview, section: int) -> ModelSummary:
    """Summarize a TFLite model. Raises FlatError when it is damaged."""
    if not is_tflite(data):
        raise FlatError("it is no TFLite model (no TFL3 at its begin)")
    root = Flat(data).root()
    subgraphs = list(root.tables(2, "the subgraphs"))
    signatures = tuple(_signature(table, subgraphs) for table in root.tables(7, "the signatures"))
    constants, scales = _constants(root, subgraphs, len(data))
    kv_length, dynamic, layers = _cache(signatures)
    weights = sum(constant.bytes for constant in constants.values() if constant.inside)
    if weights > len(data):
        raise FlatError(f"its constants claim {weights} bytes, it has {len(data)}")
    return ModelSummary(
        section=section,
        size=len(data),
        graph_bytes=len(data) - weights,
        weight_bytes=sum(constant.bytes for constant in constants.values()),
        parameters=sum(
            math.prod(c.shape) for key, c in constants.items() if key not in scales and _is_weight(c)
        ),
        layers=layers,
        dynamic=dynamic,
        kv_length=kv_length,
        prefill_lengths=_prefill_lengths(signatures),
        signatures=signatures,
        schemes=_schemes(constants, scales),
        parts=_parts(constants, scales, _vocabulary(signatures)),
    )


def adapter_rank(data: memoryview) -> int | None:
    """Return the rank of the adapters that a model takes; None when it has no inputs for them.

    Raises FlatError when the model is damaged.
    """
    root = Flat(data).root()
    subgraphs = list(root.tables(2, "the subgraphs"))
    for table in root.tables(7, "the signatures"):
        for spec in _signature(table, subgraphs).inputs:
            if spec.name.startswith(ADAPTER_INPUT) and spec.shape:
                return spec.shape[0]
    return None


@dataclass(frozen=True)
class ExternalTensor:
    """A tensor whose content lies behind the flatbuffer: offset and size count bytes from the file's begin."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    size: int


def external_tensors(data: memoryview) -> tuple[ExternalTensor, ...]:
    """List the tensors of all subgraphs that have external buffers. Raises FlatError when the file is damaged."""
    if not is_tflite(data):
        raise FlatError("it is no TFLite file (no TFL3 at its begin)")
    root = Flat(data).root()
    places = []
    for buffer in root.tables(4, "the buffers"):
        _buffer_bytes(buffer, len(data))
        places.append((buffer.integer(1, _U64), buffer.integer(2, _U64)))
    found = []
    for subgraph in root.tables(2, "the subgraphs"):
        for tensor in subgraph.tables(0, f"the tensors of {subgraph.what}"):
            number = tensor.integer(2, _U32)
            if number >= len(places):
                raise FlatError(f"{tensor.what} refers to buffer {number} of {len(places)}")
            offset, size = places[number]
            if offset > 1:
                name = tensor.text(3, f"the name of {tensor.what}") or ""
                found.append(ExternalTensor(name, _shape(tensor), _dtype(tensor), offset, size))
    return tuple(found)


# ---------------------------------------- signatures


def _signature(table: Table, subgraphs: list[Table]) -> SignatureSummary:
    number = table.integer(4, _U32)
    if number >= len(subgraphs):
        raise FlatError(f"{table.what} refers to subgraph {number} of {len(subgraphs)}")
    subgraph = subgraphs[number]

    def specs(field: int, what: str) -> tuple[TensorSpec, ...]:
        return tuple(
            _spec(subgraph, entry.text(0, f"the name of an {what}") or "", entry.integer(1, _U32))
            for entry in table.tables(field, f"the {what}s of {table.what}")
        )

    return SignatureSummary(table.text(2, "a signature's name") or "", specs(0, "input"), specs(1, "output"))


def _spec(subgraph: Table, name: str, index: int) -> TensorSpec:
    tensor = subgraph.table_in(0, index, f"the tensors of {subgraph.what}")
    return TensorSpec(name, _shape(tensor), _dtype(tensor))


def _shape(tensor: Table) -> tuple[int, ...]:
    """Return the shape with -1 for free dimensions, which only the shape's signature tells."""
    free = tensor.integers(7, f"the shape signature of {tensor.what}")
    return free or tensor.integers(0, f"the shape of {tensor.what}") or ()


def _dtype(tensor: Table) -> str:
    code = tensor.integer(1, _I8)
    return _TYPES[code] if 0 <= code < len(_TYPES) else f"type {code}"


def _cache(signatures: tuple[SignatureSummary, ...]) -> tuple[int | None, bool, int]:
    """Return KV length, whether it is free, and the number of layers, from the inputs of the last signature
    that has a cache.

    The cache's own axes are ordered in several ways (keys and values differ even within one file); the
    attention mask's last one is always the cache's length. Without a mask it is the one axis in which keys
    are longest.
    """
    for signature in reversed(signatures):
        caches = [spec for spec in signature.inputs if spec.name.startswith("kv_cache_")]
        if not caches:
            continue
        layers = sum(spec.name.startswith("kv_cache_k_") for spec in caches)
        dynamic = any(-1 in spec.shape for spec in caches)
        mask = next((spec.shape for spec in signature.inputs if spec.name == "mask" and spec.shape), None)
        length = mask[-1] if mask else max(caches[0].shape, default=0)
        return (None if dynamic or length < 1 else length), dynamic, layers
    return None, False, 0


def _prefill_lengths(signatures: tuple[SignatureSummary, ...]) -> tuple[int, ...]:
    return tuple(
        spec.shape[-1]
        for signature in signatures
        if signature.name.startswith("prefill")
        for spec in signature.inputs
        if spec.name in ("tokens", "embeddings") and spec.shape
    )


def _vocabulary(signatures: tuple[SignatureSummary, ...]) -> int | None:
    return next((o.shape[-1] for s in signatures for o in s.outputs if o.name == "logits" and o.shape), None)


# ---------------------------------------- constants


def _constants(root: Table, subgraphs: list[Table], size: int) -> tuple[dict[int, _Constant], dict[int, int]]:
    """Return the constants by buffer, and which of them hold the block scales of which other.

    Tensors that share a buffer (prefill and decode share all weights) count once. Buffers of other sections
    get negative numbers.
    """
    stored = [_buffer_bytes(table, size) for table in root.tables(4, "the buffers")]
    elsewhere = {t.integer(0, _U32): t.integer(3, _U64) for t in root.tables(9, "the external buffers")}
    constants: dict[int, _Constant] = {}
    scales: dict[int, int] = {}
    for subgraph in subgraphs:
        keys: list[int | None] = []
        scaled_by: dict[int, int] = {}
        for tensor in subgraph.tables(0, f"the tensors of {subgraph.what}"):
            buffer, outside = tensor.integer(2, _U32), tensor.integer(10, _U32)
            if buffer >= len(stored):
                raise FlatError(f"{tensor.what} refers to buffer {buffer} of {len(stored)}")
            key = -outside if outside else buffer
            held = elsewhere.get(outside, 0) if outside else stored[buffer]
            keys.append(key if held else None)
            if not held:
                continue
            quantization = tensor.table(4, f"the quantization of {tensor.what}")
            scheme, quantized, scale_tensor = _scheme(tensor, quantization)
            if scale_tensor is not None:
                scaled_by[key] = scale_tensor
            if key not in constants:
                name = tensor.text(3, f"the name of {tensor.what}") or ""
                constants[key] = _Constant(name, _shape(tensor), scheme, quantized, held, not outside)
        for key, scale_tensor in scaled_by.items():
            if not 0 <= scale_tensor < len(keys):
                raise FlatError(f"block scales in tensor {scale_tensor} of {len(keys)}")
            scale_key = keys[scale_tensor]
            if scale_key is not None and scale_key != key:
                scales[scale_key] = key
    return constants, scales


def _buffer_bytes(buffer: Table, size: int) -> int:
    """Return how much a buffer holds, inside the flatbuffer or behind it."""
    offset, length = buffer.integer(1, _U64), buffer.integer(2, _U64)
    if offset > 1:  # 0 and 1 mean that the content, if any, is inside
        if offset + length > size:
            raise FlatError(f"{buffer.what} reaches to byte {offset + length} of {size}: cut off or damaged")
        return length
    return buffer.count(0, 1, f"the content of {buffer.what}")


def _scheme(tensor: Table, quantization: Table | None) -> tuple[str, bool, int | None]:
    """Return the scheme's name, whether it is a quantization at all, and the tensor that holds block
    scales."""
    dtype = _dtype(tensor)
    if quantization is None:
        return dtype, False, None
    details = quantization.code(4)
    if details == _BLOCKWISE:
        block = quantization.table(5, f"the block quantization of {tensor.what}")
        if block is None:
            raise FlatError(f"the block quantization of {tensor.what} is missing")
        return f"{dtype} block {block.integer(2, _I32)}", True, block.integer(0, _I32)
    if details != _NO_DETAILS:
        return f"{dtype} custom", True, None
    count = quantization.count(2, 4, f"the scales of {tensor.what}")
    if count == 0:
        return dtype, False, None
    shape = _shape(tensor)
    axis = quantization.integer(6, _I32)
    per_channel = count > 1 or (len(shape) > 1 and 0 <= axis < len(shape) and shape[axis] == 1)
    return f"{dtype} {'channel' if per_channel else 'tensor'}", True, None


def _is_weight(constant: _Constant) -> bool:
    return constant.quantized or constant.scheme.startswith(("float", "bfloat"))


def _schemes(constants: dict[int, _Constant], scales: dict[int, int]) -> tuple[SchemeSummary, ...]:
    tensors: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for key, constant in constants.items():
        owner = constants.get(scales.get(key, key), constant)
        held[owner.scheme] += constant.bytes
        if owner is constant:
            tensors[constant.scheme] += 1
            parameters[constant.scheme] += math.prod(constant.shape)
    return tuple(
        SchemeSummary(name, tensors[name], parameters[name], count) for name, count in held.most_common()
    )


def _parts(constants: dict[int, _Constant], scales: dict[int, int], vocabulary: int | None) -> dict[str, int]:
    parts = dict.fromkeys(("embedding", "attention", "mlp", "norms", "other constants"), 0)
    for key, constant in constants.items():
        parts[_part(constants.get(scales.get(key, key), constant), vocabulary)] += constant.bytes
    return parts


def _part(constant: _Constant, vocabulary: int | None) -> str:
    """Return the part of the model that a constant belongs to.

    The embedding is told by its shape, because exporters give it no speaking name; the rest by the path of
    the module it came from (gate and up projection may be exchanged in it, which does not matter here).
    """
    name = constant.name.lower()
    if len(constant.shape) == 2 and constant.shape[0] == vocabulary:
        return "embedding"
    if "norm" in name.rsplit("/", 1)[-1] and sum(size != 1 for size in constant.shape) <= 1:
        return "norms"
    if "attn" in name or "attention" in name:
        return "attention"
    if "mlp" in name or "feed_forward" in name:
        return "mlp"
    return "embedding" if "embed" in name and len(constant.shape) == 2 else "other constants"
