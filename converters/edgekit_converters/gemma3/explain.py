"""Find, by content, the checkpoint tensor behind every constant of a traced model.

Names are of no use: the exporter names constants after whatever module used them last. Content is: the model
was traced with random weights, so equal bytes mean the same tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgekit.errors import GraphError
from edgekit.families.base import Architecture
from edgekit.graph.format import RESIDUAL_SCALE, TensorRef, Transform
from edgekit_converters.gemma3 import rotary


@dataclass(frozen=True)
class Explained:
    """A constant of the traced model and the checkpoint tensor that it is made from."""

    tensor: str
    transform: Transform
    shape: tuple[int, ...]
    buffer: int
    refs: tuple[TensorRef, ...]
    quantizable: bool


def explain_constants(
    traced: bytes, architecture: Architecture, tensors: Mapping[str, NDArray[np.float32]], kv_length: int
) -> tuple[Explained, ...]:
    """Explain every floating point constant.

    A constant is a checkpoint tensor (as it is, or plus one), one of the architecture's rotary tables, or a
    single number. Integer constants are shapes and indices, but for the positions of a static graph.
    kv_length: the traced KV length.
    Raises GraphError when a constant is none of these, or when a checkpoint tensor is not met.
    """
    model = schema.ModelT.InitFromPackedBuf(traced, 0)
    known = _fingerprints(architecture, tensors)
    consumers = _consumers(model)
    explained = []
    for buffer, refs in _constant_refs(model).items():
        first = model.subgraphs[refs[0].subgraph].tensors[refs[0].tensor]
        shape = tuple(int(size) for size in first.shape)
        data = _content(traced, model.buffers[buffer])
        if data.tobytes() == np.arange(kv_length, dtype=np.int32).tobytes():
            explained.append(Explained(POSITIONS, "positions", shape, buffer, tuple(refs), False))
            continue
        if first.type in _INTEGERS or data.nbytes <= 4:
            continue
        match = known.get(data.tobytes())
        if match is None:
            raise GraphError(
                f"constant {buffer} of shape {list(shape)} is none of the model's tensors",
                where=first.name.decode(errors="replace"),
                remedy="the exporter changed what it writes: capture with the pinned versions",
            )
        if match == _ROTARY:
            continue
        tensor, transform = match
        read_by = set().union(*(consumers.get(ref, set()) for ref in refs))
        explained.append(
            Explained(
                tensor=tensor,
                transform=transform,
                shape=shape,
                buffer=buffer,
                refs=tuple(refs),
                quantizable=len(shape) == 2 and read_by <= _QUANTIZABLE_OPS,
            )
        )
    missing = sorted(set(tensors) - {constant.tensor for constant in explained} - _aliases(tensors))
    if missing:
        raise GraphError(f"{len(missing)} tensors are not met in the traced model: {', '.join(missing[:5])}")
    order = {name: position for position, name in enumerate([*tensors, POSITIONS])}
    return tuple(sorted(explained, key=lambda constant: order[constant.tensor]))


POSITIONS = "positions"
"""Name of the one constant that no checkpoint tensor goes into."""

_ROTARY = ("", "")
_INTEGERS = (schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL)
_QUANTIZABLE_OPS = {schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.EMBEDDING_LOOKUP}


def _fingerprints(
    architecture: Architecture, tensors: Mapping[str, NDArray[np.float32]]
) -> dict[bytes, tuple[str, Any]]:
    known: dict[bytes, tuple[str, Any]] = {}
    for name, values in tensors.items():
        if name in _aliases(tensors):
            continue
        forms = {"as-is": values}
        if values.ndim == 1:  # only norms are vectors, and only they are stored plus one
            forms["one-plus"] = np.float32(1) + values
            forms["one-plus-scaled"] = forms["one-plus"] * np.float32(RESIDUAL_SCALE)
        for transform, content in forms.items():
            key = np.ascontiguousarray(content).tobytes()
            if key in known:
                raise GraphError("two tensors of the traced model are equal", where=name)
            known[key] = (name, transform)
    for table in rotary.frequencies(architecture).values():
        known[table.numpy().tobytes()] = known[(table / rotary.TURN).numpy().tobytes()] = _ROTARY
    return known


def _aliases(tensors: Mapping[str, NDArray[np.float32]]) -> set[str]:
    """The tied output head is the embedding under another name."""
    head, embedding = tensors.get("lm_head.weight"), tensors["model.embed_tokens.weight"]
    return {"lm_head.weight"} if head is not None and np.shares_memory(head, embedding) else set()


def _constant_refs(model: Any) -> dict[int, list[TensorRef]]:
    """Every buffer with content → the tensors that read it."""
    refs: dict[int, list[TensorRef]] = {}
    for subgraph_index, subgraph in enumerate(model.subgraphs):
        for tensor_index, tensor in enumerate(subgraph.tensors):
            buffer = model.buffers[tensor.buffer]
            if buffer.size or (buffer.data is not None and len(buffer.data)):
                refs.setdefault(tensor.buffer, []).append(TensorRef(subgraph_index, tensor_index))
    return refs


def _content(traced: bytes, buffer: Any) -> NDArray[np.uint8]:
    if buffer.size:
        return np.frombuffer(traced, np.uint8, buffer.size, buffer.offset)
    return np.asarray(buffer.data, dtype=np.uint8)


def _consumers(model: Any) -> dict[TensorRef, set[int]]:
    """Every tensor that an operator reads → the builtin codes of those operators."""
    kinds = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    consumers: dict[TensorRef, set[int]] = {}
    for subgraph_index, subgraph in enumerate(model.subgraphs):
        for operator in subgraph.operators or []:
            for tensor in operator.inputs:
                consumers.setdefault(TensorRef(subgraph_index, int(tensor)), set()).add(
                    kinds[operator.opcodeIndex]
                )
    return consumers
