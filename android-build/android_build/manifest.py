"""Merges the app's manifest with those of its libraries, as the Android Gradle plugin does: the same merger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from android_build.catalog import levels, version
from android_build.layout import APP, CATALOG, IN_APP, NAMESPACE, Module
from android_build.libraries import Libraries
from android_build.maven import fetch
from android_build.outputs import made
from android_build.process import java, joined

APPLICATION_ID: Final = "dev.edgekit.app"
"""Of the prebuilt base; `edgekit package` puts the developer's own in its place."""


def merged_manifest(step: str, libraries: Sequence[Libraries]) -> Path:
    """Return the merged manifest: application id and API levels filled in, every class name spelled out."""

    def merge(directory: Path) -> None:
        completed = directory / "main.xml"
        completed.write_text(completed_manifest(), encoding="utf-8")
        parts = [_written(module, directory) for module in IN_APP if module is not APP]
        sdk = levels()
        java(
            fetch("manifest-merger"),
            "com.android.manifmerger.Merger",
            *("--main", completed, "--out", directory / "AndroidManifest.xml", "--log", "WARNING"),
            *("--libs", joined([*parts, *(path for part in libraries for path in part.manifests)])),
            *("--property", f"PACKAGE={APPLICATION_ID}"),
            *(
                "--property",
                f"MIN_SDK_VERSION={sdk.minimum}",
                "--property",
                f"TARGET_SDK_VERSION={sdk.target}",
            ),
            "--remove-tools-declarations",
        )

    inputs = [*_manifests(), CATALOG, Path(__file__), *(part.directory for part in libraries)]
    return made(step, inputs, merge) / "AndroidManifest.xml"


def completed_manifest(uses_sdk: str = "") -> str:
    """Return the app's own manifest with what Gradle's plugin puts in from the build file.

    Package (which relative class names are of), version, and that native libraries stay in the APK. uses_sdk: an
    element to add; the merger wants none.
    """
    attributes = {
        "package": NAMESPACE,
        "android:versionCode": version("versionCode"),
        "android:versionName": version("versionName"),
    }
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    manifest = APP.manifest.read_text(encoding="utf-8").replace("<manifest ", f"<manifest {written} ", 1)
    return manifest.replace("<application", f'{uses_sdk}<application android:extractNativeLibs="false"', 1)


def library_manifest(module: Module) -> str:
    """Return a library's own manifest with what Gradle's plugin puts in from the build file."""
    manifest = module.manifest.read_text(encoding="utf-8")
    uses = f'<uses-sdk android:minSdkVersion="{levels().minimum}" />'
    head, _, rest = manifest.partition("<manifest ")
    attributes, _, inside = rest.partition(">")
    return f'{head}<manifest package="{module.namespace}" {attributes}>\n    {uses}\n{inside}'


def _written(module: Module, directory: Path) -> Path:
    path = directory / f"{module.name}.xml"
    path.write_text(library_manifest(module), encoding="utf-8")
    return path


def _manifests() -> list[Path]:
    return [module.manifest for module in IN_APP]
