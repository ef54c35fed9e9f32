"""The demo bundle, and a lab of real devices for those tests that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgekit
from tests.device.rig import CannotRun, Lab, open_lab


@pytest.fixture(scope="session")
def demo_bundle(demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file of the demo bundle."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    edgekit.convert(demo_path, folder)
    return next(folder.glob("*.litertlm"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A network with an adb server; edgekit's adb talks to it and to nothing else."""
    try:
        with open_lab(tmp_path_factory.mktemp("lab")) as opened, pytest.MonkeyPatch.context() as patch:
            for name in ("ADB_SERVER_SOCKET", "ADB_LOCAL_TRANSPORT_MAX_PORT"):
                patch.setenv(name, opened.environment[name])
            patch.delenv("ANDROID_SERIAL", raising=False)
            assert os.environ["ADB_SERVER_SOCKET"]
            yield opened
    except CannotRun as reason:
        pytest.skip(f"no real adb device can be started here: {reason}")
