"""Flags that had another name in the release before: each is refused with the name that it has now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

from edgekit.errors import InputError

RENAMED: Mapping[str, Mapping[str, str]] = {
    "convert": {
        "--shape": "--form",
        "--cache": "--kv-layout",
        "--kv-cache": "--kv-precision",
        "--adapter-ready": "--adapters 16",
        "--rank": "--adapters RANK",
        "--adapter-targets": "--adapters RANK:attention",
    },
    "bench": {
        "--device": "--on adb, --on adb:SERIAL or --on adb:all",
        "--serial": "--on adb:SERIAL",
        "-s": "--on adb:SERIAL",
        "--import": "--on app=FILE",
        "--runner": "--on official=FILE",
        "--compare": "--against",
        "--peer": "--against llama.cpp=MODEL.gguf",
    },
    "package": {"--no-try": "--no-check"},
}
"""By command: the flag that was → what to write now. An entry stays for one release."""


class Command(TyperCommand):
    """A command that knows what its flags were called; see `RENAMED`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual; raises InputError, naming the new flag, for a word that was a flag once."""
        was = RENAMED.get(self.name or "", {})
        for word in args:
            if word == "--":
                break
            flag = word.partition("=")[0]
            if flag in was:
                raise InputError(
                    f"{flag} was renamed: use {was[flag]}", remedy=f"see edgekit {self.name} --help"
                )
        return super().parse_args(ctx, args)
