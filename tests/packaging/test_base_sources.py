"""The prebuilt app that ships in edgekit belongs to the sample app's sources as they are. `make android` builds it anew
and compares; this tells without any Android tool."""

from __future__ import annotations

import json

from android_build.layout import BASE
from android_build.sources import source_digest


def test_the_base_was_built_from_the_sources_as_they_are() -> None:
    facts = json.loads((BASE / "base.json").read_text(encoding="utf-8"))
    assert facts["sources"] == source_digest(), "the sample app has changed since: run `make android-base`"
