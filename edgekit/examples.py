"""Where the examples are: beside this file in the wheel, at the root in a checkout."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import MissingToolError

_PLACES = (Path(__file__).parent / "shipped_examples", Path(__file__).parents[1] / "examples")


def settings_navigator() -> Path:
    """The directory of the demo model: its checkpoint, data and answer schema."""
    return _example("settings-navigator")


def sentiment() -> Path:
    """The directory of the demo adapter that hears praise and complaints: rank 8, attention only."""
    return _example("sentiment")


def support_triage() -> Path:
    """The directory of the demo adapter that finds a team and tells the urgency: rank 16, attention and MLP."""
    return _example("support-triage")


def phone_actions() -> Path:
    """The directory of the demo model that calls functions: its checkpoint, data and tools."""
    return _example("phone-actions")


def _example(name: str) -> Path:
    for place in _PLACES:
        if (directory := place / name).is_dir():
            return directory
    raise MissingToolError(f"the example {name} is not installed", remedy="install edgekit from its wheel")
