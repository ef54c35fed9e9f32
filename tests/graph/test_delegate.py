"""What no GPU backend runs is told by the operator's name, before it ships; tests/gpu holds this to the delegate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.conversion import plan
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.errors import GraphError, InputError
from edgekit.graph.delegate import obstacles, refuse_for_gpu
from edgekit.graph.format import Graph, GraphKey, read_graph
from edgekit.graph.library import SHIPPED
from edgekit.progress import SILENT, Progress

STATIC = sorted(SHIPPED.glob("*-static-*.graph"))


@pytest.mark.parametrize("path", STATIC, ids=lambda path: path.name[:15])
def test_the_static_graphs_that_ship_have_nothing_against_them(path: Path) -> None:
    assert list(obstacles(read_graph(path).flatbuffer)) == []


def test_a_dynamic_graph_has_operators_and_free_dimensions_against_it() -> None:
    found = list(obstacles(read_graph(next(SHIPPED.glob("*-dynamic.graph"))).flatbuffer))
    assert "FILL: its delegate does not know it" in found
    assert "SPLIT: its delegate takes it, and gives halves that are wrong" in found
    assert any(reason.startswith("SHAPE: it was never seen") for reason in found)
    assert found[-1] == "a tensor's length is free, and the GPU backend wants each to be fixed"


def test_the_refusal_names_graph_operators_and_a_remedy() -> None:
    path = next(SHIPPED.glob("*-dynamic.graph"))
    with pytest.raises(GraphError, match=r"would not run this graph: .*FILL: .*; SHAPE: ") as refused:
        refuse_for_gpu(read_graph(path).flatbuffer, path.name)
    assert (refused.value.where, "--form static" in (refused.value.remedy or "")) == (path.name, True)


def test_convert_refuses_such_a_graph(
    demo_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another_exporter(key: GraphKey, progress: Progress = SILENT) -> Graph:
        dynamic = replace(key, form="dynamic", prefill_lengths=(), rotation=0)
        return read_graph(SHIPPED / dynamic.file_name())

    monkeypatch.setattr(plan, "find_graph", of_another_exporter)
    with pytest.raises(GraphError, match="FILL"):
        convert(demo_path, tmp_path / "b", graph=GraphOptions("static"), check=False)
    assert not (tmp_path / "b").exists()


def test_convert_refuses_a_table_that_no_gpu_looks_up(demo_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="EMBEDDING_LOOKUP") as refused:
        convert(demo_path, tmp_path / "b", recipe="float32", graph=GraphOptions("static"), check=False)
    assert refused.value.where == "--form static --recipe float32"
    assert not (tmp_path / "b").exists()
