"""`edgekit chat`: one message, several from a pipe, and at a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import Cli, Terminal, child

pytestmark = pytest.mark.slow

QUESTION = "turn off wifi please"
SPEED = r"\[\d+ tokens, \d+ tokens/s, first after [\d.]+ ms\]"


def is_answer(text: str) -> bool:
    return json.loads(text).keys() == {"screen", "setting", "action"}


def test_one_message_is_answered_with_the_speed_apart(cli: Cli, bundle: Path) -> None:
    done = cli("chat", bundle, "--prompt", QUESTION)
    assert done.code == 0
    assert is_answer(done.out)
    assert re.fullmatch(SPEED + "\n", done.err)
    assert cli("chat", bundle, "-p", QUESTION, "--quiet").err == ""


def test_a_message_from_a_pipe_is_one_message(bundle: Path) -> None:
    done = child("chat", bundle, "--prompt", "-", stdin="turn off wifi\nplease\n")
    assert done.code == 0
    assert is_answer(done.out)


def test_lines_from_a_pipe_are_turns_of_one_conversation(bundle: Path) -> None:
    done = child("chat", bundle, stdin=f"{QUESTION}\nskjermen er for lys\n音量を上げて\n")
    assert done.code == 0
    assert len(done.out.splitlines()) == 3
    assert len(re.findall(SPEED, done.err)) == 3
    assert "Type a message" not in done.err


def test_json_has_text_reason_and_figures(cli: Cli, bundle: Path) -> None:
    done = cli("chat", bundle, "--prompt", QUESTION, "--json")
    assert (done.code, done.err) == (0, "")
    assert is_answer(done.json["text"])
    assert done.json["stop_reason"] == "end_of_turn"
    assert done.json["stats"]["decode_tokens_per_second"] > 0
    refused = cli("chat", bundle, "--json")
    assert (refused.code, refused.out) == (2, "")
    assert "--prompt" in refused.err


def test_an_answer_that_was_cut_says_why(cli: Cli, bundle: Path) -> None:
    done = cli("chat", bundle, "-p", QUESTION, "--max-tokens", 3)
    assert "stopped by length" in done.err


def test_the_schema_holds_unless_free(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    cli("convert", demo_path, "-o", tmp_path / "b", "--answer-regex", "(on|off)", "--no-check")
    assert cli("chat", tmp_path / "b", "-p", QUESTION).out.strip() in ("on", "off")
    assert is_answer(cli("chat", tmp_path / "b", "-p", QUESTION, "--free").out)


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_nothing_is_no_message(cli: Cli, bundle: Path, prompt: str) -> None:
    done = cli("chat", bundle, "-p", prompt)
    assert (done.code, done.out) == (2, "")
    assert "the message is empty" in done.err


def test_a_failed_command_before_the_pipe_is_no_message(bundle: Path) -> None:
    assert child("chat", bundle, "-p", "-", stdin="").code == 2


def test_what_is_no_bundle(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.litertlm").write_bytes(b"\xff\x00 nothing")
    for path, words in ((tmp_path / "absent", "no such file"), (tmp_path / "x.litertlm", "LITERTLM")):
        done = cli("chat", path, "-p", QUESTION)
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        assert "→" in done.err


def test_an_engine_that_crashes_is_an_error_with_its_reason(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "litert_lm.py").write_text("import os; os.abort()\n")
    done = child("chat", bundle, "-p", QUESTION, PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "the engine crashed on this file (SIGABRT)" in done.err


def test_a_missing_engine_is_a_missing_tool(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "litert_lm.py").write_text("raise ImportError('no library for this machine')\n")
    done = child("chat", bundle, "-p", QUESTION, PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (3, "")
    assert "install litert-lm-api" in done.err


def test_at_a_terminal_it_converses_until_the_end_of_input(bundle: Path) -> None:
    terminal = Terminal.start("chat", bundle)
    terminal.wait_for("Type a message; the model sees those before; an empty line or Ctrl-D ends.")
    terminal.wait_for("> ")
    for question in (QUESTION, "skjermen er for lys"):
        terminal.shown = ""
        terminal.type(question + "\n")
        terminal.wait_for("tokens/s")
        terminal.wait_for("> ")
        assert '{"screen": "' in terminal.shown
    terminal.type("\x04")
    done = terminal.finish()
    assert done.code == 0
    assert done.out.endswith("\n")


def test_an_interrupt_at_the_prompt_leaves(bundle: Path) -> None:
    terminal = Terminal.start("chat", bundle)
    terminal.wait_for("> ")
    terminal.wait_until_it_reads()
    terminal.type("\x03")
    done = terminal.finish()
    assert done.code == 0
    assert "Traceback" not in done.out


# --- adapters ----------------------------------------------------------------------------------------------------


def test_json_names_the_adapter(
    cli: Cli, bundle: Path, adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    done = cli(
        "chat", adapter_ready_bundle, "--adapter", sentiment_adapter, "-p", "I love the keyboard", "--json"
    )
    assert done.code == 0, done.err
    assert done.json["adapter"] == "sentiment"
    assert json.loads(done.json["text"]).keys() == {"sentiment"}
    assert cli("chat", bundle, "-p", QUESTION, "--json").json["adapter"] is None


def test_a_typed_command_lists_and_switches(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    lines = (
        "wifi is bad",
        "/adapter",
        "/adapter support-triage",
        "wifi is bad",
        "/adapter x",
        "/adapter none",
    )
    words = ("chat", adapter_ready_bundle, "--adapter", sentiment_adapter, "--adapter", triage_adapter)
    done = child(*words, stdin="\n".join((*lines, QUESTION)) + "\n")
    assert done.code == 0, done.err
    answers = [tuple(json.loads(line)) for line in done.out.splitlines()]
    assert answers == [("sentiment",), ("team", "urgency"), ("screen", "setting", "action")]
    assert "* sentiment\n  support-triage\n  none (the base alone)\n" in done.err
    assert re.findall(
        r"\[(\S+): a new conversation after [\d.]+ ms; each message begins another\]", done.err
    ) == [
        "support-triage",
        "none",
    ]
    assert "There is no x here, only sentiment, support-triage, none." in done.err


def test_without_adapters_a_slash_is_said_to_the_model(bundle: Path) -> None:
    done = child("chat", bundle, stdin="/adapter none\n")
    assert len(done.out.splitlines()) == 1
    assert is_answer(done.out)


def test_at_a_terminal_the_prompt_names_who_speaks(
    adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    terminal = Terminal.start("chat", adapter_ready_bundle, "--adapter", sentiment_adapter)
    terminal.wait_for("Each message begins a new conversation, unless a bundle is made with --turns many")
    terminal.wait_for("/adapter NAME switches: sentiment, or none for the base alone.")
    terminal.wait_for("sentiment> ")
    terminal.shown = ""
    terminal.type("/adapter none\n")
    terminal.wait_for("none: a new conversation")
    terminal.wait_for("> ")
    terminal.type("\x04")
    assert terminal.finish().code == 0


def test_one_message_goes_to_one_adapter(
    cli: Cli, adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    both = ("--adapter", sentiment_adapter, "--adapter", triage_adapter)
    done = cli("chat", adapter_ready_bundle, *both, "-p", QUESTION)
    assert (done.code, done.out) == (2, "")
    assert "--prompt goes to one --adapter" in done.err
