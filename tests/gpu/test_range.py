"""Half precision ends at 65,504; a real Gemma 3's residual stream does not, and the static graph scales it down."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from safetensors.numpy import load_file, save_file

from edgekit.bundle.opening import open_bundle
from edgekit.conversion import plan
from edgekit.conversion.convert import convert
from edgekit.graph import find_graph
from edgekit.graph.format import RESIDUAL_SCALE, Graph, GraphKey
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.questions import read_answers
from tests.fixtures.checkpoints import DEMO_CHECKPOINT
from tests.gpu.conftest import STATIC
from tests.gpu.test_answers import some

pytestmark = pytest.mark.slow

FACTOR = np.float32(2**13)
"""Takes the demo's residual stream beyond half precision, as a real model's is."""


@pytest.fixture(scope="module")
def outliers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with a residual stream FACTOR times as large, and the same logits."""
    directory = tmp_path_factory.mktemp("outliers") / "checkpoint"
    shutil.copytree(DEMO_CHECKPOINT, directory)
    tensors = {
        name: values.astype(np.float32) for name, values in load_file(directory / "model.safetensors").items()
    }
    for name, values in tensors.items():
        if name == "model.embed_tokens.weight":
            tensors[name] = values * FACTOR
        elif "layernorm" in name and "post_" in name:
            tensors[name] = (1 + values) * FACTOR - 1
        elif name == "model.norm.weight":  # the head is the embedding
            tensors[name] = (1 + values) / FACTOR - 1
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    return directory


def test_a_residual_stream_beyond_half_precision_is_read_right(outliers: Path, tmp_path: Path) -> None:
    bundle = convert(outliers, tmp_path / "b", graph=STATIC, check=False).bundle
    cpu, gpu = both(bundle)
    np.testing.assert_allclose(gpu, cpu, atol=0.05)


def test_without_the_scale_it_breaks(outliers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unscaled_graph(key: GraphKey, progress: Progress = SILENT) -> Graph:
        return unscaled(find_graph(key, progress))

    monkeypatch.setattr(plan, "find_graph", unscaled_graph)
    bundle = convert(outliers, tmp_path / "b", graph=STATIC, check=False).bundle
    cpu, gpu = both(bundle)
    assert np.isfinite(cpu).all()
    assert not np.isfinite(gpu).all()


def both(bundle: Path) -> tuple[np.ndarray, np.ndarray]:
    model, (pair,) = open_bundle(bundle).model_path, some(1)
    return tuple(np.concatenate(read_answers(model, [pair], backend)[0]) for backend in ("cpu", "gpu"))


def unscaled(graph: Graph) -> Graph:
    """The graph as if the residual stream had no scale of its own."""
    model = schema.ModelT.InitFromPackedBuf(graph.flatbuffer, 0)
    root = np.float32(graph.key.architecture.hidden_size**0.5)
    scaled = [
        buffer
        for buffer in model.buffers
        if buffer.data is not None and bytes(buffer.data) == (root * np.float32(RESIDUAL_SCALE)).tobytes()
    ]
    assert scaled
    for buffer in scaled:
        buffer.data = np.frombuffer(root.tobytes(), np.uint8)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    constants = tuple(
        replace(c, transform="one-plus") if c.transform == "one-plus-scaled" else c for c in graph.constants
    )
    return replace(graph, constants=constants, flatbuffer=bytes(builder.Output()))
