"""Shared: a cache of its own, a few rows of the demo's data, and bundles of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.conversion.convert import convert
from edgekit.graph.library import CACHE_VARIABLE
from tests.conftest import EXAMPLE

ROWS = 10


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("cache")
        patch.setenv(CACHE_VARIABLE, str(directory))
        yield directory


@pytest.fixture(scope="session")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("data") / "few.jsonl"
    path.write_text("\n".join(lines[:: len(lines) // ROWS][:ROWS]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(demo_path, tmp_path_factory.mktemp("f") / "float", recipe="float32", check=False).bundle


@pytest.fixture(scope="session")
def int8_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(demo_path, tmp_path_factory.mktemp("i") / "int8", recipe="int8", check=False).bundle
