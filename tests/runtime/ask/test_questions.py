"""A set of questions to a release of the engine: what is a finding, and what is an error."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.inspect import inspect
from edgekit.errors import BundleError, InputError
from edgekit.runtime.ask import questions
from edgekit.runtime.ask.protocol import Decoding, Reply, Turn
from edgekit.runtime.ask.questions import Questions, Refusal, Said, ask_engine
from edgekit.runtime.ask.session import Session
from edgekit.text.answers import AnswerFormat, read_schema
from edgekit.text.generation import GREEDY
from tests.conftest import EXAMPLE
from tests.fixtures.releases import another_release
from tests.fixtures.tokenizers import tokenizer_bundle
from tests.runtime.ask.formats import schema

pytestmark = pytest.mark.slow

PROMPTS = tuple(
    ({"role": "user", "content": text},) for text in ("my screen is too dark", "skjermen er for lys")
)


def test_each_question_has_its_answer(float_bundle: Path, session: Session) -> None:
    said = ask_engine(float_bundle, Questions(("dark", ""), PROMPTS[:1], PROMPTS, 64), name="engine")
    assert isinstance(said, Said)
    assert said.ids == (session.ids("dark"), ())
    assert said.prompts == (session.prompt(PROMPTS[0]),)
    assert said.asked == tuple(session.ids(session.prompt(prompt).text or "") for prompt in PROMPTS)
    replies = [session.say(Turn(prompt, Decoding(GREEDY, max_tokens=64))) for prompt in PROMPTS]
    assert [answer.text for answer in said.answers] == [reply.text for reply in replies]
    assert all(answer.ended and answer.ids == session.ids(answer.text) for answer in said.answers)
    assert said.constrained is None


def test_an_answer_that_the_limit_cuts_has_not_ended(float_bundle: Path) -> None:
    said = ask_engine(float_bundle, Questions((), (), PROMPTS, 4), name="engine")
    assert isinstance(said, Said)
    assert [(answer.tokens, answer.ended) for answer in said.answers] == [(4, False)] * 2


def test_answers_in_a_format_are_decoded_as_chat_and_the_app_decode_them(tmp_path: Path) -> None:
    """Random weights would spell quotes and control characters by the tokens of single bytes."""
    text = schema({"type": "string", "minLength": 4, "maxLength": 24})
    prompts = tuple(({"role": "user", "content": str(number)},) for number in range(12))
    said = ask_engine(tokenizer_bundle(tmp_path), Questions((), (), prompts, 200, text), name="engine")
    assert isinstance(said, Said)
    assert said.constrained is not None
    for answer in said.constrained:
        assert answer.ended
        assert 4 <= len(json.loads(answer.text)) <= 24


def test_a_format_that_the_engine_cannot_take_is_the_callers_error(float_bundle: Path) -> None:
    asked = Questions((), (), PROMPTS, 4, AnswerFormat("regex", "(?=a)b"))
    with pytest.raises(InputError, match=r"cannot take the answer format: .*look-around"):
        ask_engine(float_bundle, asked, name="engine")


def test_a_file_that_does_not_open_is_a_finding(float_bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.litertlm"
    broken.write_bytes(float_bundle.read_bytes()[:70_000])
    said = ask_engine(broken, Questions((), (), PROMPTS, 4), name="engine")
    assert isinstance(said, Refusal)
    assert said.reason
    assert not said.opened


def test_a_crash_behind_some_answers_says_how_many(float_bundle: Path, tmp_path: Path) -> None:
    """The other release crashes at its second answer."""
    python = tmp_path / "python"
    change = (
        "real = litert_lm.conversation.Conversation.send_message_async\n"
        "asked = []\n"
        "def crash(self, *arguments, **options):\n"
        "    asked.append(1)\n"
        f"    if len(asked) == 2: os.kill(os.getpid(), {int(signal.SIGABRT)})\n"
        "    return real(self, *arguments, **options)\n"
        "litert_lm.conversation.Conversation.send_message_async = crash\n"
    )
    code = tmp_path / "change.py"
    code.write_text(
        f"import os, runpy, sys, litert_lm, litert_lm.conversation\n{change}"
        "runpy.run_path(sys.argv[2], run_name='__main__')\n"
    )
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{code}" "$@"\n')
    python.chmod(0o755)
    with pytest.raises(BundleError, match=r"stopped after 1 answers: it crashed \(SIGABRT\)"):
        ask_engine(float_bundle, Questions((), (), PROMPTS, 64), name="other", python=str(python))


def test_labels_are_held_to_a_regular_expression(float_bundle: Path) -> None:
    asked = Questions((), (), PROMPTS, 4, AnswerFormat("regex", "(on|off)"))
    said = ask_engine(float_bundle, asked, name="engine")
    assert isinstance(said, Said)
    assert said.constrained is not None
    assert {answer.text for answer in said.constrained} <= {"on", "off"}


def test_several_children_say_what_one_says(float_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = tuple(({"role": "user", "content": f"turn {n} on"},) for n in range(5))
    asked = Questions(("dark",), PROMPTS, prompts, 8, AnswerFormat("regex", "(on|off)"))
    alone = ask_engine(float_bundle, asked, name="engine")
    monkeypatch.setattr(questions, "_crew", lambda prompts: (3, 1))
    assert ask_engine(float_bundle, asked, name="engine") == alone


def test_only_what_a_format_changes_is_asked_for_again(
    demo_path: Path, float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo answers as its schema wants it: two are tried, and found the same."""
    rows = [json.loads(line) for line in (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()]
    prompts = tuple(({"role": "user", "content": row["prompt"]},) for row in rows[:6])
    held: list[Turn] = []
    say = Session.say

    def counted(self: Session, turn: Turn, *others: Any) -> Reply:
        held.extend([turn] if turn.decoding.answers is not None else [])
        return say(self, turn, *others)

    monkeypatch.setattr(Session, "say", counted)
    answers = read_schema(EXAMPLE / "answer-schema.json")
    said = ask_engine(float_bundle, Questions((), (), prompts, 64, answers), name="engine")
    assert isinstance(said, Said)
    assert said.constrained == said.answers
    assert [turn.messages for turn in held] == list(prompts[:2])


def test_one_that_comes_out_otherwise_has_all_asked_for(
    float_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "_same_when_held", lambda *_: True)
    asked = Questions((), (), PROMPTS * 2, 64, AnswerFormat("regex", "(on|off)"))
    said = ask_engine(float_bundle, asked, name="engine")
    assert isinstance(said, Said) and said.constrained is not None
    assert {answer.text for answer in said.constrained} <= {"on", "off"}


def test_the_engine_is_opened_again_before_conversations_with_sidecars_have_filled_the_memory(
    adapter_ready_bundle: Path, int8_bundle: Path, tmp_path: Path
) -> None:
    prompts = tuple(({"role": "user", "content": f"turn {n} on"},) for n in range(40))
    asked = Questions((), (), prompts, max_tokens=4)
    log = tmp_path / "opened"
    counting = (
        f"log = open('{log}', 'a'); make = litert_lm.Engine; "
        "litert_lm.Engine = lambda *a, **o: (print(a[0], file=log, flush=True), make(*a, **o))[1]"
    )
    python = str(another_release(tmp_path, counting))
    voices = [
        ask_engine(inspect(bundle).path, asked, name="bundle", python=python)
        for bundle in (adapter_ready_bundle, int8_bundle)
    ]
    opened = log.read_text().splitlines()
    assert [opened.count(str(inspect(b).path)) for b in (adapter_ready_bundle, int8_bundle)] == [2, 1]
    texts = [[answer.text for answer in v.answers] for v in voices if isinstance(v, Said)]
    assert len(texts) == 2 and texts[0] == texts[1]
