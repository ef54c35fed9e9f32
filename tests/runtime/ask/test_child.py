"""The child program: what is left of us when it dies, hangs, is interrupted, or finds no engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgekit.errors import BundleError, MissingToolError
from edgekit.runtime.ask.child import EngineError, start_child
from edgekit.runtime.ask.protocol import Decoding, Turn
from edgekit.runtime.ask.session import Session, ask
from edgekit.text.generation import GREEDY

pytestmark = pytest.mark.slow

HELLO = Turn(({"role": "user", "content": "my screen is too dark"},), Decoding(GREEDY, max_tokens=24))


def test_a_crash_is_an_error_that_names_the_file_and_the_signal(float_bundle: Path) -> None:
    with ask(float_bundle) as session:
        os.kill(session.child.pid, signal.SIGSEGV)
        for _ in range(2):  # it stays dead
            with pytest.raises(EngineError, match=r"crashed on this file \(SIGSEGV\)") as caught:
                session.say(HELLO)
            assert caught.value.crashed
            assert caught.value.where == str(float_bundle)


def test_a_crash_while_an_answer_is_awaited_is_one_too(float_bundle: Path) -> None:
    with ask(float_bundle) as session, session.talk(HELLO.decoding) as chat:
        os.kill(session.child.pid, signal.SIGSTOP)  # or a short answer is over before the signal comes
        threading.Timer(0.2, os.kill, (session.child.pid, signal.SIGKILL)).start()
        with pytest.raises(EngineError, match="SIGKILL"):
            list(chat.stream(HELLO.messages[-1]))


def test_a_child_that_takes_too_long_is_ended(float_bundle: Path) -> None:
    with start_child(float_bundle) as child:
        os.kill(child.pid, signal.SIGSTOP)
        with child.within(0.2), pytest.raises(EngineError, match=r"did not answer within 0\.2 s"):
            child.answer("ids", "cannot tokenize", text="a")


def test_an_interrupt_ends_the_answer_and_the_session_goes_on(session: Session) -> None:
    whole = session.say(HELLO).text
    with session.talk(HELLO.decoding) as chat:
        with pytest.raises(KeyboardInterrupt):
            for _ in chat.stream(HELLO.messages[-1]):
                signal.raise_signal(signal.SIGINT)
        assert chat.token_count > 0
    assert session.say(HELLO).text == whole


def test_what_an_interrupted_request_still_says_is_passed_over(session: Session) -> None:
    lines = session.child
    lines.send("ids", text="this answer is never read")
    assert session.text(session.ids("dark")) == "dark"


def test_the_child_ends_when_its_parent_does(float_bundle: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from edgekit.runtime.ask.session import ask\n"
        "with ask(pathlib.Path(sys.argv[1])) as session:\n"
        "    print(session.child.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code, str(float_bundle)], capture_output=True, text=True, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    deadline = time.monotonic() + 120
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter where it goes while it is read
        return False


def test_leaving_a_session_ends_an_answer_that_nobody_waits_for(float_bundle: Path) -> None:
    with ask(float_bundle) as session, session.talk(Decoding(max_tokens=4000)) as chat:
        next(chat.stream("Hello"))
        pid = session.child.pid
    assert not alive(pid)
    assert threading.active_count() < 50


def test_without_an_engine_there_is_a_remedy(
    float_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "litert_lm.py").write_text(
        "raise ImportError('libstdc++.so.6: cannot open shared object file')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"cannot be loaded \(libstdc") as missing, ask(float_bundle):
        pass
    assert "install litert-lm-api" in (missing.value.remedy or "")


def test_importing_the_runtime_needs_no_engine() -> None:
    code = (
        "import sys; sys.modules['litert_lm'] = None\n"
        "import edgekit.runtime, edgekit.runtime.chat, edgekit.runtime.ask.questions, edgekit.runtime.ask.smoke\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such file"), ask(tmp_path / "absent.litertlm"):
        pass
