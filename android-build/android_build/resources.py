"""Compiles and links resources with aapt2: tables, images and the binary manifest, and the R classes for the code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from android_build.catalog import levels, version
from android_build.layout import APP, CATALOG, IN_APP, NAMESPACE, Module
from android_build.libraries import Libraries, app_libraries, libraries_for_tests
from android_build.manifest import library_manifest, merged_manifest
from android_build.outputs import made
from android_build.process import java_home, run
from android_build.toolchain import aapt2, platform

LANGUAGES: Final = ("en", "nb", "ja")


@dataclass(frozen=True)
class Resources:
    """What aapt2 made of the resources and the manifest.

    apk: binary manifest, resources.arsc and res/. r_classes: class files of every R. rules: what R8 must keep because
    the manifest or a layout names it. manifest: the merged one, as text.
    """

    apk: Path
    r_classes: Path
    rules: Path
    manifest: Path


def app_resources() -> Resources:
    """Return the resources as they are in the app."""
    return _linked(
        "resources", [app_libraries()], merged_manifest("manifest", [app_libraries()]), stable_ids=None
    )


def resources_for_tests() -> Resources:
    """Return the same resources by the same ids, with those of the test libraries and their activities."""
    libraries = [app_libraries(), libraries_for_tests()]
    manifest = merged_manifest("manifest-test", libraries)
    return _linked("resources-test", libraries, manifest, stable_ids=app_resources().apk.with_name("ids.txt"))


def resource_names(module: Module) -> str:
    """Return the names of a library's own resources as an AAR lists them, in R.txt; empty when it has none."""
    if not module.resources.is_dir():
        return ""

    def link(directory: Path) -> None:
        manifest, compiled = directory / "AndroidManifest.xml", directory / "own.zip"
        manifest.write_text(library_manifest(module), encoding="utf-8")
        run(aapt2(), "compile", "--dir", module.resources, "-o", compiled)
        names = ("--output-text-symbols", directory / "R.txt", "--non-final-ids")
        run(
            *(aapt2(), "link", "-o", directory / "own.apk", "-I", platform()),
            *("--manifest", manifest, *names, "-R", compiled, "--auto-add-overlay"),
        )

    inputs = [module.resources, module.manifest, Path(__file__)]
    text = (made(f"names-{module.name}", inputs, link) / "R.txt").read_text(encoding="utf-8")
    # Ids are given out by the app.
    return re.sub(r"0x[0-9a-f]+", "0x0", text)


def _linked(step: str, libraries: Sequence[Libraries], manifest: Path, stable_ids: Path | None) -> Resources:
    compiled = [*(path for part in libraries for path in _compiled_library(part)), *_compiled_own()]
    own = [module.namespace for module in IN_APP if module.resources.is_dir() and module is not APP]
    packages = [*own, *sorted({name for part in libraries for name in part.resource_packages})]

    def link(directory: Path) -> None:
        sdk = levels()
        java_sources, classes = directory / "java", directory / "classes"
        run(
            *(aapt2(), "link", "-o", directory / "resources.apk", "-I", platform(), "--manifest", manifest),
            *("--min-sdk-version", str(sdk.minimum), "--target-sdk-version", str(sdk.target)),
            *("--version-code", version("versionCode"), "--version-name", version("versionName")),
            *("--custom-package", NAMESPACE, "--extra-packages", ":".join(packages)),
            *("--java", java_sources, "--non-final-ids", "--proguard", directory / "rules.pro"),
            *("-c", ",".join(LANGUAGES), "--auto-add-overlay"),
            *(("--stable-ids", stable_ids) if stable_ids else ("--emit-ids", directory / "ids.txt")),
            *(word for part in compiled for word in ("-R", part)),
        )
        javac = java_home() / "bin" / "javac"
        run(javac, "-nowarn", "--release", "17", "-d", classes, *sorted(java_sources.rglob("*.java")))

    inputs: list[Path | str] = [
        manifest,
        CATALOG,
        Path(__file__),
        *dict.fromkeys(path.parent for path in compiled),
        *LANGUAGES,
    ]
    directory = made(step, inputs, link)
    return Resources(directory / "resources.apk", directory / "classes", directory / "rules.pro", manifest)


def _compiled_library(libraries: Libraries) -> list[Path]:
    def compile_all(directory: Path) -> None:
        for resources in libraries.resources:
            run(aapt2(), "compile", "--dir", resources, "-o", directory / f"{resources.parent.name}.zip")

    name = libraries.directory.parent.name.replace("libraries", "resources")
    return sorted(made(f"{name}-libraries", [libraries.directory], compile_all).iterdir())


def _compiled_own() -> list[Path]:
    """Compile the modules' own resources, the app's last: what comes later holds."""
    sources = {module.name: module.resources for module in IN_APP if module.resources.is_dir()}

    def compile_all(directory: Path) -> None:
        for name, source in sources.items():
            run(aapt2(), "compile", "--dir", source, "-o", directory / f"{name}.zip")

    directory = made("resources-own", [*sources, *sources.values()], compile_all)
    return [directory / f"{name}.zip" for name in sources]
