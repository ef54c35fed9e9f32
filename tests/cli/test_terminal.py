"""What a file holds does not steer the terminal that it is printed on, nor what it is piped into."""

from __future__ import annotations

import json

import pytest

from edgekit.cli import console
from edgekit.errors import InputError

HOSTILE = "\x1b]52;c;cm0gLXJmIH4=\x07\x1b[2J\x9b31m\x1b]0;owned\x07\r\u202e"


def harmless(text: str) -> bool:
    return not any(letter in text for letter in "\x1b\x07\x9b\r\u202e")


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(f"the adapter {HOSTILE}")
    out = capsys.readouterr().out
    assert harmless(out)
    assert "␛]52" in out


def test_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_error(InputError(f"no {HOSTILE}", where=HOSTILE, remedy=HOSTILE))
    assert harmless(capsys.readouterr().err)


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table(HOSTILE)
    table.add_row(HOSTILE)
    console.output_console().print(table)
    assert harmless(capsys.readouterr().out)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": HOSTILE})
    out = capsys.readouterr().out
    assert harmless(out)
    assert json.loads(out) == {"name": HOSTILE}
