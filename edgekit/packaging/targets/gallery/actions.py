"""The Gallery's task Mobile Actions: whether a bundle's tools are those that the Gallery has compiled in.

Its tools cannot be changed, so a model that knows others calls what the Gallery does not have. Names and arguments
are those that were described of the Gallery in August 2026, in snake case; its source was not at hand to compare.
"""

from __future__ import annotations

from typing import Final

from edgekit.calling.tools import Calling

TASK: Final = "llm_mobile_actions"

_TOOLS: Final = {
    "turn_on_flashlight": (),
    "turn_off_flashlight": (),
    "create_contact": ("first_name", "last_name", "phone_number", "email"),
    "send_email": ("to", "subject", "body"),
    "show_location_on_map": ("location",),
    "open_wifi_settings": (),
    "create_calendar_event": ("datetime", "title"),
}
_ALIKE: Final = {"show_map": "show_location_on_map(location)"}


def differences(calling: Calling) -> tuple[str, ...]:
    """Say, tool by tool, what the Gallery does not have as the model learnt it; nothing when it has all."""
    found = [] if calling.dialect == "function_gemma" else ["its calls are JSON, not FunctionGemma's tokens"]
    for tool in calling.tools:
        if tool.name not in _TOOLS:
            alike = f" (it has {_ALIKE[tool.name]})" if tool.name in _ALIKE else ""
            found.append(f"it has no {tool.name}{alike}")
        elif unknown := [name for name in tool.properties if name not in _TOOLS[tool.name]]:
            found.append(f"its {tool.name} has no {', '.join(unknown)}")
        elif missing := [name for name in _TOOLS[tool.name] if name not in tool.properties]:
            found.append(f"its {tool.name} wants {', '.join(missing)}")
    return tuple(found)


def joins(calling: Calling | None) -> bool:
    """Whether the model is offered for the task: it calls in FunctionGemma's tokens, and some tool is the Gallery's."""
    return (
        calling is not None
        and calling.dialect == "function_gemma"
        and any(tool.name in _TOOLS for tool in calling.tools)
    )


def note(calling: Calling | None) -> str | None:
    """What is said of it when the files are written; None for a model without tools."""
    if calling is None:
        return None
    if not (different := differences(calling)):
        return f"listed for {TASK}: the Gallery has all its tools"
    listed = f"listed for {TASK}, but" if joins(calling) else f"not listed for {TASK}:"
    return f"{listed} the Gallery's tools are compiled in: {'; '.join(different)}"
