"""The version catalog of the Gradle project: both builds read their versions and SDK levels there."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from android_build.layout import CATALOG


@dataclass(frozen=True)
class Levels:
    """Android API levels: the oldest that the app runs on, the one it was made for, the one it is compiled against."""

    minimum: int
    target: int
    compile: int


@cache
def catalog() -> Mapping[str, Any]:
    """Return the catalog's tables."""
    return tomllib.loads(CATALOG.read_text(encoding="utf-8"))


def version(name: str) -> str:
    """Return a version of the catalog by its name."""
    return str(catalog()["versions"][name])


def levels() -> Levels:
    """Return the project's API levels."""
    return Levels(int(version("minSdk")), int(version("targetSdk")), int(version("compileSdk")))


def libraries() -> dict[str, str | None]:
    """Return `group:name` of every library with its version; None where the bill of materials says it."""
    named = {}
    for entry in catalog()["libraries"].values():
        reference = entry.get("version", {})
        named[entry["module"]] = version(reference["ref"]) if reference else None
    return named
