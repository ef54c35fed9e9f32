"""A template or a tokenizer of others cannot stop the machine, nor end the program: it runs in a child with limits.

The harm held off: gigabytes, loops without end, crashes and panics of libraries, told as a bug or as a failed check.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import CheckpointError, TemplateError, TokenizerError
from edgekit.text import bounded
from edgekit.text.template.parse import TEMPLATE_FILE, ChatTemplate, read_chat_template
from edgekit.text.template.render import render
from edgekit.text.template.rewrite import for_device
from edgekit.text.tokenizer.read import read_tokenizer
from tests.fixtures.checkpoints import DEMO_CHECKPOINT

BOMBS = {
    "a long text": "{{ 'a' * 3000000000 }}",
    "a wide text": "{{ 'a'.center(4000000000) }}",
    "a wide number": "{{ '%4000000000d' % 1 }}",
    "a power": "{{ 9 ** (9 ** 9) }}",
    "a shift by powers": "{% set x = namespace(n=9) %}{% for i in range(40) %}{% set x.n = x.n * x.n %}{% endfor %}",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "doubling": "{% set x = namespace(t='a') %}{% for i in range(60) %}{% set x.t = x.t ~ x.t %}{% endfor %}",
    "a list": "{{ ([0] * 4000000000) | length }}",
    "indentation": "{{ messages | tojson(indent=1000000000) }}",
    "parentheses": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "blocks": "{% if x %}" * 5_000 + "{% endif %}" * 5_000,
    "a slow pattern": "{{ ('a' * 200000) | wordwrap(1) | length }}",
    "a failure": "{{ 1 // 0 }}",
    "a missing key": "{{ messages[99]['content'] }}",
    "the sandbox": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "half a pair": "{{ '\\ud800' }}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_template_ends_as_one_or_in_an_error_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded.templates, "_seconds", 1.0)
    source = "{{ messages[0]['content'] }}\n" + BOMBS[name]
    try:
        text = render(ChatTemplate(source, "t.jinja"), [{"role": "user", "content": "x"}], special_tokens={})
        assert len(text) < 1 << 24
        for_device(ChatTemplate(source, "t.jinja"), special_tokens={})
    except TemplateError as error:
        assert error.where in ("t.jinja", "the rewritten chat template")


@pytest.mark.parametrize("name", ["a long text", "loops", "a failure", "doubling", "a missing key"])
def test_the_error_names_the_line_of_the_template(name: str) -> None:
    """With the usual patience: a child that must start first, on a busy machine, takes a second for that alone."""
    template = ChatTemplate("{# a\ncomment #}\n" + BOMBS[name], "t.jinja")
    with pytest.raises(TemplateError, match=r"\(line 3\)"):
        render(template, [{"role": "user", "content": "x"}], special_tokens={})


def test_a_template_that_is_killed_does_not_hinder_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(TemplateError, match="more than 1 seconds"):
        patch.setattr(bounded.templates, "_seconds", 1.0)
        render(ChatTemplate(BOMBS["a power"], "t"), [], special_tokens={})
    assert render(ChatTemplate("{{ 1 + 1 }}", "t"), [], special_tokens={}) == "2"


def test_no_module_of_the_users_directory_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data that a user looks at may bring a `json.py`."""
    for name in ("json", "jinja2", "edgekit", "resource"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    child = bounded.Bounded(memory=1 << 30, seconds=8)
    assert child.ask("render", source="{{ 1 }}", context={}) == "1"
    assert not (tmp_path / "ran").exists()
    child._end()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{{ 1 }}" * 300_000], ids=["not UTF-8", "2 MB"])
def test_a_template_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TEMPLATE_FILE).write_bytes(content)
    with pytest.raises(TemplateError):
        read_chat_template(tmp_path)


def no_bos(document: dict[str, Any]) -> None:
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {},
    }


def prefix(document: dict[str, Any]) -> None:
    document["model"]["continuing_subword_prefix"] = "-1"


def half_pair(document: dict[str, Any]) -> None:
    document["model"]["merges"][0] = ["\ud800", "a"]


def half_piece(document: dict[str, Any]) -> None:
    document["model"]["vocab"]["\udfff"] = 5


def huge_id(document: dict[str, Any]) -> None:
    document["model"]["vocab"]["zz"] = 10**30


def negative_id(document: dict[str, Any]) -> None:
    document["model"]["vocab"]["zz"] = -1


def endless(document: dict[str, Any]) -> None:
    document["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(x+x+)+y"}, "content": "z" * 100_000}


@pytest.mark.parametrize("damage", [no_bos, prefix, half_pair, half_piece, huge_id, negative_id, endless])
def test_a_damaged_tokenizer_is_refused_as_such_or_used(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(DEMO_CHECKPOINT, tmp_path / "c")
    path = tmp_path / "c" / "tokenizer.json"
    document = json.loads(path.read_bytes())
    damage(document)
    path.write_text(json.dumps(document))
    rows = json.loads((tmp_path / "c" / "config.json").read_bytes())["vocab_size"]
    try:
        read_tokenizer(tmp_path / "c", rows=rows)
    except (TokenizerError, CheckpointError) as error:
        assert error.where == str(path)


def test_a_tokenizer_model_with_a_piece_that_is_no_text(tmp_path: Path) -> None:
    content = bytearray((DEMO_CHECKPOINT / "tokenizer.model").read_bytes())
    place = content.index(b"the")
    content[place] = 0xFF
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(TokenizerError):
        read_tokenizer(tmp_path, rows=10**6)


def test_a_child_that_was_started_before_is_the_one_that_answers() -> None:
    child = bounded.Bounded(memory=1 << 30, seconds=8)
    child.start()
    started = child._process
    assert child.ask("render", source="{{ 1 }}", context={}) == "1"
    assert child._process is started is not None
    child._end()


def test_the_child_ends_with_its_parent() -> None:
    child = bounded.Bounded(memory=1 << 30, seconds=8)
    child.ask("render", source="", context={})
    assert child._process is not None and child._process.stdin is not None
    child._process.stdin.close()
    assert child._process.wait(120) == 0
