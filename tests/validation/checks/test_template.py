"""Other prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.container import SectionKind
from edgekit.validation.checks import (
    template,
)
from tests.validation.adapted import planted_adapter
from tests.validation.planted import metadata, planted
from tests.validation.reading import BRIEF, failures, section

pytestmark = pytest.mark.slow


def test_a_lost_system_message_is_caught_by_template(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def lose(message: object) -> None:
        skip = "{%- if messages[0]['role'] == 'system' -%}{%- set messages = messages[1:] -%}{%- endif -%}\n"
        message.jinja_prompt_template = skip + message.jinja_prompt_template  # type: ignore[attr-defined]

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.LLM_METADATA, metadata(lose))
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    assert failures(report) == {"template"}
    wrong = {case.name for case in section(report, template.Section).cases if case.status == "failed"}
    assert wrong == {
        "system message",
        "system message, lists of parts",
        "system message and five turns",
    }


def test_a_second_message_is_fed_as_the_checkpoint_would_read_it(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    report = edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)
    *_, second = section(report, template.Section).cases
    assert (second.name, second.status) == ("a second message, as the engine adds it", "passed")
    assert second.reference == second.bundle
    assert second.reference.count("<start_of_turn>user\n") == 2 and "And now?" in second.reference

    def mumble(message: object) -> None:
        source = message.jinja_prompt_template  # type: ignore[attr-defined]
        message.jinja_prompt_template = source.replace("<start_of_turn>", "<start_of_turn> ")  # type: ignore[attr-defined]

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.LLM_METADATA, metadata(mumble))
    report = edgekit.validate(bundle, demo_path, data=few_rows, report=False)
    *_, second = section(report, template.Section).cases
    assert second.status == "failed"


def test_an_adapters_chat_template_is_the_engines(
    adapter_ready_bundle: Path, sentiment_adapter: Path, few_rows: Path, tmp_path: Path
) -> None:
    told = planted_adapter(sentiment_adapter, tmp_path / "a", chat_template="{{ 'Q' }}")
    report = edgekit.validate(
        adapter_ready_bundle, adapter=told, against=adapter_ready_bundle, data=few_rows, **BRIEF
    )
    assert "template" in failures(report)
    assert {case.bundle for case in section(report, template.Section).cases} == {"Q"}
