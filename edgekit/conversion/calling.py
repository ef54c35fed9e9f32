"""How a checkpoint calls the tools it was given: what its prompts say of them, and what its answers are held to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from edgekit.calling.calls import Call, render, result_message
from edgekit.calling.grammar import regex
from edgekit.calling.tokens import half_trained
from edgekit.calling.tools import Calling, Choice, Tool, check_dialect, openai
from edgekit.errors import CheckpointError, TemplateError
from edgekit.text.settle import Text
from edgekit.text.template.render import render as render_template
from edgekit.text.template.render import render_for_device

TRIGGER = "You are a model that can do function calling with the following functions"
"""What FunctionGemma was trained to see before the declarations."""

_SAID = "edgekit-system"
_ROLES: tuple[Literal["developer", "system"], ...] = ("developer", "system")
_HELLO = {"role": "user", "content": "Hi"}


def how_it_calls(text: Text, tools: tuple[Tool, ...], choice: Choice, *, where: str | Path) -> Calling:
    """Find out how a checkpoint is told of tools, and make the format of its calls.

    where: the file of tools. Raises InputError for tools that its dialect cannot say, CheckpointError for a checkpoint
    that is half trained, TemplateError for a chat template that does not tell the tools, or that the bundle's does not
    follow.
    """
    if reason := half_trained(text.tokenizer.special, text.template.source):
        raise CheckpointError(
            reason,
            where=text.template.origin,
            remedy="convert the directory that the trainer saved, with its tokenizer and chat template, "
            "or leave --tools out",
        )
    dialect: Literal["function_gemma", "json"] = "function_gemma" if text.calls else "json"
    check_dialect(tools, dialect, where=where)
    found = _declared(text, tools)
    if found is None and dialect == "function_gemma":
        raise TemplateError(
            "the chat template does not tell the model of tools",
            where=text.template.origin,
            remedy="use the template of the checkpoint that was fine-tuned",
        )
    role, system, declarations = found or ("system", "", "")
    if declarations:
        _check_told(text, tools)
    if dialect == "function_gemma" and not system:
        system = TRIGGER
    calling = Calling(dialect, choice, tools, role, system, declarations, regex(tools, dialect, choice))
    if declarations:
        _check_prompts(text, calling)
    return calling


def _declared(text: Text, tools: Sequence[Tool]) -> tuple[Literal["developer", "system"], str, str] | None:
    """The role that takes the tools, what the template itself says before them, and the declarations.

    None when the prompt is the same without tools.
    """
    for role in _ROLES:
        said = [{"role": role, "content": _SAID}, _HELLO]
        try:
            without, told = _render(text, said, None), _render(text, said, tools)
        except TemplateError:
            continue
        if without == told or without.count(_SAID) != 1 or told.count(_SAID) != 1:
            continue
        before, behind = without.split(_SAID)
        if told.startswith(before + _SAID) and told.endswith(behind):
            declarations = told[len(before + _SAID) : len(told) - len(behind)]
            alone = _render(text, [_HELLO], tools)
            system = ""
            if alone.startswith(before) and alone.endswith(declarations + behind):
                system = alone[len(before) : len(alone) - len(declarations + behind)]
            return role, system, declarations
    return None


def _check_told(text: Text, tools: Sequence[Tool]) -> None:
    """Refuse a template that leaves out a tool or a parameter."""
    for tool in tools:
        told = _declared(text, [tool])
        said = "" if told is None else told[2]
        missing = [name for name in tool.properties if not re.search(rf"\b{name}[\"']?\s*:", said)]
        for name in missing if tool.name in said else [tool.name]:
            raise TemplateError(
                f"the chat template leaves out {name}{'' if name == tool.name else f' of {tool.name}'}",
                where=text.template.origin,
                remedy="rename it in the file of tools and in training",
            )


def _check_prompts(text: Text, calling: Calling) -> None:
    """Hold the bundle's prompts against what the checkpoint's template makes of tools, calls and results."""
    said = {"role": calling.role, "content": _SAID}
    name = calling.tools[0].name
    call, result = Call(name, {}), {"ok": True}
    spoken: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = [
        ([said, _HELLO], [_first(calling), _HELLO])
    ]
    if calling.dialect == "function_gemma":
        asked = {
            "role": "assistant",
            "tool_calls": [{"type": "function", "function": {"name": name, "arguments": {}}}],
        }
        called = {"role": "assistant", "content": render([call], "function_gemma")}
        given = {"role": "tool", "name": name, "content": result}
        spoken.append(
            (
                [said, _HELLO, asked, given],
                [_first(calling), _HELLO, called, result_message([(name, result)], "function_gemma")],
            )
        )
    bos = text.special_tokens.get("bos_token", "") if text.device.writes_bos else ""
    for theirs, ours in spoken:
        wanted = _render(text, theirs, calling.tools).removeprefix(bos)
        found = render_for_device(text.device, ours, add_generation_prompt=True)
        if found != wanted:
            at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), len(found))
            raise TemplateError(
                f"the bundle's prompt with tools is not the chat template's: {found[at - 20 : at + 60]!r}, "
                f"not {wanted[at - 20 : at + 60]!r}",
                where=text.template.origin,
                remedy="use the chat template of FunctionGemma",
            )


def _first(calling: Calling) -> dict[str, Any]:
    first = calling.first(_SAID)
    assert first is not None
    return first


def _render(text: Text, messages: Sequence[dict[str, Any]], tools: Sequence[Tool] | None) -> str:
    return render_template(
        text.template,
        messages,
        special_tokens=text.special_tokens,
        add_generation_prompt=True,
        tools=None if tools is None else openai(tools),
    )
