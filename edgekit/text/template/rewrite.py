"""The chat template: as Transformers renders it, and rewritten for the engine.

Transformers renders templates with Jinja2; the engine with minijinja, which differs in ways that go unnoticed
until a phone answers nonsense. What matters, measured on litert-lm 0.18.1 and 0.11.0:

* Content arrives as a list of parts (0.18.1) or as a string (0.11.0), whatever the application passed.
* `bos_token`, `eos_token` and the other special tokens are undefined. The engine puts the start token of the
  metadata before the first prompt by itself.
* Dictionary and string methods are missing or emulated by textual replacement; `.get()`, `.upper()` and
  `.lower()` are missing, 0.11.0 also lacks `.strip()`, `.lstrip()` and `.rstrip()`.
* `break` and `continue` are missing; `none is none` is false; a string is no sequence; none is iterable.
* A newline at the end of the template is rendered (0.18.1), where Jinja2 drops it.
* A turn is fed as what the template adds to the conversation so far: the rendering with the new message less
  the rendering without it. What the template writes after the model's end of turn is in both, so it is never
  fed, and the second turn starts without the newline that the model has always seen there.

So `for_device` parses the template with Jinja2 and prints it again in the words that both understand, between
a prologue that defines the special tokens and makes content uniform, and an epilogue that leaves off what
follows the last end of turn while the model has not been asked again, so that the next turn brings it along.
What has no equivalent is refused by name and line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edgekit.errors import TemplateError
from edgekit.text.messages import Message
from edgekit.text.template.calls import AS_TEXT, ONE_TURN, open_turn
from edgekit.text.template.parse import ChatTemplate, environment
from edgekit.text.template.printer import Printer, quoted
from edgekit.text.template.reach import Reach
from edgekit.text.template.render import DeviceTemplate, render_source
from edgekit.text.template.verify import (
    AS_IT_IS,
    PARTS,
    STRINGS,
    check_rewriting,
    content_form,
    end_of_turn,
    hears_itself,
    keeps_history,
    system_support,
    turn,
    what_ends_a_turn,
)


def for_device(
    template: ChatTemplate,
    *,
    special_tokens: Mapping[str, str],
    stop_tokens: Sequence[str] = ("<end_of_turn>",),
    calls: bool = False,
) -> DeviceTemplate:
    """Rewrite a template so that the engine renders what Transformers renders, less the BOS token.

    stop_tokens: the texts of the tokens that may end the model's turn; the one that the template writes after
        what the model said does.
    calls: the model calls functions in FunctionGemma's tokens: what it says behind the results goes on in its turn.
    Raises TemplateError, with construct and line, for what the engine's Jinja has no equivalent for, and
    for a template that renders neither strings nor lists of parts.
    """
    from jinja2 import nodes

    def as_it_is(messages: Sequence[Message], generate: bool = False) -> str:
        return render_source(template.source, template.origin, messages, special_tokens, generate)

    def renamed(messages: Sequence[Message], generate: bool = False) -> str:
        return as_it_is([_as_model(message) for message in messages], generate)

    notes: list[str] = []
    form = content_form(as_it_is, template.origin)
    hf, names_model = as_it_is, False
    if hears_itself(as_it_is, form) is False:
        names_model = bool(hears_itself(renamed, form))
        hf = renamed if names_model else as_it_is
        notes.append(
            "the chat template writes the role `model` and drops `assistant`: the bundle renames it"
            if names_model
            else "the chat template drops what the model said: a second turn does not see the first answer"
        )
    bos = special_tokens.get("bos_token", "")
    plain = [turn("user", "Hi", form)]
    writes_bos = bool(bos) and hf(plain, True).startswith(bos)
    end, after = end_of_turn(hf, form, stop_tokens)
    if end is None and hears_itself(hf, form):
        notes.append(_no_end(hf, form))

    system = system_support(hf, form)
    if system is not None:
        notes.append(system)

    try:
        tree = environment().parse(template.source)
        reach = Reach(tree, frozenset(special_tokens) | environment().globals.keys())
        printer = Printer(template.origin, reach, drop=bos if writes_bos else "")
        printer.statements(tree.body, 1)
    except RecursionError as error:
        raise TemplateError("the chat template is nested too deeply", where=template.origin) from error
    notes += [
        f"{_WITHOUT_TOOLS} {what.removeprefix('the chat template ')}"
        for what in dict.fromkeys(printer.left_out)
    ]
    used = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    source = "".join(
        [
            *_token_definitions({**special_tokens, **({"bos_token": ""} if writes_bos else {})}, used),
            *_undefined(used),
            *((AS_TEXT, _UNIFORM_CONTENT[STRINGS], ONE_TURN) if calls else ()),
            *(() if calls and form != PARTS else (_UNIFORM_CONTENT[form],)),
            _RENAMED if names_model else "",
            "{%- set edgekit_prompt -%}\n",
            *printer.lines,
            "{%- endset -%}\n",
            open_turn(end or "", after) if calls else _epilogue(after),
        ]
    )
    device = DeviceTemplate(
        source=source,
        writes_bos=writes_bos,
        supports_system=system is None,
        end_of_turn=end,
        after_end_of_turn=after,
        content=form,
        notes=tuple(notes),
    )
    check_rewriting(hf, device, bos if writes_bos else "", template.origin, form)
    if keeps_history(device):
        return device
    return replace(device, one_turn=True, notes=(*notes, _ONE_TURN))


_WITHOUT_TOOLS = "left out a part of the chat template that only tools reach; it"
_ONE_TURN = (
    "the chat template changes earlier turns when a new one comes, which the engine cannot: "
    "the bundle holds one turn, each message begins a new conversation"
)


def _no_end(hf: Callable[..., str], form: str) -> str:
    written = what_ends_a_turn(hf, form)
    if not written:
        return (
            "the chat template ends the model's turn with no special token: "
            "a second turn may not look as it did in training"
        )
    return (
        f"the chat template ends the model's turn with {written!r}, which is no token of the tokenizer: answers may "
        "run to the limit of tokens; add it with tokenizer.add_special_tokens, and train it"
    )


def _as_model(message: Message) -> Message:
    return {**message, "role": "model"} if message["role"] == "assistant" else message


def _undefined(used: set[str]) -> list[str]:
    """Transformers passes None for these where the engine passes nothing; what an app passes stays."""
    return [
        f"{{%- set {name} = ({name} if {name} is defined else none) -%}}\n"
        for name in ("documents", "tools")
        if name in used
    ]


def _token_definitions(tokens: Mapping[str, str], used: set[str]) -> list[str]:
    return [
        f"{{%- set {name} = {quoted(text)} -%}}\n" for name, text in sorted(tokens.items()) if name in used
    ]


_UNIFORM_CONTENT = {
    AS_IT_IS: "",
    STRINGS: """\
{%- set edgekit = namespace(messages=[], text='') -%}
{%- for edgekit_message in messages -%}
  {%- set edgekit.text = edgekit_message['content'] -%}
  {%- if edgekit.text is not string and edgekit.text -%}
    {%- set edgekit.text = '' -%}
    {%- for edgekit_part in edgekit_message['content'] -%}
      {%- if edgekit_part is mapping and 'text' in edgekit_part -%}
        {%- set edgekit.text = edgekit.text ~ edgekit_part['text'] -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {%- set edgekit.messages = edgekit.messages + [dict(edgekit_message, content=edgekit.text)] -%}
{%- endfor -%}
{%- set messages = edgekit.messages -%}
""",
    PARTS: """\
{%- set edgekit = namespace(messages=[], parts=[]) -%}
{%- for edgekit_message in messages -%}
  {%- set edgekit.parts = edgekit_message['content'] -%}
  {%- if edgekit.parts is string -%}
    {%- set edgekit.parts = [{'type': 'text', 'text': edgekit_message['content']}] -%}
  {%- endif -%}
  {%- set edgekit.messages = edgekit.messages + [dict(edgekit_message, content=edgekit.parts)] -%}
{%- endfor -%}
{%- set messages = edgekit.messages -%}
""",
}


_RENAMED = """\
{%- set edgekit_roles = namespace(messages=[]) -%}
{%- for edgekit_message in messages -%}
  {%- if edgekit_message['role'] == 'assistant' -%}
    {%- set edgekit_roles.messages = edgekit_roles.messages + [dict(edgekit_message, role='model')] -%}
  {%- else -%}
    {%- set edgekit_roles.messages = edgekit_roles.messages + [edgekit_message] -%}
  {%- endif -%}
{%- endfor -%}
{%- set messages = edgekit_roles.messages -%}
"""


def _epilogue(after: str) -> str:
    if not after:
        return "{{- edgekit_prompt -}}\n"
    return f"""\
{{%- if messages and not add_generation_prompt and messages[-1]['role'] in ['assistant', 'model'] -%}}
  {{{{- edgekit_prompt[:-{len(after)}] -}}}}
{{%- else -%}}
  {{{{- edgekit_prompt -}}}}
{{%- endif -%}}
"""
