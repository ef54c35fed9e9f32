"""Where the examples are: beside this file in the wheel, at the root in a checkout."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import MissingToolError

_PLACES = (Path(__file__).parent / "shipped_examples", Path(__file__).parents[1] / "examples")


def settings_navigator() -> Path:
    """The directory of the demo model: its checkpoint, data and answer schema."""
    for place in _PLACES:
        if (directory := place / "settings-navigator").is_dir():
            return directory
    raise MissingToolError("the demo model is not installed", remedy="install edgekit from its wheel")
