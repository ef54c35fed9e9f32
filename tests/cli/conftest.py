"""What the tests of all commands share: a runner, and one bundle of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Cli
from tests.fixtures.bundles import Bundles


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture(scope="session")
def bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("cli") / "bundle")
