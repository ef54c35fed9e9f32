"""What edgekit makes of the demo is, byte for byte, what it made before: a change here is a change of behaviour."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.files.cache import CACHE_VARIABLE
from tests.oracle import making

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def frozen() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(making.FROZEN.read_text(encoding="utf-8"))
    return record


@pytest.fixture(scope="session")
def demo_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return making.demo(tmp_path_factory.mktemp("oracle-demo"))


@pytest.fixture(scope="session")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(making.adapters(tmp_path_factory.mktemp("oracle-adapters")))


def test_bundles_have_the_frozen_bytes(frozen: dict[str, Any], tmp_path: Path) -> None:
    made = {name: making.files_of(path) for name, path in making.bundles(tmp_path)}
    assert made == frozen["bundles"]


def test_adapters_have_the_frozen_bytes(frozen: dict[str, Any], adapted: dict[str, Path]) -> None:
    assert {name: making.files_of(path) for name, path in adapted.items()} == frozen["adapters"]


def test_packages_have_the_frozen_bytes(frozen: dict[str, Any], demo_bundle: Path, tmp_path: Path) -> None:
    made = {name: making.files_of(path) for name, path in making.packages(demo_bundle, tmp_path)}
    assert made == frozen["packages"]


def test_reports_have_the_frozen_structure(
    frozen: dict[str, Any],
    demo_bundle: Path,
    adapted: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))  # a report tells whether the reference was kept
    made = {name: making.masked(values) for name, values in making.reports(demo_bundle, adapted)}
    assert made == frozen["reports"]
