"""Golden answers come from the real engine, in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.opening import open_bundle
from edgekit.errors import BundleError, InputError
from edgekit.packaging.golden import Prompts, ask_engine, read_prompts
from edgekit.runtime.chat import open_chat

pytestmark = pytest.mark.slow


def test_they_are_what_edgekit_chat_answers_greedily(navigator: Path) -> None:
    opened = open_bundle(navigator)
    assert opened.manifest is not None
    prompts = ("my screen is too dark", "gjør skjermen lysere", "my screen is too dark")
    asked = ask_engine(opened.model_path, [Prompts(prompts, answer=opened.manifest.answer)])
    (answers,) = asked.tasks
    assert [golden.prompt for golden in answers.golden] == ["my screen is too dark", "gjør skjermen lysere"]
    for golden in answers.golden:
        with open_chat(navigator, sampler="greedy") as chat:
            assert chat.say(golden.prompt).text == golden.answer
    # All stop tokens but the first, and the 128 bytes of ASCII.
    assert asked.suppressed[0] == opened.manifest.stop_tokens[1].ids[0]
    assert len(asked.suppressed) == 129


def test_a_system_prompt_goes_before_each(navigator: Path) -> None:
    opened = open_bundle(navigator)
    with open_chat(navigator, system="Turn off wifi", sampler="greedy", constrained=False) as chat:
        expected = chat.say("my screen is too dark").text
    prompts = Prompts(("my screen is too dark",), system_prompt="Turn off wifi")
    (answers,) = ask_engine(opened.model_path, [prompts]).tasks
    assert [golden.answer for golden in answers.golden] in ([expected], [])


def test_several_tasks_are_asked_of_one_engine_each_with_its_sidecar(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    base = open_bundle(adapter_ready_bundle)
    opened = [open_adapter(path, base) for path in (sentiment_adapter, triage_adapter)]
    prompts = [
        Prompts(("my screen is too dark",), answer=adapter.manifest.answer, sidecar=adapter.sidecar)
        for adapter in opened
    ]
    together = ask_engine(base.model_path, [*prompts, prompts[0]])
    alone = [ask_engine(base.model_path, [each]).tasks[0] for each in prompts]
    assert together.tasks == (*alone, alone[0])
    assert "sentiment" in alone[0].golden[0].answer
    assert "team" in alone[1].golden[0].answer


def test_a_sidecar_that_the_engine_cannot_read_is_named(adapter_ready_bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.lora.tflite"
    broken.write_bytes(bytes(range(256)) * 128)
    with pytest.raises(BundleError, match="cannot start a conversation") as refusal:
        ask_engine(
            open_bundle(adapter_ready_bundle).model_path,
            [Prompts(("a",)), Prompts(("a",), sidecar=broken)],
        )
    assert refusal.value.where == str(broken)


def test_without_prompts_the_bundle_is_opened_all_the_same(navigator: Path, tmp_path: Path) -> None:
    assert ask_engine(open_bundle(navigator).model_path, ()).tasks == ()
    broken = tmp_path / "x.litertlm"
    broken.write_bytes(open_bundle(navigator).model_path.read_bytes()[:70_000])
    with pytest.raises(BundleError, match="engine"):
        ask_engine(broken, ())


def test_prompts_of_a_file_are_spread_over_it(tmp_path: Path) -> None:
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"p{n}"}) + "\n" for n in range(80)))
    assert read_prompts(path) == tuple(f"p{n}" for n in range(0, 80, 10))
    path.write_text('{"prompt": "a"}\n{"text": "b"}\n')
    with pytest.raises(InputError, match="line 2"):
        read_prompts(path)
    said = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    path.write_text(json.dumps({"messages": said}) + "\n" + json.dumps({"messages": said[:1]}) + "\n")
    assert read_prompts(path) == ("a",)
    path.write_text(json.dumps({"messages": said}) + "\n")
    with pytest.raises(InputError, match="has messages before it"):
        read_prompts(path)
