"""The demo bundle as `edgekit demo` leaves it: with presets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edgekit
from tests.conftest import EXAMPLE


@pytest.fixture(scope="session")
def navigator(demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "demo"
    schema = EXAMPLE / "answer-schema.json"
    edgekit.convert(
        demo_path, folder, name="settings-navigator", text=edgekit.TextOptions(answer_schema=schema)
    )
    shutil.copy(EXAMPLE / "edgekit.toml", folder)
    return folder
