"""What the tests of the Android build share. They use the real tools: `python android-build fetch` brings them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def planted() -> Path:
    """Sources with one mistake each."""
    return Path(__file__).with_name("planted")
