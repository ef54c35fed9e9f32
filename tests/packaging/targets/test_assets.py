"""What an app that is there already needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.packaging.core import core_coordinates
from tests.packaging.conftest import MODEL, Packaged

pytestmark = pytest.mark.slow


def test_assets_come_with_what_an_app_needs(navigator: Path, packaged: Packaged) -> None:
    out = packaged("assets").output
    assert (out / "assets/edgekit" / MODEL).read_bytes() == (navigator / MODEL).read_bytes()
    kotlin = (out / "SettingsNavigator.kt").read_text()
    assert 'ASSETS: String = "edgekit"' in kotlin and "SOUND(" in kotlin
    core = core_coordinates()
    assert (out / "maven" / core.folder / f"{core.name}-{core.version}.aar").is_file()
    readme = (out / "README.md").read_text()
    assert "SettingsNavigator.open(context)" in readme and "Tools" not in readme
    for name, stored in (
        ("edgekit.gradle", "noCompress 'litertlm'"),
        ("edgekit.gradle.kts", 'listOf("litertlm"'),
    ):
        text = (out / name).read_text()
        assert stored in text and str(core) in text and "uri(" in text
