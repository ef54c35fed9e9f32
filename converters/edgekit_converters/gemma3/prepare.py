"""Turn a traced model into a graph: take the weights out and put in the places that linking patches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.errors import GraphError
from edgekit.graph.format import Constant, Dimension, Graph, GraphKey, TensorRef
from edgekit_converters.gemma3.explain import Explained
from edgekit_converters.gemma3.trace import Placeholders

_PRESENT = 1 << 40
"""Flatbuffers leave out fields that hold their default; any other number makes sure that a field is there."""


def prepare(
    traced: bytes,
    key: GraphKey,
    sizes: Placeholders,
    explained: Sequence[Explained],
    made_with: dict[str, str],
) -> Graph:
    """Make a linkable graph of a traced model; `edgekit.graph.format` says what that is."""
    model = schema.ModelT.InitFromPackedBuf(traced, 0)
    _split_evenly(model)
    constants = tuple(_constant(item) for item in explained)
    _strip_names(model, constants)
    for constant in constants:
        _empty_weight(model, constant)
    spare_buffers = _add_spares(model, constants)
    vocabulary_dimensions = tuple(_find_dimensions(model, sizes.vocabulary))
    kv_dimensions = tuple(_find_dimensions(model, sizes.kv_length)) if key.form == "static" else ()
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return Graph(
        key=key,
        vocabulary=sizes.vocabulary,
        kv_length=sizes.kv_length if key.form == "static" else 0,
        constants=constants,
        vocabulary_dimensions=vocabulary_dimensions,
        kv_dimensions=kv_dimensions,
        spare_buffers=spare_buffers,
        made_with=made_with,
        flatbuffer=bytes(builder.Output()),
    )


def _constant(item: Explained) -> Constant:
    return Constant(item.tensor, item.transform, item.shape, item.buffer, item.refs, item.quantizable)


def _split_evenly(model: Any) -> None:
    """Make SPLIT of SPLIT_V, whose parts are always equal here: XNNPACK takes over the first, but not the second."""
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.SPLIT_V:
            continue
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SPLIT
        for subgraph in model.subgraphs:
            for operator in subgraph.operators:
                if operator.opcodeIndex != index:
                    continue
                values, _, axis = operator.inputs
                operator.inputs = np.array([axis, values], np.int32)
                options = schema.SplitOptionsT()
                options.numSplits = operator.builtinOptions.numSplits
                operator.builtinOptionsType, operator.builtinOptions = (
                    schema.BuiltinOptions.SplitOptions,
                    options,
                )


def _strip_names(model: Any, constants: Iterable[Constant]) -> None:
    """Drop the tracer's module paths, two thirds of the file; weights take their checkpoint names."""
    for signature in model.signatureDefs:
        subgraph = model.subgraphs[signature.subgraphIndex]
        bound = {entry.tensorIndex for entry in [*signature.inputs, *signature.outputs]}
        for index, tensor in enumerate(subgraph.tensors):
            if index not in bound:
                tensor.name = b""
    entry_points = {signature.subgraphIndex for signature in model.signatureDefs}
    for index, subgraph in enumerate(model.subgraphs):
        if index not in entry_points:
            for tensor in subgraph.tensors:
                tensor.name = b""
    for constant in constants:
        for ref in constant.refs:
            model.subgraphs[ref.subgraph].tensors[ref.tensor].name = constant.tensor.encode()


def _empty_weight(model: Any, constant: Constant) -> None:
    buffer = model.buffers[constant.buffer]
    buffer.data, buffer.offset, buffer.size = None, _PRESENT, _PRESENT
    if constant.transform == "positions":
        return
    for ref in constant.refs:
        tensor = model.subgraphs[ref.subgraph].tensors[ref.tensor]
        tensor.type = schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT()


def _add_spares(model: Any, constants: Iterable[Constant]) -> int:
    """Append spare tensors and buffers for block scales; gives the number of buffers."""
    quantizable = [constant for constant in constants if constant.quantizable]
    first_buffer = len(model.buffers)
    for _ in quantizable:
        buffer = schema.BufferT()
        buffer.offset, buffer.size = _PRESENT, _PRESENT
        model.buffers.append(buffer)
    for subgraph, count in Counter(ref.subgraph for c in quantizable for ref in c.refs).items():
        for _ in range(count):
            tensor = schema.TensorT()
            tensor.type, tensor.buffer = schema.TensorType.FLOAT16, first_buffer
            tensor.shape, tensor.name, tensor.hasRank = np.array([1], np.int32), b"spare", True
            model.subgraphs[subgraph].tensors.append(tensor)
    return len(quantizable)


def _find_dimensions(model: Any, placeholder: int) -> Iterable[Dimension]:
    """Every shape and shape signature in which a placeholder stands.

    Raises GraphError when it also stands in a constant, which the linker would leave behind.
    """
    for subgraph_index, subgraph in enumerate(model.subgraphs):
        for tensor_index, tensor in enumerate(subgraph.tensors):
            ref = TensorRef(subgraph_index, tensor_index)
            for field, sizes in (("shape", tensor.shape), ("signature", tensor.shapeSignature)):
                for index, size in enumerate([] if sizes is None else sizes):
                    if size == placeholder:
                        yield Dimension(field, ref, index)
            data = model.buffers[tensor.buffer].data
            if tensor.type == schema.TensorType.INT32 and data is not None:
                values = np.asarray(data, np.uint8).view(np.int32)
                if placeholder in values:
                    raise GraphError(f"size {placeholder} stands in a constant of {list(values)}")
