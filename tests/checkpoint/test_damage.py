"""Whatever a config.json or adapter_config.json says, opening ends in a checkpoint or in one error that helps."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.checkpoint import open_checkpoint
from edgekit.errors import CheckpointError
from tests.fixtures.checkpoints import (
    conditional_checkpoint,
    old_config_document,
    tiny_adapter,
    tiny_checkpoint,
    write_json,
)

ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3.5, float("nan"), float("inf"), 1e30, 10**30, "", "x", "-1", "../x"),
    *([], [1], ["a"], [[1, 2]], ["full_attention"], {}, {"a": 1}, {"rope_type": "linear"}),
    {"full_attention": {"rope_type": 3}},
]


def new_config(directory: Path) -> Path:
    return tiny_checkpoint(directory) / "config.json"


def old_config(directory: Path) -> Path:
    write_json(new_config(directory), old_config_document())
    return directory / "config.json"


def nested_config(directory: Path) -> Path:
    return conditional_checkpoint(directory) / "config.json"


def adapter_config(directory: Path) -> Path:
    return tiny_adapter(directory / "adapter", tiny_checkpoint(directory / "base")) / "adapter_config.json"


@pytest.mark.parametrize("build", [new_config, old_config, nested_config, adapter_config])
def test_odd_values_end_in_a_checkpoint_or_an_error_that_helps(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = build(tmp_path)
    document = json.loads(path.read_text())

    @given(st.data())
    def opened(data: st.DataObject) -> None:
        changed = data.draw(damaged(document))
        write_json(path, changed)
        try:
            checkpoint = open_checkpoint(path.parent)
        except CheckpointError as error:
            assert error.where and error.remedy, changed
        else:
            assert all(tensor.read(slice(0, 1)).shape[0] == 1 for tensor in checkpoint.tensors.values())

    opened()


@st.composite
def damaged(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """Change or remove one to three keys, at any depth."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        node = changed
        key = draw(st.sampled_from(list(node)))
        while isinstance(node[key], dict) and node[key] and draw(st.booleans()):
            node = node[key]
            key = draw(st.sampled_from(list(node)))
        if len(node) > 1 and draw(st.integers(0, 6)) == 0:
            del node[key]
        else:
            node[key] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    return changed
