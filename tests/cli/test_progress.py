"""Progress where there is no terminal: a line now and then."""

from __future__ import annotations

import time

import pytest

from edgekit.cli.console import Lines


def test_a_long_step_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(every=0.02).step("answers of the reference", 10, "answers") as advance:
        advance(4)
        deadline = time.monotonic() + 30
        said = ""
        while "left" not in said and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert "answers of the reference: 4 of 10 answers (40%), " in said
    assert " so far, about " in said


def test_a_quick_step_is_not_worth_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(every=60).step("open the reference"):
        pass
    assert capsys.readouterr().err == ""
