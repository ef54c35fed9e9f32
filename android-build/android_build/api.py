"""Finds calls of the platform that the oldest supported Android does not have: neither compiler nor lint does here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from android_build.catalog import levels
from android_build.kotlin import app_classes, classes_of
from android_build.layout import DELIVERY, TOOLS
from android_build.maven import fetch
from android_build.process import BuildError, java, joined

_PROGRAM: Final = TOOLS / "java" / "ApiLevel.java"
_NOT_PLATFORM: Final = (
    "dev.edgekit.*",
    "androidx.*",
    "kotlin.*",
    "kotlin",
    "kotlinx.*",
    "org.bouncycastle.*",
    "org.jetbrains.*",
)


def check_api(classes: Sequence[Path] | None = None) -> None:
    """Check the app's classes, or others. Raises BuildError with every call that is too new."""
    files = fetch("api-check")
    signatures = next(path for path in files if path.suffix == ".signature")
    level = levels().minimum
    if f"-api-{level}-" not in signatures.name:
        raise BuildError(
            f"coordinates/api-check.txt has the signatures {signatures.name}, the project's minSdk is {level}"
        )
    jars = [path for path in files if path.suffix == ".jar"]
    try:
        places = joined(classes or [*app_classes(), classes_of(DELIVERY)])
        java(jars, str(_PROGRAM), signatures, places, *_NOT_PLATFORM)
    except BuildError as error:
        raise BuildError(f"the app calls what API {level} does not have\n{error}") from error
