"""What both sides are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.inspect import inspect
from edgekit.bundle.opening import open_bundle
from edgekit.text.data import read_data
from edgekit.validation.checks import (
    template,
)
from edgekit.validation.questions import questions_for
from tests.validation.adapted import planted_adapter
from tests.validation.reading import section, validated

pytestmark = pytest.mark.slow


def test_the_adapters_system_prompt_and_format_are_what_both_sides_are_asked_with(
    adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path, tmp_path: Path
) -> None:
    told = planted_adapter(sentiment_adapter, tmp_path / "a", system_prompt="Say how I feel.")
    opened = open_adapter(told, open_bundle(adapter_ready_bundle))
    own = tmp_path / "own.jsonl"
    own.write_text(
        '{"prompt": "hi"}\n{"messages": [{"role": "system", "content": "Be brief."}, '
        '{"role": "user", "content": "hi"}]}\n'
    )
    asked = questions_for(inspect(adapter_ready_bundle), opened, read_data(own), 8)
    assert [messages[0]["content"] for messages in asked.prompts] == ["Say how I feel.", "Be brief."]
    assert "Say how I feel." in asked.texts
    assert asked.answers is not None and "sentiment" in asked.answers.source
    assert "brightness" not in asked.answers.source, "the base's format is another task's"
    report = validated(told, adapter_ready_bundle, demo_path)
    (case,) = [
        case for case in section(report, template.Section).cases if case.name == "the adapter's system prompt"
    ]
    assert case.status == "passed" and "Say how I feel." in case.bundle
