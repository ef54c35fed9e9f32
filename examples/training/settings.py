"""What people say about the settings of a phone: the grammar of the settings navigator."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from training.phrases import LANGUAGES, Intent

GRAMMAR = Path(__file__).resolve().parents[1] / "settings-navigator" / "grammar"
ACTIONS = ("increase", "decrease", "enable", "disable", "open")
# Every intent has own frames (complaints, its own verbs) and shared ones ("turn on {name}").
HELD_OUT_OWN = 1
HELD_OUT_SHARED = 2


def read_settings(language: str) -> list[Intent]:
    """The intents of one language, a meaningful (screen, setting, action) each, in the order of its grammar file."""
    grammar = tomllib.loads((GRAMMAR / f"{language}.toml").read_text("utf-8"))
    frames = grammar.pop("frames")
    intents = []
    for key, entry in grammar.items():
        screen, setting = key.split(".")
        for action in ACTIONS:
            if action in entry:
                answer = json.dumps({"screen": screen, "setting": setting, "action": action})
                own, shared = tuple(entry[action]), tuple(frames[action])
                names = tuple(entry["names"])
                intents.append(Intent(language, answer, own, shared, names, HELD_OUT_OWN, HELD_OUT_SHARED))
    return intents


def all_settings() -> list[Intent]:
    """The intents of every language."""
    return [intent for language in LANGUAGES for intent in read_settings(language)]
