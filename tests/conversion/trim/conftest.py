"""Shared: the demo's text and vocabulary, and its English rows as a task of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.text.settle import Text, read_text
from edgekit.text.vocabulary import Vocabulary, read_vocabulary
from tests.conftest import EXAMPLE

ROWS = 2048


@pytest.fixture(scope="session")
def text(demo_path: Path) -> Text:
    return read_text(demo_path, rows=ROWS)


@pytest.fixture(scope="session")
def vocabulary(demo_path: Path) -> Vocabulary:
    return read_vocabulary(demo_path, rows=ROWS)


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The English rows of the demo's training data: 2,000, with 625 different pieces."""
    lines = (EXAMPLE / "train.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("corpus") / "english.jsonl"
    path.write_text(
        "\n".join(line for line in lines if json.loads(line)["language"] == "en"), encoding="utf-8"
    )
    return path
