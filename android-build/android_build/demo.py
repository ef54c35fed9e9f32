"""The assets of the app under test: the demo bundle, as `edgekit package` gives it to an app."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from android_build.layout import ROOT
from android_build.outputs import made
from android_build.process import run

PRESETS: Final = ROOT / "examples" / "settings-navigator" / "edgekit.toml"
_MADE_BY: Final = ("bundle", "checkpoint", "graph", "recipes", "packaging", "conversion.py")


def demo_assets() -> Path:
    """Return an assets directory whose subdirectory `edgekit` holds manifest, model, task and notice."""

    def build(directory: Path) -> None:
        edgekit = (sys.executable, "-m", "edgekit")
        bundle, package = directory / "bundle", directory / "package"
        run(*edgekit, "demo", "--output", bundle, "--quiet")
        run(
            *edgekit,
            "package",
            bundle,
            "--to",
            "assets",
            "--presets",
            PRESETS,
            "--output",
            package,
            "--quiet",
        )
        (package / "assets").rename(directory / "assets")
        shutil.rmtree(package)
        shutil.rmtree(bundle)

    inputs = [*(ROOT / "edgekit" / name for name in _MADE_BY), PRESETS.parent, Path(__file__)]
    return made("demo", inputs, build) / "assets"
