"""The tools and platform files that the steps use, by what they are for."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from android_build.layout import CACHE
from android_build.maven import fetch, listed
from android_build.process import BuildError


def platform() -> Path:
    """Return the classes and resources of Android 15 (API 35), which stand in for the SDK's android.jar.

    Robolectric publishes them from the platform's sources: hidden classes are there as well.
    """
    return fetch("android")[0]


def robolectric_sdk() -> Path:
    """Return the same platform as Robolectric runs it."""
    return fetch("robolectric-sdk")[0]


def kotlin_compiler() -> list[Path]:
    """Return the class path of the Kotlin compiler, its Compose plugin included."""
    return fetch("kotlin")


def compose_plugin() -> Path:
    """Return the compiler plugin that makes composable functions of those annotated so."""
    return next(path for path in kotlin_compiler() if "compose-compiler-plugin" in path.name)


def aapt2() -> Path:
    """Return Android's resource compiler: the build for this machine that the project Apktool publishes."""
    system = {"linux": "linux", "darwin": "macosx"}.get(sys.platform)
    if system is None:
        raise BuildError(f"there is no aapt2 for {sys.platform}: build on Linux or macOS")
    program = CACHE / f"aapt2-{listed('aapt2')[0].version}"
    if not program.exists():
        with zipfile.ZipFile(fetch("aapt2")[0]) as jar:
            unpacked = program.with_suffix(".new")
            unpacked.write_bytes(jar.read(f"prebuilt/{system}/aapt2"))
        unpacked.chmod(0o755)
        unpacked.replace(program)
    return program
