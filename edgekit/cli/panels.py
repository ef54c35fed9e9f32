"""Help in groups: the flags of a command that belong together stand together, under a heading of their own."""

from __future__ import annotations

from typing import Any

from edgekit.cli.renamed import Command


class GroupedCommand(Command):
    """A command whose flags with a `rich_help_panel` are listed under that heading, after all others."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, flags, and each group of flags, in the order in which the groups first appear."""
        groups: dict[str, list[Any]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                plain = "Arguments" if param.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(param, "rich_help_panel", None) or plain, []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
