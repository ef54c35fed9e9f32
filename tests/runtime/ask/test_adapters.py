"""Adapters in the real engine: one base, several sidecars, switched without opening the base again."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgekit.bundle.adapter.opening import Adapter, open_adapter
from edgekit.bundle.container import SectionKind, map_file, parse_container, section_bytes
from edgekit.bundle.opening import Bundle, open_bundle
from edgekit.bundle.tflite import read_model
from edgekit.conversion.convert import convert
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import Session, ask
from edgekit.text.generation import GREEDY

pytestmark = pytest.mark.slow

QUESTIONS = ("the wifi does not work at all", "gjør skjermen lysere, det haster")
SWITCHES = 140
EARLY = 60
FREE_TOKENS = 24


@pytest.fixture(scope="module")
def adapters(adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path) -> list[Adapter]:
    base = open_bundle(adapter_ready_bundle)
    return [open_adapter(path, base) for path in (sentiment_adapter, triage_adapter)]


def said(session: Session, sidecar: Path | None, question: str = QUESTIONS[0], **options: object) -> str:
    settings = {"sampler": GREEDY, "max_tokens": FREE_TOKENS} | options
    with session.talk(Decoding(sidecar=sidecar, **settings)) as chat:  # type: ignore[arg-type]
        return chat.say(question).text


def own(adapter: Adapter) -> Decoding:
    return Decoding(sampler=adapter.sampler, answers=adapter.answer, sidecar=adapter.sidecar, max_tokens=40)


def alone(model: Path, adapter: Adapter) -> list[str]:
    """What an adapter says to the questions in an engine that has seen no other."""
    with ask(model, threads=1) as session, session.talk(own(adapter)) as chat:
        return [chat.say(question).text for question in QUESTIONS]


@dataclass(frozen=True)
class Switched:
    """What came of switching many times: each adapter's answers, turn by turn, and the engine's memory."""

    answers: dict[str, list[list[str]]]
    memory: dict[int, int]


@pytest.fixture(scope="module")
def switched(adapter_ready_bundle: Path, adapters: list[Adapter]) -> Switched:
    """An engine that switches and does nothing else."""
    outcome = Switched({adapter.manifest.name: [] for adapter in adapters}, {})
    with ask(open_bundle(adapter_ready_bundle).model_path, threads=1) as session:
        for number in range(SWITCHES):
            adapter = adapters[number % len(adapters)]
            with session.talk(own(adapter)) as chat:
                said = [chat.say(question).text for question in QUESTIONS]
            outcome.answers[adapter.manifest.name].append(said)
            if number + 1 in (EARLY, SWITCHES) and sys.platform == "linux":
                session.ids("")  # it has ended the conversation
                outcome.memory[number + 1] = memory(session.child.pid)
    return outcome


def memory(pid: int) -> int:
    """Bytes that a process alone has written; not the pages of files, which others may share."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(1024 * int(size) for size in re.findall(r"^Private_Dirty: +(\d+) kB$", rollup, re.MULTILINE))


def test_many_switches_give_the_same_answers_as_each_adapter_alone(
    switched: Switched,
    adapter_ready_bundle: Path,
    adapters: list[Adapter],
) -> None:
    model = open_bundle(adapter_ready_bundle).model_path
    for adapter in adapters:
        answers = switched.answers[adapter.manifest.name]
        assert len(answers) == SWITCHES // 2
        assert answers == [alone(model, adapter)] * len(answers)
    first, second = (switched.answers[adapter.manifest.name][0] for adapter in adapters)
    assert first != second


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_memory_stays_bounded_however_often_adapters_are_switched(
    switched: Switched, adapter_ready_bundle: Path
) -> None:
    """Engine 0.18.1 never gives back the adapter inputs of a conversation: 1.3 MB with the demo base, 15 MB with 270M.

    It takes every sidecar for a new one, the same file too. So the child opens the engine anew after 64 conversations.
    """
    kept = (SWITCHES - EARLY) * inputs_bytes(open_bundle(adapter_ready_bundle))
    assert switched.memory[SWITCHES] - switched.memory[EARLY] < kept / 2


def inputs_bytes(base: Bundle) -> int:
    """Size of all adapter inputs of a base together, as float32."""
    data = map_file(base.model_path)
    container = parse_container(base.model_path, data)
    (model,) = (s for s in container.sections if s.kind is SectionKind.TFLITE_MODEL)
    decode = next(
        s for s in read_model(section_bytes(container, model), 0).signatures if s.name.startswith("decode")
    )
    return sum(4 * math.prod(spec.shape) for spec in decode.inputs if spec.name.startswith("lora_"))


def test_the_base_alone_is_unharmed_by_adapters_before_it(
    adapter_ready_bundle: Path, adapters: list[Adapter], tmp_path: Path, demo_path: Path
) -> None:
    plain = convert(demo_path, tmp_path / "plain", name="plain", check=False)
    with ask(plain.model, threads=1) as session:
        expected = [said(session, None, question) for question in QUESTIONS]
    with ask(open_bundle(adapter_ready_bundle).model_path, threads=1) as session:
        for _ in range(4):
            for adapter in adapters:
                said(session, adapter.sidecar)
            assert [said(session, None, question) for question in QUESTIONS] == expected
