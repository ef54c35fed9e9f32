"""`task.json`: what the sample app makes of a bundle (docs/design/app.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

SCHEMA_VERSION: Final = 1
SETTINGS_INTENTS: Final = "android.settings."
"""How the intents begin that the app starts: a bundle must not reach further than the pages of the settings."""


@dataclass(frozen=True)
class Golden:
    """A prompt, and the greedy answer of the desktop's engine in a fresh conversation."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Action:
    """The button under an answer: starts `intent` when every field of `when` has that text in the JSON answer."""

    when: Mapping[str, str]
    intent: str


@dataclass(frozen=True)
class QualityCheck:
    """One check of `edgekit validate`, with what it found in a few words."""

    name: str
    passed: bool
    summary: str


@dataclass(frozen=True)
class Quality:
    """The verdict of `edgekit validate` on this very bundle."""

    passed: bool
    checks: tuple[QualityCheck, ...]


@dataclass(frozen=True)
class Task:
    """What the app shows and asks. title: of the app's first screen. examples: prompts to tap."""

    title: str
    description: str | None = None
    system_prompt: str | None = None
    examples: tuple[str, ...] = ()
    golden: tuple[Golden, ...] = ()
    actions: tuple[Action, ...] = ()
    quality: Quality | None = None

    def to_json(self) -> bytes:
        """Return the file."""
        values = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        return (json.dumps(values, ensure_ascii=False, indent=2) + "\n").encode()
