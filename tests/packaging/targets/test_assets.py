"""What an app that is there already needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.packaging.conftest import MODEL, Packaged

pytestmark = pytest.mark.slow


def test_assets_come_with_what_an_app_needs(navigator: Path, packaged: Packaged) -> None:
    out = packaged("assets").output
    assert (out / "assets/edgekit" / MODEL).read_bytes() == (navigator / MODEL).read_bytes()
    assert "noCompress 'litertlm', 'tflite', 'json', 'NOTICE'" in (out / "edgekit.gradle").read_text()
    assert (
        'noCompress += listOf("litertlm", "tflite", "json", "NOTICE")'
        in (out / "edgekit.gradle.kts").read_text()
    )
    kotlin = (out / "SettingsNavigator.kt").read_text()
    model = json.loads((navigator / "edgekit.json").read_text())["model"]
    for words in (
        f'MODEL_FILE = "{MODEL}"',
        f'MODEL_SHA256 = "{model["sha256"]}"',
        "MAX_TOKENS = 4096",
        "SamplerConfig(topK = 1,",
        "enableResponseFormat = true",
        "SuppressTokensConfig(listOf(1) + (15..142).toList())",
        "<end_of_turn> (6), <eos> (1)",
    ):
        assert words in kotlin
    literals = re.findall(r'^ +("\{.*|".*")(?: \+|,)$', kotlin, re.MULTILINE)
    schema = "".join(json.loads(literal.replace("\\$", "$")) for literal in literals)
    assert json.loads(schema) == json.loads((navigator / "edgekit.json").read_text())["answer"]["schema"]
