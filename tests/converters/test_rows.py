"""At decode, what XNNPACK would copy into its own order at every call is read once: no product takes it."""

from __future__ import annotations

import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.graph.format import Graph, read_graph
from edgekit.graph.library import SHIPPED
from edgekit.graph.slots import adapter_slots
from edgekit_converters.gemma3.rows import add_rows
from edgekit_converters.ship import shipped_keys

KEYS = shipped_keys("demo")
READERS = {"prefill": schema.BuiltinOperator.BATCH_MATMUL, "decode": schema.BuiltinOperator.MUL}


def readers(graph: Graph, signature: str) -> dict[str, list[int]]:
    """The operators that read the second matrix of each projection, by its input."""
    assert graph.key.adapters is not None
    model = schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0)
    found = next(each for each in model.signatureDefs if each.signatureKey.decode() == signature)
    names = {int(entry.tensorIndex): entry.name.decode() for entry in found.inputs}
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    read: dict[str, list[int]] = {
        slot.up: [] for slot in adapter_slots(graph.key.architecture, graph.key.adapters.targets)
    }
    for operator in model.subgraphs[found.subgraphIndex].operators:
        for index in operator.inputs:
            if (name := names.get(int(index))) in read:
                read[name].append(codes[operator.opcodeIndex])
    return read


@pytest.mark.parametrize("signature", READERS)
@pytest.mark.parametrize("name", ["demo-adapter16", "demo-attention-adapter32", "demo-adapter-scoring"])
def test_a_prompt_is_multiplied_and_one_token_scales_rows(name: str, signature: str) -> None:
    found = readers(read_graph(SHIPPED / KEYS[name].file_name()), signature)
    # Without logits, a prompt needs keys and values alone of the last layer.
    unread = sum(not operators for operators in found.values())
    assert unread <= (5 if signature == "prefill" else 0)
    assert all(operators in ([], [READERS[signature]]) for operators in found.values())


def test_a_graph_that_takes_no_adapters_stays_as_it_is() -> None:
    graph = read_graph(SHIPPED / KEYS["demo-dynamic"].file_name())
    assert add_rows(graph) is graph
