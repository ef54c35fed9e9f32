"""Capture: the shipped graphs are what the exporter gives, and a new shape is captured once."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.checkpoint import open_checkpoint
from edgekit.errors import MissingToolError
from edgekit.files.cache import CACHE_VARIABLE
from edgekit.graph import library
from edgekit.graph.format import read_graph
from edgekit.graph.library import SHIPPED, graph_key
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit_converters.gemma3 import capture
from edgekit_converters.ship import shipped_keys
from tests.fixtures.checkpoints import tiny_checkpoint
from tests.graph.linking import linked_model

pytestmark = pytest.mark.slow

CONVERT_IN_A_PROCESS = """
import sys
from edgekit.checkpoint import open_checkpoint
from edgekit.graph.library import find_graph, graph_key

class Listener:
    def step(self, name, total=None, unit=""):
        print("captured here", file=sys.stderr)
        from edgekit.progress import SILENT
        return SILENT.step(name)

find_graph(graph_key(open_checkpoint(sys.argv[1]).architecture, "dynamic"), Listener())
"""


@pytest.mark.parametrize(
    "name",
    [
        "demo-dynamic",
        pytest.param("demo-adapter-scoring", marks=pytest.mark.nightly),
        pytest.param("demo-static", marks=pytest.mark.nightly),
        pytest.param("demo-window", marks=pytest.mark.nightly),
    ],
)
def test_capturing_the_demo_s_graph_again_gives_the_one_that_ships(name: str) -> None:
    key = shipped_keys("demo")[name]
    captured, shipped = capture(key), read_graph(SHIPPED / key.file_name())
    assert captured.digest() == shipped.digest()
    assert dataclasses.replace(captured, made_with={}) == dataclasses.replace(shipped, made_with={})


def test_a_new_shape_is_captured_once_even_by_two_processes_and_computes_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its head is a matrix of its own, and two heads keep keys and values, which no shipped graph has."""
    checkpoint = tiny_checkpoint(tmp_path / "untied", tie=False, dtype="F32", layers=2, key_value_heads=2)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    environment = {**os.environ, CACHE_VARIABLE: str(tmp_path / "cache")}
    command = [sys.executable, "-c", CONVERT_IN_A_PROCESS, str(checkpoint)]
    runs = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], messages
    assert sum(message.count("captured here") for message in messages) == 1
    assert [path.suffix for path in (tmp_path / "cache" / "graphs").iterdir() if path.suffix != ".lock"] == [
        ".graph"
    ]

    opened = open_checkpoint(checkpoint)
    assert not opened.architecture.tied_embedding
    tokens = np.random.default_rng(3).integers(4, opened.architecture.vocab_size, 60).tolist()
    expected = reference_logits(checkpoint, tokens)
    stepped = GraphInterpreter(linked_model(opened), kv_length=64)
    np.testing.assert_allclose(stepped.logits(tokens), expected, atol=1e-4)
    prompted = GraphInterpreter(linked_model(opened), kv_length=64)
    prompted.prefill(tokens[:50])
    np.testing.assert_allclose(prompted.logits(tokens[50:]), expected[50:], atol=1e-4)


def test_without_the_convert_extra_a_new_shape_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(library, "entry_points", lambda **_: ())
    config = open_checkpoint(tiny_checkpoint(tmp_path / "new", layers=3)).architecture
    with pytest.raises(MissingToolError, match=r"edgekit\[convert\]"):
        library.find_graph(graph_key(config, "dynamic"))


def reference_logits(checkpoint: Path, tokens: list[int]) -> np.ndarray:
    """Transformers' logits; the checkpoint has no tokenizer, so the model is opened alone."""
    import torch
    import transformers

    assert json.loads((checkpoint / "config.json").read_text())["architectures"] == ["Gemma3ForCausalLM"]
    model = transformers.AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager"
    )
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].numpy()  # type: ignore[no-any-return]
