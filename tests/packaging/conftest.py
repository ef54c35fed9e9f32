"""The demo bundle as `edgekit demo` leaves it, with presets, and what targets make of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import edgekit
from edgekit.packaging.result import Package
from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles

MODEL = "settings-navigator.litertlm"

Packaged = Callable[[str], Package]


@pytest.fixture(scope="session")
def navigator(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "demo"
    schema = EXAMPLE / "answer-schema.json"
    bundles.copy(folder, name="settings-navigator", text=edgekit.TextOptions(answer_schema=schema))
    shutil.copy(EXAMPLE / "edgekit.toml", folder)
    return folder


@pytest.fixture(scope="session")
def packaged(navigator: Path, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """Gives what a target makes of the demo when nothing else is said; made once."""
    folder = tmp_path_factory.mktemp("packaged")
    return cache(lambda target: edgekit.package(navigator, target, folder / target))
