"""Chat templates are read from the file that Transformers would take them from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import CheckpointError, TemplateError
from edgekit.text.template.parse import read_chat_template
from edgekit.text.template.render import render
from tests.text.template.test_rewrite import SPECIAL, messages_of

pytestmark = pytest.mark.slow


def test_a_template_that_does_not_compile_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}\n{% for m in messages %}\n{% endif %}")
    with pytest.raises(TemplateError, match="does not compile, line 3"):
        read_chat_template(tmp_path)


def test_the_jinja_file_wins_over_the_config(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": "from the config"}))
    assert read_chat_template(tmp_path).source == "from the config"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "from the json"}))
    assert read_chat_template(tmp_path).source == "from the json"
    (tmp_path / "chat_template.jinja").write_text("from the jinja file")
    template = read_chat_template(tmp_path)
    assert (template.source, template.origin) == ("from the jinja file", "chat_template.jinja")


def test_of_named_templates_the_default_counts(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert read_chat_template(tmp_path).source == "yes"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named[:1]}))
    with pytest.raises(TemplateError, match='none named "default"'):
        read_chat_template(tmp_path)


def test_without_a_template_the_checkpoint_speaks_gemma(tmp_path: Path) -> None:
    template = read_chat_template(tmp_path)
    assert "no chat template" in template.notes[0]
    found = render(
        template,
        messages_of((("system", "Be brief."), ("user", " Hi "), ("assistant", "Yes"), ("user", "Go"))),
        special_tokens=SPECIAL,
        add_generation_prompt=True,
    )
    assert found == (
        "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nYes<end_of_turn>\n"
        "<start_of_turn>user\nGo<end_of_turn>\n<start_of_turn>model\n"
    )


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"chat_template": 3}'])
def test_unreadable_templates_name_their_file(tmp_path: Path, content: bytes) -> None:
    name = "chat_template.jinja" if content[0] == 0xFF else "tokenizer_config.json"
    (tmp_path / name).write_bytes(content)
    with pytest.raises((TemplateError, CheckpointError), match=name):
        read_chat_template(tmp_path)
