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
        for states in [*_keys(editor, subgraph), *_queries(editor, subgraph)]:
            head_dim = int(subgraph.tensors[states].shape[-1])
            editor.rotate_states(number, states, stretch(head_dim, head_dim))
    _set_types(editor)
    return replace(graph, key=replace(graph.key, kv_precision="int8"), flatbuffer=editor.finish())


def _keys(editor: Rotator, subgraph: Any) -> Iterator[int]:
    """The new keys of every layer, before they are rounded."""
    made_by = {int(output): operator for operator in subgraph.operators for output in operator.outputs}
    update = editor.code(schema.BuiltinOperator.DYNAMIC_UPDATE_SLICE)
    for index in map(int, subgraph.outputs):
        if _KEYS not in subgraph.tensors[index].name:
            continue
        last = made_by[index]
        if last.opcodeIndex == update:  # written in place
            yield int(made_by[int(last.inputs[1])].inputs[0])
        else:  # a new ring, gathered from the old one and what came behind it
            gathered = made_by[int(last.inputs[0])]
            yield int(made_by[int(gathered.inputs[0])].inputs[-1])


def _queries(editor: Rotator, subgraph: Any) -> Iterator[int]:
    """The queries of every layer that attends: the left side of a product with keys, which lie as they are kept."""
    product = editor.code(schema.BuiltinOperator.BATCH_MATMUL)
    for operator in subgraph.operators:
        if operator.opcodeIndex == product and operator.builtinOptions.adjY:
            yield int(operator.inputs[0])


def _set_types(editor: Rotator) -> None:
    cast = editor.code(schema.BuiltinOperator.CAST)
    # Version 2 is the one that knows int8.
    quantize = editor.code(schema.BuiltinOperator.QUANTIZE, version=2)
    dequantize = editor.code(schema.BuiltinOperator.DEQUANTIZE, version=2)
    for subgraph in editor.model.subgraphs:
        narrowed = {i for i, each in enumerate(subgraph.tensors) if each.type == schema.TensorType.FLOAT16}
        for index in narrowed:
            tensor = subgraph.tensors[index]
            tensor.type, tensor.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [KV_SCALE], [0]
        for operator in subgraph.operators:
            if operator.opcodeIndex != cast:
                continue
            if operator.outputs[0] in narrowed:
                operator.opcodeIndex = quantize
                operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
                operator.builtinOptions = schema.QuantizeOptionsT()
            elif operator.inputs[0] in narrowed:
                operator.opcodeIndex = dequantize
                operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
                operator.builtinOptions = schema.DequantizeOptionsT()
