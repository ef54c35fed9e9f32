"""An app that R8 shrank together with the libraries, in full mode and by the rules that they bring, still answers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from android_build.aar import library
from android_build.engine import host_engine
from android_build.kotlin import compile_kotlin
from android_build.layout import CORE, TESTING
from android_build.libraries import app_libraries, libraries_for_tests
from android_build.maven import fetch
from android_build.process import java, java_command, java_home, run
from android_build.shim import host_shim
from android_build.tests import robolectric_platforms
from android_build.toolchain import platform

SOURCE = Path(__file__).with_name("shrunk") / "ShrunkTest.kt"
NAME = "com.example.shrunk.ShrunkTest"
PARTS = (
    "kotlin-stdlib",
    "kotlinx-coroutines",
    "bcprov",
    "annotation-jvm",
    "org.jetbrains.annotations",
    "atomicfu",
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The libraries' AARs, unpacked."""
    directory = tmp_path_factory.mktemp("libraries")
    for module in (CORE, TESTING):
        with zipfile.ZipFile(next(library(module).glob("*.aar"))) as archive:
            archive.extractall(directory / module.name)
    return {module.name: directory / module.name for module in (CORE, TESTING)}


def shrunk(unpacked: dict[str, Path], directory: Path) -> Path:
    """Return the directory of what R8 makes of the test and all that it uses, by the libraries' rules."""
    jars = [path / "classes.jar" for path in unpacked.values()]
    tests = libraries_for_tests().classpath
    compile_kotlin([SOURCE], directory / "classes", [*jars, *app_libraries().classpath, *tests, platform()])
    run(
        *(java_home() / "bin" / "jar", "--create", "--file", directory / "test.jar"),
        *("-C", directory / "classes", "."),
    )
    keep = directory / "keep.pro"
    keep.write_text(f"-keep class {NAME} {{ *; }}\n-keepattributes *Annotation*\n-dontwarn **\n")
    configurations = [keep, *(path / "proguard.txt" for path in unpacked.values())]
    parts = [path for path in app_libraries().jars if any(part in path.name for part in PARTS)]
    output = directory / "shrunk.jar"
    java(
        fetch("r8"),
        "com.android.tools.r8.R8",
        *("--release", "--classfile", "--output", output, "--lib", java_home()),
        *(word for path in [platform(), *tests] if path.suffix == ".jar" for word in ("--lib", path)),
        *(word for path in configurations if path.is_file() for word in ("--pg-conf", path)),
        *(directory / "test.jar", *jars, *parts),
        options=("-Xmx4g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    )
    with zipfile.ZipFile(output) as archive:
        # A signature of one jar's holds no more for what became of it.
        kept = [name for name in archive.namelist() if not name.endswith((".SF", ".DSA", ".RSA"))]
        archive.extractall(directory / "shrunk", kept)
    return directory / "shrunk"


def run_shrunk(classes: Path) -> str:
    others = [*libraries_for_tests().classpath, *app_libraries().classpath]
    properties = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": robolectric_platforms(),
        "edgekit.engine": host_engine(),
        "edgekit.shim": host_shim(),
    }
    options = [
        "--add-opens=java.base/java.io=ALL-UNNAMED",
        *(f"-D{name}={value}" for name, value in properties.items()),
    ]
    command = java_command(
        [classes, *others, platform()], "org.junit.runner.JUnitCore", NAME, options=options
    )
    return run(*command)


def test_it_answers(unpacked: dict[str, Path], tmp_path: Path) -> None:
    classes = shrunk(unpacked, tmp_path)
    ours = [path.relative_to(classes).as_posix() for path in (classes / "dev").rglob("*.class")]
    assert ours == ["dev/edgekit/core/engine/Native.class"], "R8 shortens the names of all others"
    assert "OK (3 tests)" in run_shrunk(classes)
