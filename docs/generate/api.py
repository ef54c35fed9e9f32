"""The Python interface: what `import edgekit as ek` offers, from signatures and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

from docs.generate.markdown import code, docstring, page, table


def pages() -> dict[str, str]:
    """Path below reference/ → page."""
    import edgekit

    names = [name for name in edgekit.__all__ if not name.startswith("__")]
    things = {name: getattr(edgekit, name) for name in names}
    functions = [name for name, thing in things.items() if inspect.isroutine(thing)]
    classes = [name for name, thing in things.items() if inspect.isclass(thing)]
    parts = [docstring(edgekit), "## Functions"]
    for name in functions:
        parts += [f"### {name}", code(_signature(name, things[name]), "python"), docstring(things[name])]
    parts.append("## Types")
    for name in classes:
        parts += [f"### {name}", docstring(things[name]), *_members(things[name])]
    return {"python.md": page("Python", *parts)}


def _signature(name: str, function: Any) -> str:
    """The signature, one parameter a line when it is long."""
    signature = inspect.signature(function)
    line = _plain(f"{name}{signature}")
    if len(line) <= 100:
        return line
    parameters, kinds = [], [parameter.kind for parameter in signature.parameters.values()]
    for index, parameter in enumerate(signature.parameters.values()):
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.KEYWORD_ONLY not in kinds[:index]:
            parameters.append("    *,")
        parameters.append(_plain(f"    {parameter},"))
    returned = _plain(str(signature.return_annotation))
    return "\n".join([f"{name}(", *parameters, f") -> {returned}"])


def _plain(text: str) -> str:
    """Without quotes around annotations, and objects by the name of their class."""
    return re.sub(r"<[\w.]*?(\w+) object at 0x\w+>", r"\1()", text).replace("'", "")


def _members(thing: type) -> Iterator[str]:
    """Fields with their types, then public methods and properties with their docstrings."""
    if dataclasses.is_dataclass(thing):
        fields = [[f"`{field.name}`", f"`{field.type}`"] for field in dataclasses.fields(thing)]
        if fields:
            yield table(["field", "type"], fields)
    rows = []
    for name, member in inspect.getmembers(thing):
        if name.startswith("_") or not (inspect.isroutine(member) or isinstance(member, property)):
            continue
        if getattr(inspect.getmodule(member), "__name__", "edgekit").startswith("edgekit"):
            told = docstring(member.fget if isinstance(member, property) else member)
            call = name if isinstance(member, property) else f"{name}()"
            rows.append([f"`{call}`", told.split("\n\n")[0]])
    if rows:
        yield table(["", ""], rows)
