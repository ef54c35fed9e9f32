"""A page for each command, from the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from docs.generate.markdown import code, page, table

EXIT_CODES = """
| exit code | means |
| --- | --- |
| 0 | done |
| 1 | a check or a gate failed |
| 2 | bad input |
| 3 | a tool, a device or the network is missing |
| 70 | a bug in edgekit: `--debug` shows where |
| 130 | interrupted |
"""
EVERYWHERE = ("--json", "--quiet", "--debug", "--help")


def pages() -> dict[str, str]:
    """Path below reference/ → page: one for each command, and a list of them."""
    from edgekit.cli.app import app

    group = typer.main.get_command(app)
    context = group.make_context("edgekit", [], resilient_parsing=True)
    found = {
        f"cli/{name}.md": _command_page(f"edgekit {name}", command, context)
        for name, command in _commands(group)
    }
    rows = [[f"[{name}](cli/{name}.md)", _summary(command)] for name, command in _commands(group)]
    found["commands.md"] = page("Commands", table(["edgekit …", ""], rows), EXIT_CODES)
    return found


def _commands(group: Any) -> Iterator[tuple[str, Any]]:
    return ((name, command) for name, command in group.commands.items() if not command.hidden)


def _command_page(name: str, command: Any, parent: Any) -> str:
    return page(name, *_body(name, command, parent, "##"))


def _body(name: str, command: Any, parent: Any, heading: str) -> list[str]:
    context = type(parent)(command, info_name=name.rpartition(" ")[2], parent=parent)
    parts = [_prose(command.help or ""), code(command.get_usage(context).removeprefix("Usage: "), "text")]
    records = [
        (p, p.get_help_record(context))
        for p in command.get_params(context)
        if not getattr(p, "hidden", False)
    ]
    shown = [(parameter, record) for parameter, record in records if record]
    arguments = [record for parameter, record in shown if parameter.param_type_name == "argument"]
    options = [record for parameter, record in shown if parameter.param_type_name == "option"]
    if arguments:
        parts.append(_table("argument", arguments))
    if options:
        parts.append(_table("option", [option for option in options if not _common(option)]))
    if command.epilog:
        parts += [f"{heading} Examples", code(_examples(command.epilog), "text")]
    for child, subcommand in _commands(command) if hasattr(command, "commands") else ():
        parts += [f"{heading} {name} {child}", *_body(f"{name} {child}", subcommand, context, heading + "#")]
    return parts


def _table(head: str, records: list[tuple[str, str]]) -> str:
    return table([head, ""], [[f"`{_breakable(names)}`", _prose(text)] for names, text in records])


def _breakable(names: str) -> str:
    return names.replace("  ", " ")


def _common(record: tuple[str, str]) -> bool:
    return record[0].split(", ")[-1].split(" ")[0] in EVERYWHERE


def _examples(epilog: str) -> str:
    """The epilog without its heading, one command a line."""
    lines = [line.strip() for line in epilog.replace("\b", "").splitlines()]
    return "\n".join(line for line in lines if line and line != "Examples:")


def _summary(command: Any) -> str:
    return _prose((command.help or "").split("\n\n")[0])


def _prose(text: str) -> str:
    """Help text as Markdown: words that look like options or placeholders as code."""
    text = re.sub(r"(?<![`\w-])(--[a-z][\w-]*)", r"`\1`", text.replace("\b", ""))
    return text.replace("<", "&lt;").replace("[", "\\[")
