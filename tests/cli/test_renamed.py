"""An old flag answers with the new one."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from edgekit.cli import renamed
from edgekit.cli.app import app
from tests.cli.running import Cli

GROUP: Any = typer.main.get_command(app)
CONTEXT = GROUP.make_context("edgekit", [], resilient_parsing=True)
FLAGS = [(command, old, new) for command, flags in renamed.RENAMED.items() for old, new in flags.items()]


@pytest.mark.parametrize(("command", "old", "new"), FLAGS)
def test_names_the_new_flag_which_the_command_has(cli: Cli, command: str, old: str, new: str) -> None:
    options = {name for parameter in GROUP.commands[command].get_params(CONTEXT) for name in parameter.opts}
    assert old not in options
    assert new.split()[0].partition("=")[0] in options
    done = cli(command, "anything", old, "value")
    assert done.code == 2
    assert f"{old} was renamed: use {new}" in done.err


def test_refuses_it_with_its_value_in_one_word_and_lets_a_positional_word_be(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renamed, "RENAMED", {"inspect": {"--for": "--of"}})
    done = cli("inspect", "--for=demo")
    assert done.code == 2
    assert "--for was renamed: use --of" in done.err
    assert "was renamed" not in cli("inspect", "--", "--for").err
