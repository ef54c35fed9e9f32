"""The graph file: what is written is read, equal graphs are equal bytes, damage is an error."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import GraphError
from edgekit.graph.format import FORMAT_VERSION, read_graph, write_graph
from edgekit.graph.library import SHIPPED
from edgekit_converters.ship import ARCHITECTURES, shipped_keys

SHIPPED_GRAPHS = sorted(SHIPPED.glob("*.graph"))


def test_exactly_the_named_graphs_of_all_architectures_ship_and_each_takes_at_most_a_megabyte() -> None:
    keys = [key for name in ARCHITECTURES for key in shipped_keys(name).values()]
    assert [path.name for path in SHIPPED_GRAPHS] == sorted(key.file_name() for key in keys)
    assert {read_graph(path).key for path in SHIPPED_GRAPHS} == set(keys)
    assert all(path.stat().st_size <= 1_000_000 for path in SHIPPED_GRAPHS)


@pytest.mark.parametrize("path", SHIPPED_GRAPHS, ids=lambda path: path.stem)
def test_a_graph_is_written_as_it_was_read(path: Path, tmp_path: Path) -> None:
    graph = read_graph(path)
    assert graph.key.file_name() == path.name
    write_graph(graph, tmp_path / "copy.graph")
    assert read_graph(tmp_path / "copy.graph") == graph
    write_graph(graph, tmp_path / "again.graph")
    assert (tmp_path / "again.graph").read_bytes() == (tmp_path / "copy.graph").read_bytes()


def test_architectures_differ_in_their_file_names() -> None:
    key = read_graph(SHIPPED_GRAPHS[0]).key
    other = dataclasses.replace(
        key,
        architecture=dataclasses.replace(
            key.architecture, sliding_window=key.architecture.sliding_window + 1
        ),
    )
    assert key.file_name() != other.file_name()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"nowhere\.graph"):
        read_graph(tmp_path / "nowhere.graph")


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.graph"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.json", '{"format_version": 99}')
        archive.writestr("model.tflite", b"")
    with pytest.raises(GraphError, match=f"99; this edgekit reads {FORMAT_VERSION}"):
        read_graph(path)


@given(st.binary(min_size=1, max_size=20), st.floats(0, 1))
def test_a_damaged_file_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, replaced: bytes, share: float
) -> None:
    """A ZIP archive has a checksum for each member, and its directory at the end."""
    good = SHIPPED_GRAPHS[0].read_bytes()
    path = tmp_path_factory.getbasetemp() / "damaged.graph"
    path.write_bytes(good[: int(share * (len(good) - 1))])
    with pytest.raises(GraphError, match=r"damaged\.graph"):
        read_graph(path)
    at = 2_000 + int(share * 30_000)  # within the second member
    changed = bytes(byte ^ (new or 1) for byte, new in zip(good[at:], replaced, strict=False))
    path.write_bytes(good[:at] + changed + good[at + len(changed) :])
    with pytest.raises(GraphError, match=r"damaged\.graph"):
        read_graph(path)
