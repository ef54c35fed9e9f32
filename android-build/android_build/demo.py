"""The assets of the app under test: the demo bundle, as `edgekit package` puts it into an app."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Final

from android_build.layout import ROOT
from android_build.outputs import made
from android_build.process import run

_MADE_BY: Final = ("bundle", "checkpoint", "graph", "recipes", "conversion.py")
_EXAMPLE: Final = ROOT / "examples" / "settings-navigator"
_ACTIONS: Final = {
    "brightness": "android.settings.DISPLAY_SETTINGS",
    "wifi": "android.settings.WIFI_SETTINGS",
    "battery_usage": "android.settings.BATTERY_SAVER_SETTINGS",
    "font_size": "android.settings.ACCESSIBILITY_SETTINGS",
}


def demo_assets() -> Path:
    """Return an assets directory whose subdirectory `edgekit` holds manifest, model, task and notice."""

    def build(directory: Path) -> None:
        bundle, assets = directory / "bundle", directory / "assets" / "edgekit"
        said = json.loads(
            run(sys.executable, "-m", "edgekit", "demo", "--output", bundle, "--json", "--quiet")
        )
        assets.mkdir(parents=True)
        manifest = json.loads((bundle / "edgekit.json").read_bytes())
        for name in ("edgekit.json", "NOTICE", manifest["model"]["file"]):
            shutil.move(bundle / name, assets / name)
        shutil.rmtree(bundle)
        task = _task({prompt: answer["text"] for prompt, answer in said["answers"].items()})
        (assets / "task.json").write_text(json.dumps(task, indent=2, ensure_ascii=False), encoding="utf-8")

    inputs = [*(ROOT / "edgekit" / name for name in _MADE_BY), _EXAMPLE, Path(__file__)]
    return made("demo", inputs, build) / "assets"


def _task(answers: dict[str, str]) -> dict[str, object]:
    return {
        "schema_version": 1,
        "title": "Settings navigator",
        "description": "Says where in the settings a wish is fulfilled.",
        "system_prompt": None,
        "examples": list(answers),
        "golden": [{"prompt": prompt, "answer": answer} for prompt, answer in answers.items()],
        "actions": [{"when": {"setting": setting}, "intent": intent} for setting, intent in _ACTIONS.items()],
        "quality": None,
    }
