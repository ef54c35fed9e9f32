"""What only tools reach is left out where the engine's Jinja cannot print it; what a chat reaches is refused."""

from __future__ import annotations

import pytest

from edgekit.errors import TemplateError
from edgekit.text.template.parse import ChatTemplate
from edgekit.text.template.render import DeviceTemplate
from edgekit.text.template.rewrite import for_device

SPECIAL = {"bos_token": "<bos>"}
BODY = "{{ m['content'] }}<end_of_turn>\n"


def rewritten(before: str, body: str = BODY) -> DeviceTemplate:
    source = "{{ bos_token }}" + before + "{% for m in messages %}" + body + "{% endfor %}"
    return for_device(ChatTemplate(source, "own"), special_tokens=SPECIAL)


@pytest.mark.parametrize(
    "before",
    [
        "{% if tools %}X{% endif %}",
        "{% if tools is not none and tools | length > 0 %}X{% endif %}",
        "{% if not tools %}A{% else %}X{% endif %}",
        "{% set x = tools %}{% if x %}X{% endif %}",
        "{% if custom_tools is defined %}{% set tools = custom_tools %}{% endif %}{% if tools %}X{% endif %}",
        "{% if builtin_tools or documents %}X{% endif %}",
        "{{ tools | tojson(indent=2) if tools else '' }}",
        "{% if tools and (tools | tojson(indent=2)) %}A{% endif %}",
        "{% macro write(t) %}X{% endmacro %}{% if tools %}{{ write(tools) }}{% endif %}",
        "{% for m in messages %}{% if m.tool_calls or m['role'] == 'tool' %}X{% endif %}{% endfor %}",
        "{% for m in messages %}{% if m.role in ['tool', 'ipython'] %}X{% endif %}{% endfor %}",
    ],
)
def test_what_only_tools_reach_is_left_out_with_a_note(before: str) -> None:
    device = rewritten(before.replace("X", "{{ tools | tojson(indent=2) }}"))
    assert [note for note in device.notes if "that only tools reach" in note and "(line 1)" in note]


@pytest.mark.parametrize(
    "before",
    [
        "X",
        "{% if messages %}X{% endif %}",
        "{% if tools is none %}X{% endif %}",
        "{% if tools is defined %}X{% endif %}",
        "{% if not tools %}X{% endif %}",
        "{% if tools or messages | length > 7 %}X{% endif %}",
        "{% set tools = messages %}{% if tools %}X{% endif %}",
        "{% macro write(t) %}X{% endmacro %}{{ write(1) }}",
        "{% for m in messages %}{% if m['role'] in ['tool', 'user'] %}X{% endif %}{% endfor %}",
    ],
)
def test_what_a_chat_may_reach_is_refused(before: str) -> None:
    with pytest.raises(TemplateError, match="`tojson` with options"):
        rewritten(before.replace("X", "{{ messages | tojson(indent=2) }}"))
