"""Shared: a few rows of the demo's data, and bundles of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles

ROWS = 10


@pytest.fixture(scope="session")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("data") / "few.jsonl"
    path.write_text("\n".join(lines[:: len(lines) // ROWS][:ROWS]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def float_bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("f") / "float", recipe="float32")


@pytest.fixture(scope="session")
def int8_bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("i") / "int8", recipe="int8")
