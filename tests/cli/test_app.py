"""The command line as a whole: exit codes, what goes where, what it imports, completion."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit
from tests.cli.running import ROOT, Cli, Terminal, child

pytestmark = pytest.mark.slow

COMMANDS = ("convert", "inspect", "chat", "recipes", "demo")
HEAVY = {"torch", "tensorflow", "transformers", "scipy", "litert_lm", "ai_edge_quantizer", "numpy", "jax"}


def test_help_shows_every_command_and_where_to_start(cli: Cli) -> None:
    done = cli("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", done.out, re.MULTILINE)
    assert "edgekit demo" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_each_option(cli: Cli, command: str) -> None:
    done = cli(command, *(["ls"] if command == "recipes" else []), "--help")
    assert done.code == 0
    for option in ("--json", "--quiet", "--debug"):
        assert re.search(rf"{option} +\w", done.out)


@pytest.mark.parametrize("command", ["convert", "inspect", "chat"])
def test_examples_stand_on_one_line_to_be_copied(cli: Cli, command: str) -> None:
    from edgekit.cli import chat, convert, inspect

    examples = {"convert": convert, "inspect": inspect, "chat": chat}[command].EXAMPLES
    shown = [line.strip() for line in cli(command, "--help").out.splitlines()]
    lines = [line for line in examples.splitlines() if line.startswith("edgekit ")]
    assert lines
    assert set(lines) <= set(shown)


def test_help_imports_the_command_line_alone() -> None:
    code = """if True:
        import contextlib, io, sys
        from edgekit.cli import main
        for words in ([], ["recipes"], *([verb] for verb in sys.argv[1:])):
            with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
                main([*words, "--help"])
        print(*sorted(sys.modules))
    """
    verbs = [*COMMANDS, "adapter", "vocab", "validate", "bench"]  # all but `package`, which asks its targets
    done = subprocess.run([sys.executable, "-c", code, *verbs], capture_output=True, text=True, cwd=ROOT)
    imported = set(done.stdout.split())
    own = {name for name in imported if name.startswith("edgekit.") and not name.startswith("edgekit.cli")}
    assert own == {"edgekit.errors", "edgekit.figures", "edgekit.progress", "edgekit.quoting"}
    assert not {name.partition(".")[0] for name in imported} & {*HEAVY, "rich", "msgspec"}


def test_importing_edgekit_imports_nothing_heavy() -> None:
    code = "import sys, edgekit\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert not set(done.stdout.split()) & HEAVY


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"edgekit {edgekit.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "nonsense"),
        (["convert"], "Missing argument"),
        (["convert", "x", "--bogus"], "--bogus"),
        (["convert", "x", "--kv-length", "many"], "--kv-length"),
        (["chat", "x", "--max-tokens", "0"], "--max-tokens"),
    ],
)
def test_a_mistyped_command_exits_2_and_says_where_help_is(
    cli: Cli, arguments: list[str], words: str
) -> None:
    done = cli(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "--help" in done.err


def test_bad_input_exits_2_with_one_block(cli: Cli, tmp_path: Path) -> None:
    done = cli("convert", tmp_path / "absent")
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first == f"Error: {tmp_path / 'absent'}: no such directory"
    assert second.startswith("  → ")


def test_what_is_away_exits_3(cli: Cli) -> None:
    assert cli("convert", "nobody/no-such-model").code == 3


def test_a_bug_exits_70_and_asks_for_a_report(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the [unexpected]")

    monkeypatch.setattr("edgekit.conversion.convert.convert", broken)
    done = cli("convert", "x")
    assert done.code == 70
    assert "bug in edgekit: RuntimeError: the [unexpected]" in done.err
    assert "--debug" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in cli("convert", "x", "--debug").err


@pytest.mark.parametrize("before", [False, True])
def test_debug_shows_the_traceback_wherever_it_stands(cli: Cli, before: bool) -> None:
    arguments = ["convert", "/no/such/place"]
    done = cli("--debug", *arguments) if before else cli(*arguments, "--debug")
    assert done.code == 2
    assert "Traceback" in done.err
    assert "source.py" in done.err
    assert done.err.rstrip().splitlines()[-2].startswith("Error: /no/such/place")


def test_a_reader_who_leaves_is_no_error(bundle: Path) -> None:
    for arguments in (["inspect", str(bundle)], ["inspect", str(bundle), "--json"], ["--help"]):
        command = subprocess.Popen(
            [sys.executable, "-m", "edgekit", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        said = command.stderr.read()
        assert (command.wait(), said) == (0, b""), arguments


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_is_no_error(bundle: Path, encoding: str) -> None:
    done = child("inspect", bundle, PYTHONIOENCODING=encoding)
    assert (done.code, done.err) == (0, "")
    assert child("inspect", bundle, "--json", PYTHONIOENCODING=encoding).json["size"] > 0
    done = child("convert", "/no/such/place", PYTHONIOENCODING=encoding)
    assert done.code == 2
    assert "Error: /no/such/place: no such directory" in done.err


def test_errors_are_coloured_on_a_terminal_only() -> None:
    terminal = Terminal.start("convert", "/no/such/place")
    done = terminal.finish()
    assert done.code == 2
    assert "\x1b[1;31mError:" in terminal.shown
    assert "Error: /no/such/place: no such directory" in done.out


@pytest.mark.parametrize(
    ("shell", "marks"), [("bash", "complete "), ("zsh", "compdef"), ("fish", "complete ")]
)
def test_the_shell_s_completion_script(shell: str, marks: str) -> None:
    done = child("--version", _EDGEKIT_COMPLETE=f"source_{shell}")
    assert done.code == 0
    assert marks in done.out
    assert "edgekit" in done.out


@pytest.mark.parametrize(
    ("words", "offered"), [("edgekit con", "convert"), ("edgekit convert --kv", "--kv-length")]
)
def test_completion_offers_commands_and_options(words: str, offered: str) -> None:
    done = child(_EDGEKIT_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert offered in done.out.split()
