"""Every command in README and docs: run on the demo where it can be, and read by the command line where it cannot."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from edgekit.cli.app import app
from tests.docs.conftest import Workshop
from tests.docs.pages import PAGES, ROOT, Command, commands, files, mentioned

GROUP = typer.main.get_command(app)
CONTEXT: Any = GROUP.make_context("edgekit", [], resilient_parsing=True)
FILE_TOOLS = {"cp", "mkdir", "cat", "ls"}
OF_A_CHECKOUT = {"make", "pip", "python", "cd"}
ids = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.slow
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_of_a_page_do_what_it_says(page: Path, workshop: Workshop) -> None:
    for name, text in files(page).items():
        workshop.write(name, text)
    for command in commands(page):
        _understood(command.words)
        if command.words[0] in FILE_TOOLS:
            workshop.prepare(command.words)
            subprocess.run(command.words, check=True, cwd=workshop.directory)
        elif command.words[0] == "edgekit" and command.exits:
            assert workshop.run(command.words) in command.exits, f"{page.name}:{command.line}: {command}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_inside_sentences_exist(page: Path) -> None:
    for words in mentioned(page):
        _understood(words)


def test_a_command_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nedgekit convert x --shapely dynamic\n```\n\nSee `edgekit unmake`.\n", encoding="utf-8"
    )
    (block,) = commands(page)
    (inline,) = mentioned(page)
    for words in (block.words, inline):
        with pytest.raises(AssertionError):
            _understood(words)


def test_markers_say_what_becomes_of_a_block(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\na  # why\nb \\\n  --c && d\n```\n<!-- not run: needs a phone -->\n```sh\ne\n```\n"
        "<!-- exit 1 -->\n```sh\nf\n```\n\n```text\nno command\n```\n",
        encoding="utf-8",
    )
    assert list(commands(page)) == [
        Command(("a",), 2, (0,)),
        Command(("b", "--c"), 3, (0,)),
        Command(("d",), 3, (0,)),
        Command(("e",), 8, ()),
        Command(("f",), 12, (1,)),
    ]


def _understood(words: tuple[str, ...]) -> None:
    """Every word of a command exists: subcommand and options, target of make, extra of pip, script."""
    tool, *rest = words
    if tool == "edgekit":
        _options_exist(rest)
    elif tool == "make":
        targets = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{re.escape(target)}:", targets, re.M) for target in rest), words
    elif tool == "pip":
        _packages_exist(rest)
    elif tool == "python":
        assert rest[0] == "-m" or any((ROOT / place / rest[0]).exists() for place in _places()), words
    else:
        assert tool in FILE_TOOLS | OF_A_CHECKOUT or shutil.which(tool), words


def _options_exist(words: list[str]) -> None:
    command: Any = GROUP
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"edgekit has no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    context = type(CONTEXT)(command, resilient_parsing=True)
    _, unknown, _ = command.make_parser(context).parse_args(list(words))
    assert not unknown, f"{command.name} does not know {' '.join(unknown)}"


def _packages_exist(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words[1:]:
        named = re.search(r"\[(.*)\]", word)
        extras = named[1].split(",") if named else []
        assert all(extra in project["optional-dependencies"] for extra in extras), word


def _places() -> list[Path]:
    return [ROOT, *ROOT.glob("examples/*")]
