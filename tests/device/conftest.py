"""The demo bundle, for the devices."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit


@pytest.fixture(scope="session")
def demo_bundle(demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file of the demo bundle."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    edgekit.convert(demo_path, folder)
    return next(folder.glob("*.litertlm"))
