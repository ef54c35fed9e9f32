"""Runs Android Lint, with the checks that Compose and the other libraries bring; a warning is an error.

Lint says nothing when it does not understand its project: a source directory gives no findings, and the checks inside
an AAR run only when named apart. `tests/test_lint.py` plants a mistake for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from android_build.catalog import levels
from android_build.layout import APP, CACHE, DELIVERY, IN_APP, PROJECT, sources_of
from android_build.libraries import app_libraries
from android_build.manifest import completed_manifest
from android_build.maven import fetch
from android_build.outputs import made
from android_build.process import BuildError, java, java_home
from android_build.resources import app_resources
from android_build.toolchain import platform

_CONFIGURATION: Final = APP.directory / "lint.xml"


def check_lint(sources: Sequence[Path] | None = None) -> None:
    """Check the sources of the app and of the delivery, resources and manifest. Raises BuildError with what lint finds.

    sources: Kotlin files to check in place of the app's.
    """
    checked = list(sources_of((*IN_APP, DELIVERY))) if sources is None else list(sources)
    asks = "".join(re.findall("<uses-permission [^>]*>", DELIVERY.manifest.read_text(encoding="utf-8")))

    def check(directory: Path) -> None:
        sdk, manifest, description = levels(), directory / "AndroidManifest.xml", directory / "project.xml"
        uses = f'<uses-sdk android:minSdkVersion="{sdk.minimum}" android:targetSdkVersion="{sdk.target}" />'
        manifest.write_text(completed_manifest(uses + asks), encoding="utf-8")
        ElementTree.ElementTree(_described(manifest, checked)).write(
            description, encoding="utf-8", xml_declaration=True
        )
        try:
            java(
                fetch("lint"),
                "com.android.tools.lint.Main",
                *("--project", description, "--cache-dir", CACHE / "lint", "--jdk-home", java_home()),
                *("--config", _CONFIGURATION, "-Werror", "--exitcode", "--quiet"),
                options=("-Xmx3g", "-XX:+UseSerialGC"),
            )
        except BuildError as error:
            raise BuildError(f"lint finds\n{error}") from error

    inputs = [
        *checked,
        *_resources(),
        APP.manifest,
        DELIVERY.manifest,
        _CONFIGURATION,
        app_libraries().directory,
        Path(__file__),
    ]
    made("lint", [*inputs, fetch("lint")[0].parent.name], check)


def _resources() -> list[Path]:
    return [module.resources for module in IN_APP if module.resources.is_dir()]


def _described(manifest: Path, sources: Sequence[Path]) -> Element:
    """Return the project as lint's command line wants it described: every file by name."""
    libraries = app_libraries()
    project = Element("project")
    SubElement(project, "root", dir=str(PROJECT))
    module = SubElement(
        project,
        "module",
        {"name": "app", "android": "true", "library": "false", "compile-sdk-version": str(levels().compile)},
    )
    SubElement(module, "manifest", file=str(manifest))
    for directory in _resources():
        SubElement(module, "resource", dir=str(directory))
    for path in sources:
        SubElement(module, "src", file=str(path))
    for path in [app_resources().r_classes, *libraries.classpath, platform()]:
        SubElement(module, "classpath", jar=str(path))
    for path in libraries.checks:
        SubElement(module, "lint-checks", jar=str(path))
    return project
