"""The static form says on the GPU what it says on the processor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.bundle.opening import open_bundle
from edgekit.conversion.options import Trim
from edgekit.runtime.ask.questions import Questions, Said, ask_engine, read_answers
from edgekit.text.data import read_data
from edgekit.text.messages import Message
from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles
from tests.gpu.conftest import STATIC

pytestmark = pytest.mark.slow

ROWS = read_data(EXAMPLE / "eval.jsonl", limit=None).rows


def some(count: int) -> list[tuple[tuple[Message, ...], str]]:
    """Rows from all over the data, with what is expected."""
    chosen = ROWS[:: len(ROWS) // count][:count]
    return [(row.messages, row.expected or "") for row in chosen]


def test_twenty_answers_are_the_processor_s(static_bundle: Path) -> None:
    prompts = tuple(prompt for prompt, _ in some(20))
    questions = Questions((), (), prompts, max_tokens=48)
    model = open_bundle(static_bundle).model_path
    here = ask_engine(model, questions, name="processor")
    there = ask_engine(model, questions, name="GPU", backend="gpu")
    assert isinstance(here, Said)
    assert isinstance(there, Said)
    pairs = list(zip(prompts, here.answers, there.answers, strict=True))
    different = [(prompt, at_home.text) for prompt, at_home, away in pairs if away.text != at_home.text]
    assert len(different) <= 1
    # Once in a while, on a busy machine, the engine gives a token twice on this backend. A graph that is wrong does
    # so each time.
    for prompt, wanted in different:
        again = ask_engine(model, Questions((), (), (prompt,), max_tokens=48), name="GPU", backend="gpu")
        assert isinstance(again, Said)
        assert again.answers[0].text == wanted


@pytest.mark.parametrize("recipe", ["int4-head", "int4", "int4-all"])
def test_every_recipe_reads_as_on_the_processor(recipe: str, bundles: Bundles) -> None:
    assert_reads_alike(bundles(graph=STATIC, recipe=recipe))


def test_a_trimmed_vocabulary_reads_as_on_the_processor(bundles: Bundles) -> None:
    trim = Trim((EXAMPLE / "train.jsonl",), keep=2000)
    assert_reads_alike(bundles(graph=STATIC, trim=trim))


def test_a_long_prompt_is_read_as_on_the_processor(static_bundle: Path) -> None:
    """A GPU's sine is exact within half a turn only, and at position 800 an angle has turned 127 times."""
    filler = " ".join(f"open settings {number} please" for number in range(110))
    message: Message = {"role": "user", "content": f"{filler} turn off wifi please"}
    expected = '{"screen": "network", "setting": "wifi", "action": "disable"}'
    assert_reads_alike(static_bundle, [((message,), expected)])


def test_validate_holds_it_to_the_processor(static_bundle: Path) -> None:
    parity = edgekit.validate(
        static_bundle, data=EXAMPLE / "eval.jsonl", limit=2, max_tokens=32, backend="gpu", report=False
    )
    check = parity.check("gpu")
    assert check.status == "passed", check.summary
    assert "2 of 2 answers are the processor's" in check.summary
    assert parity.sections["gpu"].device.name in check.summary


def test_bench_names_the_device_that_it_measured(static_bundle: Path, tmp_path: Path) -> None:
    plan = edgekit.BenchPlan(
        backend=("gpu",), prefill=(32,), decode=(4,), runs=1, warmup=0, check_prompt="hi"
    )
    measured = edgekit.bench(static_bundle, plan=plan, reports=tmp_path)
    (result,) = measured.results
    assert measured.problems == ()
    (note,) = [note for note in result.notes if "gpu pp32 tg4: on " in note]
    if "SwiftShader" in note:
        assert "software: it shows that a model runs, not how fast" in note


def assert_reads_alike(bundle: Path, pairs: list[tuple[tuple[Message, ...], str]] | None = None) -> None:
    """Both backends find the same answers as likely: half precision and 8-bit activations move them a little."""
    model = open_bundle(bundle).model_path
    cpu, nothing = read_answers(model, pairs or some(2), "cpu")
    gpu, device = read_answers(model, pairs or some(2), "gpu")
    assert nothing is None
    assert device is not None
    np.testing.assert_allclose(np.concatenate(gpu), np.concatenate(cpu), atol=0.05)
