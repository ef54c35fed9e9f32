"""What a template does with conversations, and whether its rewriting does the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import InputError, TemplateError
from edgekit.text.template.render import DeviceTemplate, render_for_device

AS_IT_IS, STRINGS, PARTS = "as it is", "strings", "parts"

_Render = Callable[..., str]


def turn(role: str, text: str, form: str = STRINGS) -> dict[str, Any]:
    """A message, with its content as a string or as a list of parts."""
    content: Any = [{"type": "text", "text": text}] if form == PARTS else text
    return {"role": role, "content": content}


def content_form(hf: _Render, origin: str) -> str:
    """Which form of content the template understands: both ("as it is"), strings, or lists of parts."""
    rendered: dict[str, str] = {}
    failures: list[TemplateError] = []
    for form in (STRINGS, PARTS):
        try:
            rendered[form] = hf([turn("user", " What's\nup? ", form)], True)
        except TemplateError as error:
            failures.append(error)
    if not rendered:
        raise failures[0]
    found = {form: text for form, text in rendered.items() if "What's\nup?" in text}
    if not found:
        raise TemplateError(
            "the chat template loses what the user says, as a string and as a list of parts", where=origin
        )
    if len(found) == 2 and found[STRINGS] == found[PARTS]:
        return AS_IT_IS
    return STRINGS if STRINGS in found else PARTS


def end_of_turn(hf: _Render, form: str, stop_tokens: Sequence[str]) -> tuple[str | None, str]:
    """The token that the template writes after what the model said, and what it writes after that."""
    said = "edgekit-said-this"
    text = hf([turn("user", "Hi", form), turn("assistant", said, form)])
    rest = text[text.rfind(said) + len(said) :]
    # Of tokens that begin at the same place the longest is the one that the tokenizer finds.
    places = [(rest.find(token), -len(token), token) for token in stop_tokens if token in rest]
    if said not in text or not places:
        return None, ""
    place, _, token = min(places)
    return token, rest[place + len(token) :]


def system_support(hf: _Render, form: str) -> str | None:
    """None when a system message reaches the prompt, else what happens to it."""
    said = "edgekit-system"
    try:
        text = hf([turn("system", said, form), turn("user", "Hi", form)], True)
    except TemplateError as error:
        return f"the chat template refuses system messages ({error.message})"
    return None if said in text else "the chat template drops system messages"


def hears_itself(hf: _Render, form: str) -> bool | None:
    """Whether what the model said is in the next prompt; None for a template that refuses another turn."""
    said = "edgekit-said-this"
    try:
        return said in hf([turn("user", "Hi", form), turn("assistant", said, form), turn("user", "Go", form)])
    except TemplateError:
        return None


def what_ends_a_turn(hf: _Render, form: str) -> str:
    """What the template writes after what the model said, on the same line."""
    said = "edgekit-said-this"
    text = hf([turn("user", "Hi", form), turn("assistant", said, form)])
    rest = text[text.rfind(said) + len(said) :].strip() if said in text else ""
    return rest.splitlines()[0] if rest else ""


def keeps_history(device: DeviceTemplate) -> bool:
    """Whether what was rendered stays when a turn is added: the engine feeds the difference, and fails otherwise."""
    begun: list[dict[str, Any]] = [turn("user", "a")]
    try:
        for number in range(3):
            asked = render_for_device(device, begun)
            begun = [*begun, turn("assistant", f"b{number}")]
            before = render_for_device(device, begun)
            if not before.startswith(asked):
                return False
            begun = [*begun, turn("user", f"c{number}")]
            if not render_for_device(device, begun, add_generation_prompt=True).startswith(before):
                return False
    except TemplateError:
        return False
    return True


def check_many_turns(source: str, where: str | Path) -> None:
    """Raise InputError unless a bundle's template keeps earlier turns. where: what asks for several."""
    device = DeviceTemplate(
        source, writes_bos=False, supports_system=True, end_of_turn=None, after_end_of_turn=""
    )
    if not keeps_history(device):
        raise InputError(
            "the chat template changes earlier turns when a new one comes, which the engine cannot",
            where=where,
            remedy="leave it out: each message then begins a conversation of its own",
        )


def check_rewriting(hf: _Render, device: DeviceTemplate, bos: str, origin: str, form: str) -> None:
    """Render probe conversations with both templates and refuse a rewriting that is not equivalent.

    hf: renders as Transformers does. bos: what the engine writes before.
    """
    for conversation in PROBES:
        for generate in (False, True):
            try:
                wanted = hf([turn(role, text, form) for role, text in conversation], generate)
            except TemplateError:
                continue  # such a conversation is not for this template
            wanted = wanted.removeprefix(bos)
            if not generate and conversation[-1][0] == "assistant" and device.after_end_of_turn:
                wanted = wanted.removesuffix(device.after_end_of_turn)
            for given in (STRINGS, PARTS):
                messages = [turn(role, text, given) for role, text in conversation]
                found = render_for_device(device, messages, add_generation_prompt=generate)
                if found != wanted:
                    raise TemplateError(
                        f"the chat template cannot be rewritten for the engine: {given} of "
                        f"{[role for role, _ in conversation]} render as {found[-80:]!r}, "
                        f"not {wanted[-80:]!r}",
                        where=origin,
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
