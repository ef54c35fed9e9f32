"""The modules that Google Play delivers."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.packaging.targets.packs import PackOptions
from tests.packaging.conftest import MODEL

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", ["ai-pack", "asset-pack"])
def test_a_pack_is_a_module(navigator: Path, tmp_path: Path, target: str) -> None:
    out = edgekit.package(
        navigator, target, tmp_path / "out", options=PackOptions(delivery="on-demand", pack_name="navigator")
    ).output
    build = (out / "navigator/build.gradle").read_text()
    assert f"id 'com.android.{target}'" in build
    assert "packName = 'navigator'" in build
    assert "deliveryType = 'on-demand'" in build
    assert (out / "navigator/src/main/assets/edgekit" / MODEL).is_file()
    assert "include ':navigator'" in (out / "settings.gradle.fragment").read_text()
    assert "assetPacks += [':navigator']" in (out / "app.build.gradle.fragment").read_text()
    assert 'PACK = "navigator"' in (out / "SettingsNavigatorPack.kt").read_text()
    readme = (out / "README.md").read_text()
    assert "SettingsNavigatorPack(context).source()" in readme
    assert "SettingsNavigator.open(context, source)" in readme
    assert "uri('maven')" in (out / "settings.gradle.fragment").read_text()
    install_time = edgekit.package(
        navigator, target, tmp_path / "it", options=PackOptions(delivery="install-time")
    ).output
    assert not (install_time / "SettingsNavigatorPack.kt").exists()
    assert "copies it out once" in (install_time / "README.md").read_text()
