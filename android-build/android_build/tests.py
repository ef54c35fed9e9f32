"""Runs the app's tests on the JVM: Robolectric with native graphics, the real engine, the demo bundle as its assets.

One JVM for all, because a native library can be loaded by one class loader only, and Robolectric's sandbox is one.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from android_build.demo import adapter_assets, calling_assets, demo_assets, demo_signer
from android_build.engine import host_engine
from android_build.kotlin import app_classes, classes_for_tests
from android_build.layout import NAMESPACE, SCREENSHOTS, TEST_KOTLIN, TEST_RESOURCES
from android_build.libraries import app_libraries, libraries_for_tests
from android_build.outputs import made
from android_build.process import BuildError, java_command, show
from android_build.resources import resources_for_tests
from android_build.shim import host_shim
from android_build.toolchain import platform, robolectric_sdk

_RUNNER: Final = "org.junit.runner.JUnitCore"
_JVM: Final = (
    "-Xmx3g",
    "-XX:+UseSerialGC",
    "--add-opens=java.base/java.io=ALL-UNNAMED",  # Robolectric closes descriptors as Android does, from inside
)


def run_tests(names: Sequence[str] = (), only: Sequence[str] = (), screenshots: Path = SCREENSHOTS) -> None:
    """Run test classes, all of them unless named. names: as the class is called below the app's package.

    Raises BuildError when one fails; what the tests print goes to the terminal.
    """
    app, tests, resources = app_libraries(), libraries_for_tests(), resources_for_tests()
    classes = classes_for_tests(only)
    chosen = [_full_name(name) for name in names] or _classes_with_tests(only)
    screenshots.mkdir(parents=True, exist_ok=True)
    classpath = [_robolectric_settings(), classes, app_classes(only), resources.r_classes]
    if TEST_RESOURCES.is_dir():
        classpath.append(TEST_RESOURCES)
    # Android last: it has classes of its own that JUnit and Robolectric bring newer.
    classpath += [*app.classpath, *tests.classpath, platform()]
    properties = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": _robolectric_platforms(),
        **properties_of_tests(screenshots),
    }
    options = [*_JVM, *(f"-D{name}={value}" for name, value in properties.items())]
    if show(*java_command(classpath, _RUNNER, *chosen, options=options)):
        raise BuildError("tests of the app failed")


def properties_of_tests(screenshots: Path = SCREENSHOTS) -> dict[str, Path]:
    """Return the system properties by which the tests find what they use on this machine."""
    return {
        "edgekit.bundle": demo_assets() / "edgekit",
        "edgekit.adapters": adapter_assets() / "edgekit",
        "edgekit.calls": calling_assets() / "edgekit",
        "edgekit.signer": demo_signer(),
        "edgekit.engine": host_engine(),
        "edgekit.shim": host_shim(),
        "edgekit.screenshots": screenshots,
    }


def _full_name(name: str) -> str:
    return name if name.startswith(NAMESPACE) else f"{NAMESPACE}.{name}"


def _classes_with_tests(only: Sequence[str]) -> list[str]:
    """Return the names of the classes that have tests, in the sources' order; a class is called as its file."""
    package = TEST_KOTLIN.joinpath(*NAMESPACE.split("."))
    places = [package / name for name in only] or [TEST_KOTLIN]
    sources = sorted(path for place in places for path in place.rglob("*.kt"))
    files = [path for path in sources if re.search(r"^\s*@Test\b", path.read_text(encoding="utf-8"), re.M)]
    if not files:
        raise BuildError(f"no tests in {', '.join(map(str, places))}")
    return [".".join(path.relative_to(TEST_KOTLIN).with_suffix("").parts) for path in files]


def _robolectric_settings() -> Path:
    """Return the directory in which Robolectric looks for the app's manifest, resources and assets."""
    resources = resources_for_tests()
    package = _package_under_test(resources.apk)
    settings = {
        "android_merged_manifest": resources.manifest,
        "android_resource_apk": package,
        "android_custom_package": NAMESPACE,
    }

    def write(directory: Path) -> None:
        path = directory / "com" / "android" / "tools" / "test_config.properties"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")

    return made("robolectric", [str(value) for value in settings.values()], write)


def _package_under_test(resources: Path) -> Path:
    """Return the resources with the demo bundle among the assets, stored as in the app."""
    assets = demo_assets()

    def pack(directory: Path) -> None:
        package = Path(shutil.copy(resources, directory / "package.apk"))
        with zipfile.ZipFile(package, "a", zipfile.ZIP_STORED) as archive:
            for path in sorted(path for path in assets.rglob("*") if path.is_file()):
                archive.write(path, f"assets/{path.relative_to(assets).as_posix()}")

    return made("package-test", [resources, assets], pack) / "package.apk"


def _robolectric_platforms() -> Path:
    """Return the directory in which Robolectric looks for its platform, by the name it has in the repository."""
    jar = robolectric_sdk()

    def link(directory: Path) -> None:
        (directory / jar.name.removeprefix("org.robolectric.")).symlink_to(jar)

    return made("robolectric-sdk", [str(jar)], link)
