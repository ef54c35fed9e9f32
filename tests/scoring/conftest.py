"""Shared: the demo in int8, which no test changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.bundles import Bundles


@pytest.fixture(scope="session")
def int8_bundle(bundles: Bundles) -> Path:
    return bundles()
