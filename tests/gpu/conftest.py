"""A GPU, where VK_ICD_FILENAMES names a driver: `make gpu` names SwiftShader, which is one in software."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.conversion.options import GraphOptions
from tests.fixtures.bundles import Bundles

DRIVER = "VK_ICD_FILENAMES"
GPU = os.environ.get(DRIVER, "")

STATIC = GraphOptions(form="static", kv_length=1024)


@pytest.fixture(scope="session", autouse=True)
def a_gpu() -> None:
    if not GPU or not Path(GPU).is_file():
        pytest.skip(f"no Vulkan driver is named: {DRIVER} (make gpu)")


@pytest.fixture(scope="session")
def static_bundle(bundles: Bundles) -> Path:
    return bundles(graph=STATIC)
