"""Holds the libraries against those that a real Gradle built of the same sources."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from android_build.aar import library
from android_build.layout import LIBRARIES, Module
from android_build.process import BuildError
from android_build.public_api import public_api

_GENERATED: Final = re.compile(r"\$(?![A-Z])")
"""In the name of a class that a compiler makes of a lambda, which is called otherwise by the next release."""


def compare_with_gradle(project: Path) -> None:
    """Compare each library with the AAR of its release build below a Gradle project's directory.

    The same classes, the same for apps to use, the same resources, rules and parts of the manifest; native libraries
    need an NDK, which Gradle may lack. Raises BuildError with all that differs.
    """
    problems = [
        problem
        for module in LIBRARIES
        for problem in differences(
            next(library(module).glob("*.aar")),
            project / module.name / "build" / "outputs" / "aar" / f"{module.name}-release.aar",
            module,
        )
    ]
    if problems:
        raise BuildError("Gradle builds other libraries\n" + "\n".join(problems))


def differences(ours: Path, theirs: Path, module: Module) -> list[str]:
    """Return what differs between two AARs of a library, a line each."""
    if not theirs.is_file():
        return [f"{module.name}: Gradle has built no {theirs.name}: run its assembleRelease"]
    found = []
    with zipfile.ZipFile(ours) as one, zipfile.ZipFile(theirs) as other:
        for what, names in (("classes", _classes), ("resources", _resources)):
            if odd := names(one) ^ names(other):
                found.append(f"{module.name}: {what} {', '.join(sorted(odd))} are in one only")
        odd_texts = [name for name in ("R.txt", "proguard.txt") if _words(one, name) != _words(other, name)]
        found += [f"{module.name}: {name} differs" for name in odd_texts]
        if _elements(one) != _elements(other):
            found.append(f"{module.name}: the manifests differ: {_elements(one)}, {_elements(other)}")
        if not found and _offered(one) != _offered(other):
            found.append(f"{module.name}: apps can use other things of them")
    return found


def _classes(archive: zipfile.ZipFile) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as jar:
        names = {name for name in jar.namelist() if name.endswith((".class", ".kotlin_module"))}
    return {name for name in names if not _GENERATED.search(name)}


def _resources(archive: zipfile.ZipFile) -> set[str]:
    """Return the files of resources; the merged texts are called otherwise by Gradle."""
    return {
        re.sub(r"(values[^/]*)/.*", r"\1", name)
        for name in archive.namelist()
        if name.startswith("res/") and not name.endswith("/")
    }


def _text(archive: zipfile.ZipFile, name: str) -> str:
    return archive.read(name).decode() if name in archive.namelist() else ""


def _words(archive: zipfile.ZipFile, name: str) -> list[str]:
    return _text(archive, name).split()


def _elements(archive: zipfile.ZipFile) -> list[str]:
    """Return what a manifest says, element by element, without its layout."""
    text = re.sub(r"<!--.*?-->", "", _text(archive, "AndroidManifest.xml"), flags=re.DOTALL)
    return [
        " ".join([name, *sorted(re.findall(r'[\w:]+="[^"]*"', attributes))])
        for name, attributes in re.findall(r"<([\w-]+)([^>]*)>", text)
        if name != "application"
    ]


def _offered(archive: zipfile.ZipFile) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as jar:
            jar.extractall(directory)
        # Where an interface's default arguments are kept is the choice of a compiler's release (-jvm-default).
        lines = public_api(Path(directory)).splitlines()
    return [line for line in lines if "$default (" not in line]
