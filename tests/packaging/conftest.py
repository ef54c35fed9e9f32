"""The demo bundle as `edgekit demo` leaves it, with presets, and what targets make of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import edgekit
from edgekit.benchmark.native.build import PREBUILT
from edgekit.packaging import core
from edgekit.packaging.result import Package
from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles

MODEL = "settings-navigator.litertlm"

Packaged = Callable[[str], Package]


@pytest.fixture(scope="package", autouse=True)
def small_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stand-in for the engine's library beside a library or files for an app: two of 40 MB say no more."""
    engine = tmp_path_factory.mktemp("engine") / "liblitert-lm.so"
    shutil.copy(PREBUILT / "librunner-android-arm64-v8a.so", engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "engine_library", lambda kind, abi: engine)
        yield engine


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
