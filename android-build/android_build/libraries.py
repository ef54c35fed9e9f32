"""The libraries of the app, unpacked: an AAR is classes, resources, manifest, rules for R8 and native code in a zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from android_build.maven import fetch
from android_build.outputs import made


@dataclass(frozen=True)
class Libraries:
    """Unpacked libraries. directory: one subdirectory for each AAR. jars: what came as a plain jar."""

    directory: Path
    jars: tuple[Path, ...]

    @property
    def classpath(self) -> list[Path]:
        """Return every jar, those inside AARs first."""
        return [*self._in_aars("classes.jar"), *self._in_aars("libs/*.jar"), *self.jars]

    @property
    def manifests(self) -> list[Path]:
        """Return the AARs' manifests."""
        return self._in_aars("AndroidManifest.xml")

    @property
    def resources(self) -> list[Path]:
        """Return the AARs' resource directories."""
        return [path for path in self._in_aars("res") if any(path.iterdir())]

    @property
    def rules(self) -> list[Path]:
        """Return what the AARs tell R8 to keep."""
        return self._in_aars("proguard.txt")

    @property
    def demands(self) -> list[Path]:
        """Return what the AARs demand of a Gradle build."""
        return self._in_aars("META-INF/com/android/build/gradle/aar-metadata.properties")

    @property
    def checks(self) -> list[Path]:
        """Return what the AARs bring for Android Lint."""
        return self._in_aars("lint.jar")

    def native(self, abi: str) -> list[Path]:
        """Return the AARs' native libraries for one ABI."""
        return self._in_aars(f"jni/{abi}/*.so")

    @property
    def resource_packages(self) -> list[str]:
        """Return the packages whose R class the libraries' code refers to."""
        return sorted({package_of(path.with_name("AndroidManifest.xml")) for path in self.resources})

    def _in_aars(self, pattern: str) -> list[Path]:
        return sorted(self.directory.glob(f"*/{pattern}"))


def app_libraries() -> Libraries:
    """Return what the app consists of beside its own code."""
    return _unpacked("app", fetch("app"))


def libraries_for_tests() -> Libraries:
    """Return what the tests use in addition."""
    return _unpacked("test", fetch("test"))


def old_libraries() -> Libraries:
    """Return the oldest libraries that the app's sources must compile against."""
    return _unpacked("app-2024", fetch("app-2024"))


def package_of(manifest: Path) -> str:
    """Return the package that a manifest names."""
    return str(ElementTree.parse(manifest).getroot().get("package"))


def _unpacked(use: str, files: Sequence[Path]) -> Libraries:
    def unpack(directory: Path) -> None:
        for aar in _aars(files):
            with zipfile.ZipFile(aar) as archive:
                archive.extractall(directory / aar.stem)

    directory = made(f"libraries-{use}", [path.name for path in files], unpack)
    return Libraries(directory, tuple(path for path in files if path.suffix == ".jar"))


def _aars(files: Sequence[Path]) -> Iterator[Path]:
    return (path for path in files if path.suffix == ".aar")
