"""Bundles of the demo to measure, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.conversion.convert import convert
from edgekit.examples import sentiment


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(demo_path, tmp_path_factory.mktemp("bench") / "demo", check=False).bundle


@pytest.fixture(scope="session")
def demo_bundle(bundle: Path) -> Path:
    """The model file of the demo bundle."""
    return next(bundle.glob("*.litertlm"))


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    target = tmp_path_factory.mktemp("bench") / "demo-float"
    return convert(demo_path, target, recipe="float32", check=False).bundle


@pytest.fixture(scope="session")
def merged_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    target = tmp_path_factory.mktemp("merged") / "merged"
    return convert(sentiment() / "adapter", target, base=demo_path, check=False).bundle
