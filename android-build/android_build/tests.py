"""Runs the app's tests on the JVM: Robolectric with native graphics, the real engine, the demo bundle as its assets.

One JVM for all, because a native library can be loaded by one class loader only, and Robolectric's sandbox is one.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from android_build.demo import adapter_assets, calling_assets, demo_assets, demo_signer
from android_build.engine import host_engine
from android_build.kotlin import classes_of, tests_of
from android_build.layout import MODULES, NAMESPACE, SCREENSHOTS, TESTING, Module
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


@dataclass(frozen=True)
class Tests:
    """What a JVM needs to run tests. options: of the JVM. names: the classes' full names."""

    classpath: list[Path]
    options: list[str]
    names: tuple[str, ...] = ()


def run_tests(names: Sequence[str] = (), screenshots: Path = SCREENSHOTS) -> None:
    """Run test classes, all of them unless named. names: the ends of classes' names, or modules.

    Raises BuildError when one fails; what the tests print goes to the terminal.
    """
    tests = tests_for(names, screenshots)
    screenshots.mkdir(parents=True, exist_ok=True)
    if show(*java_command(tests.classpath, _RUNNER, *tests.names, options=tests.options)):
        raise BuildError("tests of the app failed")


def tests_for(names: Sequence[str] = (), screenshots: Path = SCREENSHOTS) -> Tests:
    """Build what is needed to run test classes, named as for `run_tests`."""
    app, libraries, resources = app_libraries(), libraries_for_tests(), resources_for_tests()
    chosen = _chosen(names)
    classpath = [
        _robolectric_settings(),
        *(tests_of(module) for module, _ in chosen),
        *(classes_of(module) for module in _needed(module for module, _ in chosen)),
        resources.r_classes,
    ]
    classpath += [module.test_resources for module, _ in chosen if module.test_resources.is_dir()]
    # Android last: it has classes of its own that JUnit and Robolectric bring newer.
    classpath += [*app.classpath, *libraries.classpath, platform()]
    properties = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": robolectric_platforms(),
        **properties_of_tests(screenshots),
    }
    options = [*_JVM, *(f"-D{name}={value}" for name, value in properties.items())]
    return Tests(classpath, options, tuple(name for _, names in chosen for name in names))


def _needed(tested: Iterable[Module]) -> list[Module]:
    """Return the modules that tests of some run with; of others nothing is compiled."""
    needed, left = set[Module](), [TESTING, *tested]
    while left:
        module = left.pop()
        needed.add(module)
        left += module.uses
    return [module for module in MODULES if module in needed]


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


def _chosen(names: Sequence[str]) -> list[tuple[Module, list[str]]]:
    """Return the modules whose tests are meant, with the full names of the classes.

    Raises BuildError for a name of none.
    """
    there = {module: _classes_with_tests(module) for module in MODULES}
    if not names:
        return [(module, classes) for module, classes in there.items() if classes]
    chosen: dict[Module, list[str]] = {}
    for name in names:
        found = {
            module: classes
            if module.name == name
            else [each for each in classes if f".{each}".endswith(f".{name}")]
            for module, classes in there.items()
        }
        if not any(found.values()):
            raise BuildError(f"there is no test class {name}")
        for module, classes in found.items():
            chosen.setdefault(module, []).extend(classes)
    return [(module, classes) for module, classes in chosen.items() if classes]


def _classes_with_tests(module: Module) -> list[str]:
    """Return the names of the classes that have tests, in the sources' order; a class is called as its file."""
    sources = sorted(module.test_kotlin.rglob("*.kt"))
    files = [path for path in sources if re.search(r"^\s*@Test\b", path.read_text(encoding="utf-8"), re.M)]
    return [".".join(path.relative_to(module.test_kotlin).with_suffix("").parts) for path in files]


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


def robolectric_platforms() -> Path:
    """Return the directory in which Robolectric looks for its platform, by the name it has in the repository."""
    jar = robolectric_sdk()

    def link(directory: Path) -> None:
        (directory / jar.name.removeprefix("org.robolectric.")).symlink_to(jar)

    return made("robolectric-sdk", [str(jar)], link)
