"""What the engine's GPU backend takes of a graph, told without a GPU.

The backend takes a graph whole or not at all: one operator that its delegate does not know, and the file does not open
there. tests/gpu holds this table to what the delegate says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgekit.errors import GraphError

RUNS: Final = frozenset(
    {
        *(
            "ADD",
            "BATCH_MATMUL",
            "CAST",
            "CONCATENATION",
            "COS",
            "DYNAMIC_UPDATE_SLICE",
            "EMBEDDING_LOOKUP",
            "FLOOR",
        ),
        *(
            "FULLY_CONNECTED",
            "GATHER",
            "GELU",
            "GREATER",
            "LESS",
            "LOGICAL_AND",
            "MEAN",
            "MUL",
            "NEG",
            "PACK",
        ),
        *(
            "RESHAPE",
            "RSQRT",
            "SELECT_V2",
            "SIN",
            "SLICE",
            "SOFTMAX",
            "STABLEHLO_COMPOSITE",
            "SUB",
            "TRANSPOSE",
        ),
    }
)
"""Operators that litert-lm-api 0.18.1 runs on WebGPU, and rightly: seen in our graphs and in export_hf's."""

WHY_NOT: Final = {
    "FILL": "its delegate does not know it",
    "SPLIT": "its delegate takes it, and gives halves that are wrong",
    "CUSTOM": "its delegate knows no custom operator",
}
"""Seen with litert-lm-api 0.18.1; of others nothing is known, so they count as refused."""


def obstacles(flatbuffer: bytes) -> Iterator[str]:
    """Yield why the GPU backend would not open a graph, or would answer wrongly: one reason per kind of operator.

    flatbuffer: a TFLite model. Subgraphs that no signature starts are a composite's, for which it has a kernel.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(flatbuffer, 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    kinds = [
        names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
        for code in (model.OperatorCodes(index) for index in range(model.OperatorCodesLength()))
    ]
    entries = [model.SignatureDefs(i).SubgraphIndex() for i in range(model.SignatureDefsLength())]
    subgraphs = [model.Subgraphs(index) for index in sorted(set(entries))]
    used = {
        kinds[graph.Operators(index).OpcodeIndex()]
        for graph in subgraphs
        for index in range(graph.OperatorsLength())
    }
    for kind in sorted(used - RUNS):
        yield f"{kind}: {WHY_NOT.get(kind, 'it was never seen running there')}"
    if any(
        (graph.Tensors(index).ShapeSignatureAsNumpy() < 0).any()
        for graph in subgraphs
        for index in range(graph.TensorsLength())
        if graph.Tensors(index).ShapeSignatureLength()
    ):
        yield "a tensor's length is free, and the GPU backend wants each to be fixed"


def refuse_for_gpu(flatbuffer: bytes, where: str) -> None:
    """Raise GraphError, naming the operators, for a graph that the GPU backend would not run."""
    found = list(obstacles(flatbuffer))
    if found:
        raise GraphError(
            f"the GPU backend would not run this graph: {'; '.join(found)}",
            where=where,
            remedy="leave --form static out, for the processor; and report the graph",
        )
