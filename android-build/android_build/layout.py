"""Where things lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = ROOT / "android-sample"
MAIN: Final = PROJECT / "app" / "src" / "main"
KOTLIN: Final = MAIN / "kotlin"
TEST_KOTLIN: Final = PROJECT / "app" / "src" / "test" / "kotlin"
TEST_RESOURCES: Final = PROJECT / "app" / "src" / "test" / "resources"
CATALOG: Final = PROJECT / "gradle" / "libs.versions.toml"
BASE: Final = ROOT / "edgekit" / "packaging" / "base"

TOOLS: Final = ROOT / "android-build"
COORDINATES: Final = TOOLS / "coordinates"
BUILD: Final = ROOT / "build" / "android"
SCREENSHOTS: Final = BUILD / "screenshots"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit" / "android-build"

NAMESPACE: Final = "dev.edgekit.sample"
"""Package of the app's own classes, its R among them."""
