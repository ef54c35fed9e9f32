"""What the tests of all commands share: a runner, and one bundle of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.cli import console
from edgekit.cli.console import Lines
from tests.cli.running import Cli
from tests.fixtures.bundles import Bundles


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Without the lines of a step that lasts long, as any does on a busy machine, and 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(console, "Lines", lambda: Lines(every=3600.0))
    return Cli(capsys)


@pytest.fixture(scope="session")
def bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("cli") / "bundle")
