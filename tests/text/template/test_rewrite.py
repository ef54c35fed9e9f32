"""Chat templates: rendered as Transformers renders them, and rewritten so that the engine does so, too.

What the engine itself makes of the rewritten templates is checked in tests/runtime/ask/test_session.py.
"""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import TemplateError
from edgekit.text.template.parse import GEMMA_TEMPLATE, ChatTemplate
from edgekit.text.template.render import render, render_for_device
from edgekit.text.template.rewrite import for_device
from edgekit.text.template.verify import PROBES

pytestmark = pytest.mark.slow

SPECIAL = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
STOPS = ("<end_of_turn>", "<eos>")

TURN = (
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' "
    "+ TEXT + '<end_of_turn>\\n' }}"
)
PROMPT = "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"


def looped(text: str, start: str = "{{ bos_token }}", before: str = "", after: str = "") -> str:
    """A template that writes every message's `text` expression as a turn."""
    body = TURN.replace("TEXT", text)
    return f"{before}{start}{{% for m in messages %}}{body}{after}{{% endfor %}}{PROMPT}"


TEMPLATES = {
    "Gemma's format": GEMMA_TEMPLATE,
    "only strings": looped("m['content']"),
    "only lists of parts": looped("m['content'][0]['text']"),
    "strings and lists": looped(
        "(m['content'] if m['content'] is string else m['content'] | map(attribute='text') | join)"
    ),
    "attributes": looped("m.content | trim"),
    "python's strip": looped("m['content'].strip()"),
    "python's lstrip and rstrip": looped("m['content'].lstrip().rstrip('\\n')"),
    "python's get": looped("m.get('content', '') ~ m.get('name', '')"),
    "python's split": looped("m['content'].split('</think>')[-1]"),
    "python's replace, upper and lower": looped(
        "(m['content'] ~ m['content'].replace('a', 'b').upper() ~ 'X'.lower())"
    ),
    "python's startswith and endswith": looped(
        "('!' if m['content'].startswith('a') or m['content'].endswith('b') else m['content'])"
    ),
    "a literal BOS": looped("m['content']", start="<bos>"),
    "a literal BOS in an expression": looped("m['content']", start="{{ '<bos>' }}"),
    "no BOS": looped("m['content']", start=""),
    "eos_token after each turn": looped("m['content']", after="{{ eos_token }}"),
    "a final newline": looped("m['content']") + "\n",
    "indented statements": "{{ bos_token }}\n  {% for m in messages %}\n"
    + TURN.replace("TEXT", "m['content']")
    + "\n  {% endfor %}\n"
    + PROMPT,
    "a namespace and a macro": looped(
        "say(m['content'])",
        before="{% set ns = namespace(n=0) %}{% macro say(x, y='.') %}{{ x }}{{ y }}{% endmacro %}",
        after="{% set ns.n = ns.n + 1 %}{{ ns.n }}",
    ),
    "alternating roles": looped(
        "m['content']",
        before="{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}",
        after="{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate') }}{% endif %}",
    ),
    "a generation block": looped("m['content']", after="{% generation %}{{ '' }}{% endgeneration %}"),
    "tests on none, sequences and missing keys": looped(
        "('N' if m['name'] is none else 'd' if m['name'] is defined else m['content']) "
        "~ ('s' if m['content'] is sequence else '') ~ ('i' if none is iterable else '')"
    ),
    "neighbours and slices": looped(
        "(loop.previtem['role'] if loop.previtem is defined else '') ~ messages[-1]['role'] ~ m['content'][1:]"
    ),
    "JSON": looped("m['role'] | tojson ~ m['content']"),
    "blocks": looped(
        "(held ~ m['content'])",
        before="{% set held %} x{{ 1 }} {% endset %}{% filter upper | trim %}up{% endfilter %}"
        "{% macro wrap() %}<{{ caller() }}>{% endmacro %}{% call wrap() %}z{% endcall %}",
        after="{% with q = m['content'] %}{{ q }}{% endwith %}",
    ),
    "ChatML": "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "drops the system message": "{{ bos_token }}{% for m in messages if m['role'] != 'system' %}"
    + TURN.replace("TEXT", "m['content']")
    + "{% endfor %}"
    + PROMPT,
}


def messages_of(probe: tuple[tuple[str, str], ...], parts: bool = False) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": [{"type": "text", "text": text}] if parts else text} for role, text in probe
    ]


@pytest.fixture(scope="module")
def tokenizer(demo_path: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(demo_path)


@pytest.mark.parametrize("name", TEMPLATES)
def test_renders_what_transformers_renders(name: str, tokenizer: Any) -> None:
    template = ChatTemplate(TEMPLATES[name], name)
    rendered = 0
    for probe in PROBES:
        for parts in (False, True):
            for generate in (False, True):
                messages = messages_of(probe, parts)
                try:
                    wanted = tokenizer.apply_chat_template(
                        messages,
                        chat_template=template.source,
                        tokenize=False,
                        add_generation_prompt=generate,
                    )
                except Exception:  # whatever the template does, we fail where Transformers fails
                    with pytest.raises(TemplateError):
                        render(template, messages, special_tokens=SPECIAL, add_generation_prompt=generate)
                    continue
                found = render(template, messages, special_tokens=SPECIAL, add_generation_prompt=generate)
                assert found == wanted
                rendered += 1
    assert rendered


@pytest.mark.parametrize("name", TEMPLATES)
def test_rewriting_says_the_same_less_the_bos(name: str) -> None:
    template = ChatTemplate(TEMPLATES[name], name)
    form = name == "only lists of parts"
    device = for_device(template, special_tokens=SPECIAL, stop_tokens=(*STOPS, "<|im_end|>"))
    for probe in PROBES:
        try:
            wanted = render(
                template, messages_of(probe, form), special_tokens=SPECIAL, add_generation_prompt=True
            )
        except TemplateError:
            continue
        for parts in (False, True):
            found = render_for_device(device, messages_of(probe, parts), add_generation_prompt=True)
            assert found == wanted.removeprefix("<bos>")


def test_what_follows_the_end_of_turn_waits_for_the_next_turn() -> None:
    device = for_device(ChatTemplate(GEMMA_TEMPLATE, "own"), special_tokens=SPECIAL, stop_tokens=STOPS)
    assert (device.end_of_turn, device.after_end_of_turn) == ("<end_of_turn>", "\n")
    history = messages_of((("user", "a"), ("assistant", "b")))
    before = render_for_device(device, history)
    after = render_for_device(
        device, [*history, {"role": "user", "content": "c"}], add_generation_prompt=True
    )
    assert before.endswith("b<end_of_turn>")
    assert after.removeprefix(before).startswith("\n<start_of_turn>user\nc")


@pytest.mark.parametrize(
    ("name", "bos", "system", "end"),
    [
        ("Gemma's format", True, True, "<end_of_turn>"),
        ("a literal BOS", True, True, "<end_of_turn>"),
        ("no BOS", False, True, "<end_of_turn>"),
        ("alternating roles", True, False, "<end_of_turn>"),
        ("drops the system message", True, False, "<end_of_turn>"),
        ("ChatML", True, True, "<|im_end|>"),
    ],
)
def test_finds_out_what_a_template_does(name: str, bos: bool, system: bool, end: str) -> None:
    template = ChatTemplate(TEMPLATES[name], name)
    device = for_device(template, special_tokens=SPECIAL, stop_tokens=(*STOPS, "<|im_end|>"))
    assert (device.writes_bos, device.supports_system, device.end_of_turn) == (bos, system, end)
    assert any("system messages" in note for note in device.notes) is not system


def test_a_template_without_an_end_of_turn_is_reported() -> None:
    source = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    device = for_device(ChatTemplate(source, "plain"), special_tokens=SPECIAL, stop_tokens=STOPS)
    assert device.end_of_turn is None
    assert "no special token" in device.notes[0]


@pytest.mark.parametrize(
    ("expression", "construct"),
    [
        ("{% for x in [1] %}{% break %}{% endfor %}", "`break`"),
        ("{% for x in [1] %}{% continue %}{% endfor %}", "`continue`"),
        ("{{ 'x'.zfill(3) }}", r"the method `\.zfill\(\)`"),
        ("{{ 'a' | wordcount }}", "the filter `wordcount`"),
        ("{{ {} | tojson(indent=2) }}", "`tojson` with options"),
        ("{{ '%s' % 'a' }}", "the % operator on a string"),
        ("{{ 'a' is escaped }}", "the test `is escaped`"),
        ("{{ lipsum() }}", r"the function `lipsum\(\)`"),
        ("{{ 'a b'.split(sep=' ') }}", r"`\.split\(\)` with named arguments"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name_and_line(expression: str, construct: str) -> None:
    source = "\n\n" + expression + looped("m['content']")
    with pytest.raises(TemplateError, match=construct + r" \(line 3\)"):
        for_device(ChatTemplate(source, "own"), special_tokens=SPECIAL)


def test_a_template_that_loses_the_question_is_refused() -> None:
    with pytest.raises(TemplateError, match="loses what the user says"):
        for_device(ChatTemplate("{{ bos_token }}Hello", "own"), special_tokens=SPECIAL)


def test_templates_cannot_reach_out_of_the_sandbox() -> None:
    source = "{{ messages.__class__.__mro__[1].__subclasses__() }}{{ messages[0]['content'] }}"
    with pytest.raises(TemplateError):
        for_device(ChatTemplate(source, "evil"), special_tokens=SPECIAL)


@given(
    st.sampled_from(sorted(TEMPLATES)), st.lists(st.text(max_size=20), min_size=1, max_size=5), st.booleans()
)
def test_whatever_is_said_the_rewriting_says_the_same(name: str, texts: list[str], generate: bool) -> None:
    template = ChatTemplate(TEMPLATES[name], name)
    device = for_device(template, special_tokens=SPECIAL, stop_tokens=STOPS)
    roles = ("user", "assistant")
    probe = tuple((roles[place % 2], text) for place, text in enumerate(texts))
    parts = "lists of parts" in name
    wanted = render(
        template, messages_of(probe, parts), special_tokens=SPECIAL, add_generation_prompt=generate
    )
    wanted = wanted.removeprefix("<bos>") if device.writes_bos else wanted
    if not generate and len(texts) % 2 == 0:
        wanted = wanted.removesuffix(device.after_end_of_turn)
    assert render_for_device(device, messages_of(probe), add_generation_prompt=generate) == wanted
