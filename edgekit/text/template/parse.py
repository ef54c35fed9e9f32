"""A checkpoint's chat template: found, and compiled as Transformers compiles it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import TemplateError
from edgekit.files.within import read_regular
from edgekit.records.documents import read_json_object
from edgekit.text import bounded

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

TEMPLATE_FILE = "chat_template.jinja"
TEMPLATE_JSON = "chat_template.json"
CONFIG_FILE = "tokenizer_config.json"

MAX_TEMPLATE_BYTES = 1 << 20
"""The longest that are published have 20 kB."""

GEMMA_TEMPLATE = """\
{{- bos_token -}}
{%- set lead = '' -%}
{%- set turns = messages -%}
{%- if messages and messages[0]['role'] == 'system' -%}
  {%- set lead = messages[0]['content'] + '\\n\\n' -%}
  {%- set turns = messages[1:] -%}
{%- endif -%}
{%- for turn in turns -%}
  {%- set speaker = 'model' if turn['role'] == 'assistant' else turn['role'] -%}
  {{- '<start_of_turn>' + speaker + '\\n' -}}
  {{- lead if loop.first else '' -}}
  {{- turn['content'] | trim -}}
  {{- '<end_of_turn>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<start_of_turn>model\\n' -}}
{%- endif -%}
"""
"""Gemma 3's turns, for a checkpoint that brings no template: a system message leads the first user turn."""


@dataclass(frozen=True)
class ChatTemplate:
    """A template as the checkpoint brings it."""

    source: str
    origin: str
    """The file it was read from, or "Gemma 3's standard format"."""
    notes: tuple[str, ...] = ()


def has_chat_template(directory: Path) -> bool:
    """Tell whether a directory brings a chat template of its own."""
    if (directory / TEMPLATE_FILE).exists():
        return True
    files = (directory / TEMPLATE_JSON, directory / CONFIG_FILE)
    return any(path.exists() and read_json_object(path).get("chat_template") is not None for path in files)


def read_chat_template(directory: Path) -> ChatTemplate:
    """Read a checkpoint's chat template, from the file that Transformers would take it from.

    chat_template.jinja wins over chat_template.json, that over tokenizer_config.json; of several named
    templates the one named "default" counts. A checkpoint without any gets Gemma's format, with a note.
    Raises CheckpointError for a damaged file, TemplateError for one whose template is unusable or does not
    compile.
    """
    path = directory / TEMPLATE_FILE
    if path.exists():
        try:
            content = read_regular(path, MAX_TEMPLATE_BYTES)
            source: object = None if content is None else content.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(f"cannot be read ({error})", where=path) from error
    else:
        for name in (TEMPLATE_JSON, CONFIG_FILE):
            path = directory / name
            source = read_json_object(path).get("chat_template") if path.exists() else None
            if source is not None:
                break
        else:
            return ChatTemplate(
                GEMMA_TEMPLATE,
                "Gemma 3's standard format",
                ("the checkpoint has no chat template: using Gemma 3's standard format",),
            )
    if isinstance(source, list):
        source = {t["name"]: t.get("template") for t in source if isinstance(t, dict) and "name" in t}
    if isinstance(source, dict):
        if "default" not in source:
            raise TemplateError('has several chat templates, but none named "default"', where=path)
        source = source["default"]
    if source is None or (isinstance(source, str) and len(source) > MAX_TEMPLATE_BYTES):
        raise TemplateError(f"the chat template has more than {MAX_TEMPLATE_BYTES >> 20} MiB", where=path)
    if not isinstance(source, str):
        raise TemplateError("has a chat_template that is not text", where=path)
    template = ChatTemplate(source, path.name)
    check_compiles(template.source, str(path))
    return template


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The environment of Transformers' apply_chat_template, and minijinja's words that Jinja2 lacks."""
    from jinja2 import nodes
    from jinja2.exceptions import TemplateError as JinjaError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what a trainer learns from; it does not change the text."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise JinjaError(message)

    class Sandbox(ImmutableSandboxedEnvironment):
        # Not folded while it is parsed or compiled, where no line is known yet and nothing is bounded.
        intercepted_binops = frozenset(("**", "*", "%"))

    environment = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.filters["split"] = lambda text, separator=None, most=-1: text.split(separator, most)
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


@lru_cache(maxsize=32)
def compile_template(source: str) -> Any:
    """Compile a template. Only the child of `edgekit.text.bounded` may: to compile some takes all memory."""
    return environment().from_string(source)


def check_compiles(source: str, origin: str) -> None:
    """Raise TemplateError, which `origin` names, for a template that cannot be compiled."""
    try:
        bounded.templates.ask("compile", source=source)
    except bounded.Failed as error:
        line = "" if error.line is None else f", line {error.line}"
        raise TemplateError(f"the chat template does not compile{line}: {error}", where=origin) from error
    except bounded.LimitExceeded as error:
        raise TemplateError(f"the chat template cannot be compiled: {error}", where=origin) from error
