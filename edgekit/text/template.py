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

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import TemplateError
from edgekit.records.documents import read_json_object

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

Message = Mapping[str, Any]
"""One turn: "role" and "content", a string or a list of parts such as {"type": "text", "text": …}."""

TEMPLATE_FILE = "chat_template.jinja"
TEMPLATE_JSON = "chat_template.json"
CONFIG_FILE = "tokenizer_config.json"

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


@dataclass(frozen=True)
class DeviceTemplate:
    """A template as the engine gets it, and what was found out about it on the way."""

    source: str
    writes_bos: bool
    """Whether Transformers' prompt starts with the BOS token; the engine must then be told to write it."""
    supports_system: bool
    """Whether a system message reaches the prompt."""
    end_of_turn: str | None
    """The token that ends the model's turn; None when the template writes none."""
    after_end_of_turn: str
    """What stands between the model's end of turn and the next turn, usually a newline."""
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
            source: object = path.read_text(encoding="utf-8")
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
    if not isinstance(source, str):
        raise TemplateError("has a chat_template that is not text", where=path)
    template = ChatTemplate(source, path.name)
    _compiled(template.source, str(path))
    return template


def render(
    template: ChatTemplate,
    messages: Sequence[Message],
    *,
    special_tokens: Mapping[str, str],
    add_generation_prompt: bool = False,
) -> str:
    """Render a conversation exactly as Transformers' `apply_chat_template(tokenize=False)` does.

    special_tokens: by Transformers' names, such as {"bos_token": "<bos>", "eos_token": "<eos>"}.
    Raises TemplateError when the template fails on this conversation (some do so on purpose).
    """
    return _render(template.source, template.origin, messages, special_tokens, add_generation_prompt)


def for_device(
    template: ChatTemplate,
    *,
    special_tokens: Mapping[str, str],
    stop_tokens: Sequence[str] = ("<end_of_turn>",),
) -> DeviceTemplate:
    """Rewrite a template so that the engine renders what Transformers renders, less the BOS token.

    stop_tokens: the texts of the tokens that may end the model's turn; the one that the template writes after
        what the model said does.
    Raises TemplateError, with construct and line, for what the engine's Jinja has no equivalent for, and
    for a template that renders neither strings nor lists of parts.
    """
    from jinja2 import nodes

    def hf(messages: Sequence[Message], generate: bool = False) -> str:
        return _render(template.source, template.origin, messages, special_tokens, generate)

    notes: list[str] = []
    form = _content_form(hf, template.origin)
    bos = special_tokens.get("bos_token", "")
    plain = [_message("user", "Hi", form)]
    writes_bos = bool(bos) and hf(plain, True).startswith(bos)
    end, after = _end_of_turn(hf, form, stop_tokens)
    if end is None:
        notes.append(
            "the chat template ends the model's turn with no special token: "
            "a second turn may not look as it did in training"
        )

    system = _system_support(hf, form)
    if system is not None:
        notes.append(system)

    tree = _environment().parse(template.source)
    printer = _Printer(template.origin, drop=bos if writes_bos else "")
    printer.statements(tree.body, 1)
    used = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    source = "".join(
        [
            *_token_definitions({**special_tokens, **({"bos_token": ""} if writes_bos else {})}, used),
            _UNIFORM_CONTENT[form],
            "{%- set edgekit_prompt -%}\n",
            *printer.lines,
            "{%- endset -%}\n",
            _epilogue(after),
        ]
    )
    device = DeviceTemplate(
        source=source,
        writes_bos=writes_bos,
        supports_system=system is None,
        end_of_turn=end,
        after_end_of_turn=after,
        notes=tuple(notes),
    )
    _check_rewriting(template, device, special_tokens, form)
    return device


def render_for_device(
    device: DeviceTemplate, messages: Sequence[Message], *, add_generation_prompt: bool = False
) -> str:
    """Render the rewritten template with Jinja2: what the engine should make of it."""
    return _render(device.source, "the rewritten chat template", messages, {}, add_generation_prompt)


# --- what Transformers does ---------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _environment() -> Environment:
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

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
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
def _compiled(source: str, origin: str) -> Any:
    from jinja2.exceptions import TemplateSyntaxError

    try:
        return _environment().from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateError(
            f"the chat template does not compile, line {error.lineno}: {error.message}", where=origin
        ) from error
    except RecursionError as error:
        raise TemplateError("the chat template is nested too deeply", where=origin) from error


def _render(
    source: str,
    origin: str,
    messages: Sequence[Message],
    special_tokens: Mapping[str, str],
    add_generation_prompt: bool,
) -> str:
    from jinja2.exceptions import TemplateError as JinjaError

    compiled = _compiled(source, origin)
    try:
        return str(
            compiled.render(
                messages=[dict(message) for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **special_tokens,
            )
        )
    except (JinjaError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        # A template is a program: besides Jinja's own errors it can raise what any expression can.
        raise TemplateError(f"the chat template fails: {error}", where=origin) from error


# --- what a template does -----------------------------------------------------------------------------------

_AS_IT_IS, _STRINGS, _PARTS = "as it is", "strings", "parts"

_Render = Callable[..., str]


def _message(role: str, text: str, form: str = _STRINGS) -> dict[str, Any]:
    content: Any = [{"type": "text", "text": text}] if form == _PARTS else text
    return {"role": role, "content": content}


def _content_form(hf: _Render, origin: str) -> str:
    """Which form of content the template understands: both ("as it is"), strings, or lists of parts."""
    rendered: dict[str, str] = {}
    failures: list[TemplateError] = []
    for form in (_STRINGS, _PARTS):
        try:
            rendered[form] = hf([_message("user", " What's\nup? ", form)], True)
        except TemplateError as error:
            failures.append(error)
    if not rendered:
        raise failures[0]
    found = {form: text for form, text in rendered.items() if "What's\nup?" in text}
    if not found:
        raise TemplateError(
            "the chat template loses what the user says, as a string and as a list of parts", where=origin
        )
    if len(found) == 2 and found[_STRINGS] == found[_PARTS]:
        return _AS_IT_IS
    return _STRINGS if _STRINGS in found else _PARTS


def _end_of_turn(hf: _Render, form: str, stop_tokens: Sequence[str]) -> tuple[str | None, str]:
    """The token that the template writes after what the model said, and what it writes after that."""
    said = "edgekit-said-this"
    text = hf([_message("user", "Hi", form), _message("assistant", said, form)])
    rest = text[text.rfind(said) + len(said) :]
    # Of tokens that begin at the same place the longest is the one that the tokenizer finds.
    places = [(rest.find(token), -len(token), token) for token in stop_tokens if token in rest]
    if said not in text or not places:
        return None, ""
    place, _, token = min(places)
    return token, rest[place + len(token) :]


def _system_support(hf: _Render, form: str) -> str | None:
    """None when a system message reaches the prompt, else what happens to it."""
    said = "edgekit-system"
    try:
        text = hf([_message("system", said, form), _message("user", "Hi", form)], True)
    except TemplateError as error:
        return f"the chat template refuses system messages ({error.message})"
    return None if said in text else "the chat template drops system messages"


def _check_rewriting(
    template: ChatTemplate, device: DeviceTemplate, special_tokens: Mapping[str, str], form: str
) -> None:
    """Render probe conversations with both templates and refuse a rewriting that is not equivalent."""
    bos = special_tokens.get("bos_token", "") if device.writes_bos else ""
    for conversation in PROBES:
        for generate in (False, True):
            own = [_message(role, text, form) for role, text in conversation]
            try:
                wanted = render(template, own, special_tokens=special_tokens, add_generation_prompt=generate)
            except TemplateError:
                continue  # such a conversation is not for this template
            wanted = wanted.removeprefix(bos)
            if not generate and conversation[-1][0] == "assistant" and device.after_end_of_turn:
                wanted = wanted.removesuffix(device.after_end_of_turn)
            for given in (_STRINGS, _PARTS):
                messages = [_message(role, text, given) for role, text in conversation]
                found = render_for_device(device, messages, add_generation_prompt=generate)
                if found != wanted:
                    raise TemplateError(
                        f"the chat template cannot be rewritten for the engine: {given} of "
                        f"{[role for role, _ in conversation]} render as {found[-80:]!r}, "
                        f"not {wanted[-80:]!r}",
                        where=template.origin,
                    )


PROBES: tuple[tuple[tuple[str, str], ...], ...] = (
    (("user", "Hello"),),
    (("user", "  spaces around \n"),),
    (("user", "a"), ("assistant", "b")),
    (("user", "a"), ("assistant", "b"), ("user", "c")),
    (("user", "a"), ("assistant", " b \n"), ("user", "c\n\nd"), ("assistant", "e"), ("user", "f")),
    (("system", "Be brief."), ("user", "a")),
    (("system", "Be brief.\n"), ("user", "a"), ("assistant", "b"), ("user", "c")),
    (("user", '{"a": "æ日🙂", "b": \'<>&\'}'), ("assistant", "{{ x }} {% y %} {# z #}"), ("user", "\\n")),
    (("user", ""),),
)
"""Conversations, as (role, text) pairs, on which a template and its rewriting must agree."""


# --- printing for the engine --------------------------------------------------------------------------------


def _token_definitions(tokens: Mapping[str, str], used: set[str]) -> list[str]:
    return [
        f"{{%- set {name} = {_quoted(text)} -%}}\n" for name, text in sorted(tokens.items()) if name in used
    ]


_UNIFORM_CONTENT = {
    _AS_IT_IS: "",
    _STRINGS: """\
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
    _PARTS: """\
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


def _quoted(text: str) -> str:
    """A string literal that Jinja2 and minijinja read alike."""
    out = []
    for char in text:
        if char in "\\'":
            out.append("\\" + char)
        elif char in "\n\t\r":
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char])
        elif ord(char) < 32 or ord(char) == 127:
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return "'" + "".join(out) + "'"


_FILTERS = frozenset(
    [
        "abs",
        "batch",
        "capitalize",
        "count",
        "d",
        "default",
        "dictsort",
        "escape",
        "e",
        "first",
        "float",
        "format",
        "groupby",
        "indent",
        "int",
        "items",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "replace",
        "reverse",
        "round",
        "safe",
        "select",
        "selectattr",
        "slice",
        "sort",
        "split",
        "string",
        "sum",
        "title",
        "tojson",
        "trim",
        "unique",
        "upper",
    ]
)
_TESTS = frozenset(
    [
        "boolean",
        "defined",
        "divisibleby",
        "eq",
        "equalto",
        "even",
        "false",
        "float",
        "ge",
        "greaterthan",
        "gt",
        "in",
        "integer",
        "iterable",
        "le",
        "lessthan",
        "lower",
        "lt",
        "mapping",
        "ne",
        "none",
        "number",
        "odd",
        "sequence",
        "string",
        "true",
        "undefined",
        "upper",
    ]
)
_FUNCTIONS = frozenset({"range", "dict", "namespace", "raise_exception", "strftime_now", "caller"})
_OPERATORS = {
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Div": "/",
    "FloorDiv": "//",
    "Mod": "%",
    "Pow": "**",
    "And": "and",
    "Or": "or",
}
_COMPARISONS = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "in": "in",
    "notin": "not in",
}


class _Printer:
    """Prints a Jinja2 syntax tree in the part of the language that the engine's Jinja shares.

    Every statement stands on a line of its own and strips the space around it; text is printed as string
    literals.
    drop: a text that is left out wherever the template writes it (the BOS token, which the engine writes).
    """

    def __init__(self, origin: str, drop: str = "") -> None:
        self.lines: list[str] = []
        self._origin = origin
        self._drop = drop
        self._macros: set[str] = set()

    def _refuse(self, construct: str, node: nodes.Node) -> TemplateError:
        return TemplateError(
            f"the chat template uses {construct} (line {node.lineno}), which the engine's Jinja cannot do",
            where=self._origin,
            remedy="rewrite that part of the template with if, for, set, filters and slices",
        )

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("  " * depth + text + "\n")

    # statements

    def statements(self, body: Sequence[nodes.Node], depth: int) -> None:
        for node in body:
            name = type(node).__name__
            method = getattr(self, f"_print_{name.lower()}", None)
            if method is None:
                words = {"Continue": "continue", "Break": "break", "Include": "include", "Import": "import"}
                raise self._refuse(f"`{words.get(name, name.lower())}`", node)
            method(node, depth)

    def _print_output(self, node: Any, depth: int) -> None:
        from jinja2 import nodes

        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                text = part.data.replace(self._drop, "") if self._drop else part.data
                if text:
                    self._line(depth, f"{{{{- {_quoted(text)} -}}}}")
            else:
                self._line(depth, f"{{{{- {self.expression(part)} -}}}}")

    def _print_if(self, node: Any, depth: int) -> None:
        self._line(depth, f"{{%- if {self.expression(node.test)} -%}}")
        self.statements(node.body, depth + 1)
        for branch in node.elif_:
            self._line(depth, f"{{%- elif {self.expression(branch.test)} -%}}")
            self.statements(branch.body, depth + 1)
        if node.else_:
            self._line(depth, "{%- else -%}")
            self.statements(node.else_, depth + 1)
        self._line(depth, "{%- endif -%}")

    def _print_for(self, node: Any, depth: int) -> None:
        condition = f" if {self.expression(node.test)}" if node.test else ""
        recursive = " recursive" if node.recursive else ""
        target, source = self._target(node.target), self.expression(node.iter)
        self._line(depth, f"{{%- for {target} in {source}{condition}{recursive} -%}}")
        self.statements(node.body, depth + 1)
        if node.else_:
            self._line(depth, "{%- else -%}")
            self.statements(node.else_, depth + 1)
        self._line(depth, "{%- endfor -%}")

    def _print_assign(self, node: Any, depth: int) -> None:
        self._line(depth, f"{{%- set {self._target(node.target)} = {self.expression(node.node)} -%}}")

    def _print_assignblock(self, node: Any, depth: int) -> None:
        through = f" | {self._filters(node.filter)}" if node.filter else ""
        self._line(depth, f"{{%- set {self._target(node.target)}{through} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endset -%}")

    def _print_filterblock(self, node: Any, depth: int) -> None:
        self._line(depth, f"{{%- filter {self._filters(node.filter)} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endfilter -%}")

    def _print_macro(self, node: Any, depth: int) -> None:
        self._macros.add(node.name)
        self._line(depth, f"{{%- macro {node.name}({self._parameters(node)}) -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endmacro -%}")

    def _print_callblock(self, node: Any, depth: int) -> None:
        parameters = f"({self._parameters(node)})" if node.args else ""
        self._line(depth, f"{{%- call{parameters} {self.expression(node.call)} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endcall -%}")

    def _print_with(self, node: Any, depth: int) -> None:
        pairs = zip(node.targets, node.values, strict=True)
        settings = ", ".join(f"{self._target(t)} = {self.expression(v)}" for t, v in pairs)
        self._line(depth, f"{{%- with {settings} -%}}")
        self.statements(node.body, depth + 1)
        self._line(depth, "{%- endwith -%}")

    def _print_scope(self, node: Any, depth: int) -> None:
        self.statements(node.body, depth)

    def _parameters(self, node: Any) -> str:
        names = [argument.name for argument in node.args]
        first_default = len(names) - len(node.defaults)
        return ", ".join(
            name if i < first_default else f"{name}={self.expression(node.defaults[i - first_default])}"
            for i, name in enumerate(names)
        )

    def _target(self, node: Any) -> str:
        from jinja2 import nodes

        if isinstance(node, nodes.Tuple):
            return ", ".join(self._target(item) for item in node.items)
        if isinstance(node, nodes.NSRef):
            return f"{node.name}.{node.attr}"
        return str(node.name)

    # expressions

    def expression(self, node: Any) -> str:
        """Print one expression; everything that is not a single word or literal gets parentheses."""
        name = type(node).__name__
        if name in _OPERATORS:
            if (
                name == "Mod"
                and type(node.left).__name__ in ("Const", "TemplateData")
                and isinstance(node.left.value, str)
            ):
                raise self._refuse("the % operator on a string", node)
            return f"({self.expression(node.left)} {_OPERATORS[name]} {self.expression(node.right)})"
        method = getattr(self, f"_express_{name.lower()}", None)
        if method is None:
            raise self._refuse(f"`{name.lower()}`", node)
        return str(method(node))

    def _express_const(self, node: Any) -> str:
        value = node.value
        if isinstance(value, str):
            return _quoted(value.replace(self._drop, "") if self._drop else value)
        if value is None or isinstance(value, bool):
            return str(value).lower()
        return repr(value)

    def _express_templatedata(self, node: Any) -> str:
        return _quoted(node.data)

    def _express_name(self, node: Any) -> str:
        return str(node.name)

    def _express_nsref(self, node: Any) -> str:
        return f"{node.name}.{node.attr}"

    def _express_getattr(self, node: Any) -> str:
        return f"{self.expression(node.node)}.{node.attr}"

    def _express_getitem(self, node: Any) -> str:
        from jinja2 import nodes

        inner = self.expression(node.node)
        if isinstance(node.arg, nodes.Slice):
            ends = [node.arg.start, node.arg.stop, node.arg.step]
            printed = ["" if end is None else self.expression(end) for end in ends]
            return f"{inner}[{printed[0]}:{printed[1]}{':' + printed[2] if printed[2] else ''}]"
        return f"{inner}[{self.expression(node.arg)}]"

    def _express_list(self, node: Any) -> str:
        return "[" + ", ".join(self.expression(item) for item in node.items) + "]"

    _express_tuple = _express_list  # minijinja has no tuples of its own

    def _express_dict(self, node: Any) -> str:
        pairs = (f"{self.expression(p.key)}: {self.expression(p.value)}" for p in node.items)
        return "{" + ", ".join(pairs) + "}"

    def _express_concat(self, node: Any) -> str:
        return "(" + " ~ ".join(self.expression(item) for item in node.nodes) + ")"

    def _express_not(self, node: Any) -> str:
        return f"(not {self.expression(node.node)})"

    def _express_neg(self, node: Any) -> str:
        return f"(-{self.expression(node.node)})"

    def _express_pos(self, node: Any) -> str:
        return self.expression(node.node)

    def _express_condexpr(self, node: Any) -> str:
        otherwise = f" else {self.expression(node.expr2)}" if node.expr2 is not None else ""
        return f"({self.expression(node.expr1)} if {self.expression(node.test)}{otherwise})"

    def _express_compare(self, node: Any) -> str:
        left, parts = self.expression(node.expr), []
        for operand in node.ops:  # a < b < c is printed as a < b and b < c
            right = self.expression(operand.expr)
            parts.append(f"{left} {_COMPARISONS[operand.op]} {right}")
            left = right
        return "(" + " and ".join(parts) + ")"

    def _express_test(self, node: Any) -> str:
        inner = self.expression(node.node)
        if node.name not in _TESTS:
            raise self._refuse(f"the test `is {node.name}`", node)
        if node.name == "none":  # minijinja's is true for what is undefined, and only for that
            return f"({inner} is defined and {inner} == none)"
        if node.name == "sequence":  # in Jinja2 a string and a dictionary are sequences, too
            return f"({inner} is sequence or {inner} is string or {inner} is mapping)"
        if node.name == "iterable":  # to minijinja none is
            return f"({inner} is sequence or {inner} is string or {inner} is mapping)"
        arguments = self._arguments(node)
        return f"({inner} is {node.name}{f'({arguments})' if arguments else ''})"

    def _express_filter(self, node: Any) -> str:
        return f"({self.expression(node.node)} | {self._filter(node)})"

    def _filters(self, node: Any) -> str:
        """The chain of filters of a block, whose first operand is the block's body."""
        before = f"{self._filters(node.node)} | " if node.node is not None else ""
        return before + self._filter(node)

    def _filter(self, node: Any) -> str:
        if node.name not in _FILTERS:
            raise self._refuse(f"the filter `{node.name}`", node)
        if node.name == "tojson" and (node.args or node.kwargs):
            raise self._refuse("`tojson` with options", node)
        arguments = self._arguments(node)
        return f"{node.name}({arguments})" if arguments else str(node.name)

    def _arguments(self, node: Any) -> str:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise self._refuse("* or ** arguments", node)
        positional = [self.expression(argument) for argument in node.args]
        return ", ".join([*positional, *(f"{k.key}={self.expression(k.value)}" for k in node.kwargs)])

    def _express_call(self, node: Any) -> str:
        from jinja2 import nodes

        target = node.node
        if isinstance(target, nodes.Name):
            if target.name not in self._macros | _FUNCTIONS and target.name != "loop":
                raise self._refuse(f"the function `{target.name}()`", node)
            return f"{target.name}({self._arguments(node)})"
        if isinstance(target, nodes.Getattr):
            if isinstance(target.node, nodes.Name) and target.node.name == "loop":
                return f"loop.{target.attr}({self._arguments(node)})"
            return self._method(target, node)
        raise self._refuse("a call of an expression", node)

    def _method(self, target: Any, node: Any) -> str:
        """Print a call of a Python method as filters and slices."""
        if node.dyn_args is not None or node.dyn_kwargs is not None or node.kwargs:
            raise self._refuse(f"`.{target.attr}()` with named arguments", node)
        inner = self.expression(target.node)
        arguments = [self.expression(argument) for argument in node.args]
        match target.attr, arguments:
            case "strip", ([] | [_]):
                return f"({inner} | trim{self._called(arguments)})"
            case "rstrip", ([] | [_]):
                guard = self._guard(node)
                return f"(({guard} ~ {inner}) | trim{self._called(arguments)})[1:]"
            case "lstrip", ([] | [_]):
                guard = self._guard(node)
                return f"(({inner} ~ {guard}) | trim{self._called(arguments)})[:-1]"
            case "startswith", [prefix]:
                return f"({inner}[:({prefix} | length)] == {prefix})"
            case "endswith", [suffix]:
                return f"({suffix} == '' or {inner}[-({suffix} | length):] == {suffix})"
            case "split", ([] | [_] | [_, _]):
                return f"({inner} | split{self._called(arguments)} | list)"
            case "replace", [old, new]:
                return f"({inner} | replace({old}, {new}))"
            case (("upper" | "lower" | "title" | "capitalize"), []):
                return f"({inner} | {target.attr})"
            case "join", [items]:
                return f"({items} | join({inner}))"
            case "items", []:
                return f"({inner} | items)"
            case "keys", []:
                return f"({inner} | list)"
            case "get", [key]:
                return f"({inner}[{key}] if {key} in {inner} else none)"
            case "get", [key, default]:
                return f"({inner}[{key}] if {key} in {inner} else {default})"
        raise self._refuse(f"the method `.{target.attr}()`", node)

    @staticmethod
    def _called(arguments: Sequence[str]) -> str:
        return f"({', '.join(arguments)})" if arguments else ""

    def _guard(self, node: Any) -> str:
        """A character that protects the other end of a text while `trim` works on both.

        Filters `lstrip` and `rstrip` would be simpler; runtime 0.11.0 does not have them.
        """
        from jinja2 import nodes

        if not node.args:
            return "'.'"
        if not isinstance(node.args[0], nodes.Const) or not isinstance(node.args[0].value, str):
            raise self._refuse("`.lstrip()` or `.rstrip()` of characters that are not written out", node)
        return _quoted(next(c for c in ".,:;-+*#xyz0123456789" if c not in node.args[0].value))
