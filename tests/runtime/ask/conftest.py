"""One bundle whose answers Transformers knows, opened in the engine once for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.conversion.convert import convert
from edgekit.runtime.ask.session import Session, ask


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    """The demo, unquantized: what it says is what Transformers says."""
    target = tmp_path_factory.mktemp("float") / "bundle"
    return convert(demo_path, target, recipe="float32", check=False).model


@pytest.fixture(scope="session")
def session(float_bundle: Path) -> Iterator[Session]:
    with ask(float_bundle) as opened:
        yield opened
