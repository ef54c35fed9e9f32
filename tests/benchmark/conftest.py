"""Bundles of the demo to measure, copied once: reports go into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.examples import sentiment
from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles, model_of


@pytest.fixture(scope="session")
def bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("bench") / "demo")


@pytest.fixture(scope="session")
def demo_bundle(bundles: Bundles) -> Path:
    """The model file of the demo bundle."""
    return model_of(bundles())


@pytest.fixture(scope="session")
def float_bundle(bundles: Bundles) -> Path:
    return bundles(recipe="float32")


@pytest.fixture(scope="session")
def merged_bundle(bundles: Bundles) -> Path:
    """The demo with the adapter for sentiment merged into it."""
    return bundles(sentiment() / "adapter", name="merged", base=EXAMPLE / "checkpoint")
