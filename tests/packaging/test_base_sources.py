"""The prebuilt app and library that ship in edgekit belong to their sources as they are. `make android` builds them
anew and compares; this tells without any Android tool."""

from __future__ import annotations

import hashlib
import json

from android_build.layout import BASE, CORE
from android_build.sources import source_digest
from edgekit.packaging.core import AAR, FACTS


def test_the_base_was_built_from_the_sources_as_they_are() -> None:
    facts = json.loads((BASE / "base.json").read_text(encoding="utf-8"))
    assert facts["sources"] == source_digest(), "the sample app has changed since: run `make android-base`"


def test_the_core_was_built_from_the_sources_as_they_are() -> None:
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    assert facts["sources"] == source_digest((CORE,)), (
        "edgekit-core has changed since: run `make android-base`"
    )
    assert facts["sha256"] == hashlib.sha256(AAR.read_bytes()).hexdigest()
