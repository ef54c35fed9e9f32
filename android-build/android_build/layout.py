"""Where things lie."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = ROOT / "android-sample"
CATALOG: Final = PROJECT / "gradle" / "libs.versions.toml"
BASE: Final = ROOT / "edgekit" / "packaging" / "base"

TOOLS: Final = ROOT / "android-build"
COORDINATES: Final = TOOLS / "coordinates"
BUILD: Final = ROOT / "build" / "android"
SCREENSHOTS: Final = BUILD / "screenshots"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit" / "android-build"


@dataclass(frozen=True)
class Module:
    """A module of the Gradle project.

    namespace: package of its own classes, its R among them. uses: the modules that it is compiled against. options: of
    the compiler, as the module's build file has them too. has_screens: its Kotlin has composable functions.
    """

    name: str
    namespace: str
    uses: tuple[Module, ...] = ()
    options: tuple[str, ...] = ()
    has_screens: bool = False

    @property
    def directory(self) -> Path:
        """Where the module lies."""
        return PROJECT / self.name

    @property
    def main(self) -> Path:
        """What it is made from."""
        return self.directory / "src" / "main"

    @property
    def kotlin(self) -> Path:
        """Its Kotlin."""
        return self.main / "kotlin"

    @property
    def resources(self) -> Path:
        """Its Android resources; not every module has some."""
        return self.main / "res"

    @property
    def manifest(self) -> Path:
        """Its part of the manifest."""
        return self.main / "AndroidManifest.xml"

    @property
    def test_kotlin(self) -> Path:
        """Its tests; not every module has some."""
        return self.directory / "src" / "test" / "kotlin"

    @property
    def test_resources(self) -> Path:
        """What its tests find among the classes; not every module has some."""
        return self.directory / "src" / "test" / "resources"


EXPLICIT: Final = "-Xexplicit-api=strict"
INTERNAL: Final = "dev.edgekit.core.InternalEdgekitApi"
"""The annotation of what is no part of a library's interface."""
INSIDE: Final = f"-opt-in={INTERNAL}"
"""May use that all the same."""

CORE: Final = Module("edgekit-core", "dev.edgekit.core", options=(EXPLICIT, INSIDE))
COMPOSE: Final = Module("edgekit-compose", "dev.edgekit.compose", (CORE,), (EXPLICIT,), has_screens=True)
DELIVERY: Final = Module("edgekit-delivery", "dev.edgekit.delivery", (CORE,), (EXPLICIT, INSIDE))
"""Fetches bundles; the sample app does without."""
TESTING: Final = Module("edgekit-testing", "dev.edgekit.testing", (CORE,), (EXPLICIT, INSIDE))
"""What tests use; no part of an app."""
APP: Final = Module("app", "dev.edgekit.sample", (CORE, COMPOSE), has_screens=True)
"""An app like any other: it uses what the libraries offer, and nothing within them."""

IN_APP: Final = (CORE, COMPOSE, APP)
"""What the app consists of, each after those it uses."""
MODULES: Final = (CORE, COMPOSE, DELIVERY, TESTING, APP)
LIBRARIES: Final = (CORE, COMPOSE, DELIVERY, TESTING)
"""What apps of others can be built with."""

NAMESPACE: Final = APP.namespace
"""Package of the app's own classes, its R among them."""


def sources_of(modules: Sequence[Module] = IN_APP) -> Iterator[Path]:
    """Yield the Kotlin files of modules."""
    for module in modules:
        yield from sorted(module.kotlin.rglob("*.kt"))
