"""A graph with caches of half precision, made one with caches of 8 bits: the same operators around other types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgekit.graph.format import KV_SCALE, Graph
from edgekit.graph.rotate import Rotator
from edgekit.quantize.rotation import stretch

_KEYS = b"kv_cache_k_"


def narrow(graph: Graph) -> Graph:
    """Turn float16 caches into int8 ones of the one scale `KV_SCALE`, to which weights are fitted when linked.

    What is written is quantized where it was rounded to half precision, and what is read is dequantized. Keys, and the
    queries that meet them, are rotated behind their positions, so that no channel of a key stands out.
    """
    editor = Rotator(schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0), graph, schema)
    for number, subgraph in enumerate(editor.model.subgraphs):
        for states in [*_keys(editor.model, subgraph), *_queries(editor.model, subgraph)]:
            head_dim = int(subgraph.tensors[states].shape[-1])
            editor.rotate_states(number, states, stretch(head_dim, head_dim))
    _set_types(editor.model)
    return replace(graph, key=replace(graph.key, kv_precision="int8"), flatbuffer=editor.finish())


def _keys(model: Any, subgraph: Any) -> Iterator[int]:
    """The new keys of every layer, before they are rounded."""
    made_by = {int(output): operator for operator in subgraph.operators for output in operator.outputs}
    for index in map(int, subgraph.outputs):
        if _KEYS not in subgraph.tensors[index].name:
            continue
        last = made_by[index]
        if _kind(model, last) == schema.BuiltinOperator.DYNAMIC_UPDATE_SLICE:  # written in place
            yield int(made_by[int(last.inputs[1])].inputs[0])
        else:  # a new ring, gathered from the old one and what came behind it
            gathered = made_by[int(last.inputs[0])]
            yield int(made_by[int(gathered.inputs[0])].inputs[-1])


def _queries(model: Any, subgraph: Any) -> Iterator[int]:
    """The queries of every layer that attends: the left side of a product with keys, which lie as they are kept."""
    for operator in subgraph.operators:
        if _kind(model, operator) == schema.BuiltinOperator.BATCH_MATMUL and operator.builtinOptions.adjY:
            yield int(operator.inputs[0])


def _set_types(model: Any) -> None:
    cast, half = schema.BuiltinOperator.CAST, schema.TensorType.FLOAT16
    quantize = _operator_code(model, schema.BuiltinOperator.QUANTIZE)
    dequantize = _operator_code(model, schema.BuiltinOperator.DEQUANTIZE)
    for subgraph in model.subgraphs:
        narrowed = {i for i, tensor in enumerate(subgraph.tensors) if tensor.type == half}
        for index in narrowed:
            tensor = subgraph.tensors[index]
            tensor.type, tensor.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [KV_SCALE], [0]
        for operator in subgraph.operators:
            if _kind(model, operator) != cast:
                continue
            if operator.outputs[0] in narrowed:
                operator.opcodeIndex = quantize
                operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
                operator.builtinOptions = schema.QuantizeOptionsT()
            elif operator.inputs[0] in narrowed:
                operator.opcodeIndex = dequantize
                operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
                operator.builtinOptions = schema.DequantizeOptionsT()


def _kind(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _operator_code(model: Any, operator: int) -> int:
    """The index of an operator in version 2, the one that knows int8."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operator
    code.version = 2
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
