"""Captured graphs: their format, the library of shipped ones, and the linker that puts weights into them."""

from edgekit.graph.format import Constant, Graph, GraphKey, read_graph, write_graph
from edgekit.graph.library import find_graph, graph_key
from edgekit.graph.linker import Link, Slot, plan_link

__all__ = [
    "Constant",
    "Graph",
    "GraphKey",
    "Link",
    "Slot",
    "find_graph",
    "graph_key",
    "plan_link",
    "read_graph",
    "write_graph",
]
