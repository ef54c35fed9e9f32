"""The demo's own text, for what reads texts by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.text.settle import Text, read_text


@pytest.fixture(scope="session")
def text(demo_path: Path) -> Text:
    return read_text(demo_path, rows=2048)
