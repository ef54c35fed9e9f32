"""A fresh app with a folder of `edgekit package --to aar`, built by a real Gradle and shrunk by its R8 in full mode."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import edgekit
from edgekit.examples import settings_navigator
from edgekit.packaging.targets.aar.target import AarOptions
from edgekit.runtime.library import LIBRARY, engine_library

TESTS = Path(__file__).parent
GRADLE = os.environ.get("EDGEKIT_GRADLE", "")
MODEL = "assets/edgekit/settings-navigator/settings-navigator.litertlm"

pytestmark = pytest.mark.skipif(
    not GRADLE, reason="EDGEKIT_GRADLE names no program that builds a copy of a project with a real Gradle"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app that has the folder, what it asks of the model, and nothing else of ours."""
    directory, example = tmp_path_factory.mktemp("consumer"), settings_navigator()
    project = shutil.copytree(TESTS / "consumer", directory / "app")
    source = project / "app/src/main/kotlin/tiny/Navigator.kt"
    source.parent.mkdir(parents=True)
    shutil.copy(TESTS / "tiny/Navigator.kt", source)
    bundle = edgekit.convert(
        example / "checkpoint",
        directory / "bundle",
        name="settings-navigator",
        text=edgekit.TextOptions(answer_schema=example / "answer-schema.json"),
        check=False,
    ).bundle
    options = AarOptions(group="com.example.models", version="1.0", abis=("arm64-v8a",))
    edgekit.package(bundle, "aar", project / "library", options=options)
    return project


def test_a_release_build_takes_the_folder_and_keeps_what_the_shim_looks_for(project: Path) -> None:
    quick = {"JAVA_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
    command = [GRADLE, project, ":app:assembleRelease"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | quick)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    cache = Path(os.environ.get("ANDROID_GRADLE_CACHE") or Path.home() / ".cache/android-gradle")
    with zipfile.ZipFile(cache / "copy/app/build/outputs/apk/release/app-release.apk") as apk:
        libraries = sorted(name for name in apk.namelist() if name.startswith("lib/"))
        assert libraries == ["lib/arm64-v8a/libedgekit.so", f"lib/arm64-v8a/{LIBRARY}"]
        assert apk.read(libraries[1]) == engine_library("android", "arm64-v8a").read_bytes()
        assert apk.getinfo(MODEL).compress_type == zipfile.ZIP_STORED
        dex = b"".join(apk.read(name) for name in apk.namelist() if name.endswith(".dex"))
    assert b"Ldev/edgekit/core/engine/Native;" in dex and b"openEngine" in dex
    assert b"Lcom/example/models/settingsnavigator/SettingsNavigator;" not in dex  # it has a shorter name
