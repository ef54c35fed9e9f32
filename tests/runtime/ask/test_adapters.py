"""Adapters in the real engine: one base, several sidecars, switched without opening the base again."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.bundle.adapter.opening import Adapter, open_adapter
from edgekit.bundle.container import SectionKind, map_file, parse_container, section_bytes
from edgekit.bundle.opening import Bundle, open_bundle
from edgekit.bundle.tflite import read_model
from edgekit.conversion.convert import convert
from edgekit.runtime.ask.engine import Engine, open_engine
from edgekit.text.generation import GREEDY
from tests.runtime.ask.switching import QUESTIONS, SWITCHES, WARM

ROOT = Path(__file__).parents[3]
FREE_TOKENS = 24


@pytest.fixture(scope="module")
def adapters(adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path) -> list[Adapter]:
    base = open_bundle(adapter_ready_bundle)
    return [open_adapter(path, base) for path in (sentiment_adapter, triage_adapter)]


def said(engine: Engine, sidecar: Path | None, question: str = QUESTIONS[0], **options: object) -> str:
    settings = {"sampler": GREEDY, "max_tokens": FREE_TOKENS} | options
    with engine.chat(sidecar=sidecar, **settings) as chat:  # type: ignore[arg-type]
        return chat.send(question).text


def alone(model: Path, adapter: Adapter) -> list[str]:
    """What an adapter says to the questions in an engine that has seen no other."""
    with (
        open_engine(model, threads=1) as engine,
        engine.chat(
            sampler=adapter.sampler, answers=adapter.answer, sidecar=adapter.sidecar, max_tokens=40
        ) as chat,
    ):
        return [chat.send(question).text for question in QUESTIONS]


@pytest.fixture(scope="module")
def switched(adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    """The outcome of a process that switches a hundred times and does nothing else."""
    words = [sys.executable, "-m", "tests.runtime.switching"]
    done = subprocess.run(
        [*words, adapter_ready_bundle, sentiment_adapter, triage_adapter],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, dict] = json.loads(done.stdout)  # type: ignore[type-arg]
    return outcome


def test_a_hundred_switches_give_the_same_answers_as_each_adapter_alone(
    switched: dict[str, dict],  # type: ignore[type-arg]
    adapter_ready_bundle: Path,
    adapters: list[Adapter],
) -> None:
    model = open_bundle(adapter_ready_bundle).model_path
    for adapter in adapters:
        answers = switched["answers"][adapter.manifest.name]
        assert len(answers) == SWITCHES // 2
        assert answers == [alone(model, adapter)] * len(answers)
    first, second = (switched["answers"][adapter.manifest.name][0] for adapter in adapters)
    assert first != second


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_switching_costs_no_memory_but_the_inputs_that_the_engine_keeps(
    switched: dict[str, dict],  # type: ignore[type-arg]
    adapter_ready_bundle: Path,
) -> None:
    """Engine 0.18.1 never gives back the adapter inputs of a conversation: 1.3 MB with the demo base, 15 MB with 270M.

    It takes every sidecar for a new one, the same file too. Nothing but that may remain of a conversation.
    """
    warm, last = (switched["memory"][str(number)] for number in (WARM, SWITCHES))
    kept = (
        (SWITCHES - WARM) * inputs_bytes(open_bundle(adapter_ready_bundle)) * 1.1
    )  # a page or two for each input
    for kind in ("private", "resident"):
        assert last[kind] - warm[kind] < kept, kind


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
    with open_engine(plain.model, threads=1) as engine:
        expected = [said(engine, None, question) for question in QUESTIONS]
    with open_engine(open_bundle(adapter_ready_bundle).model_path, threads=1) as engine:
        for _ in range(4):
            for adapter in adapters:
                said(engine, adapter.sidecar)
            assert [said(engine, None, question) for question in QUESTIONS] == expected
