"""What the tests of all commands share: a runner, and one bundle of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.conversion.convert import convert
from tests.cli.running import Cli


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(demo_path, tmp_path_factory.mktemp("cli") / "bundle", check=False).bundle
