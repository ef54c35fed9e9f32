"""Graphs in the cache: captured once, and anew where what is there cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.files.cache import CACHE_VARIABLE
from edgekit.graph import library
from edgekit.graph.format import Graph, GraphKey, read_graph, write_graph
from edgekit.progress import Progress
from tests.fixtures.noting import Noting


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A shipped graph under a key for which none ships."""
    shipped = read_graph(next(library.SHIPPED.glob("*-dynamic.graph")))
    return replace(shipped, key=replace(shipped.key, form="static", prefill_lengths=(7,)))


def test_a_damaged_graph_is_captured_anew_with_a_note(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured = []

    def capture(key: GraphKey, progress: Progress) -> Graph:
        captured.append(key)
        return graph

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(library, "_converter", lambda key: capture)
    told = Noting()
    for _ in range(2):
        assert library.find_graph(graph.key, told) == graph
    assert (len(captured), told.notes) == (1, [])
    path = library.cache_directory() / graph.key.file_name()
    for damaged in (
        b"",
        path.read_bytes()[:-200],
        path.read_bytes()[:9000] + b"??" + path.read_bytes()[9002:],
    ):
        path.write_bytes(damaged)
        assert library.find_graph(graph.key, told) == graph
        assert str(path) in told.notes.pop()
        assert read_graph(path) == graph
    with path.open("wb") as file:
        write_graph(replace(graph, key=replace(graph.key, prefill_lengths=(8,))), file)
    assert library.find_graph(graph.key, told) == graph
    assert "of another architecture" in told.notes.pop()
    assert len(captured) == 5
