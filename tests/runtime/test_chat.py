"""Opening a bundle for a conversation, the way its manifest says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import TextOptions
from edgekit.errors import AdapterError, BundleError, InputError
from edgekit.examples import sentiment
from edgekit.runtime.chat import open_chat

pytestmark = pytest.mark.slow

LABELS = "(dim|bright)"
QUESTION = "my screen is too dark"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    target = tmp_path_factory.mktemp("labels") / "bundle"
    return convert(demo_path, target, text=TextOptions(answer_regex=LABELS), check=False).bundle


def said(bundle: Path, question: str = QUESTION, **options: object) -> str:
    with open_chat(bundle, **options) as chat:  # type: ignore[arg-type]
        return chat.say(question).text


def test_answers_are_held_to_the_manifests_format(bundle: Path) -> None:
    assert said(bundle) in ("dim", "bright")
    assert said(bundle / "checkpoint.litertlm") in ("dim", "bright")  # the manifest lies beside it


def test_unless_told_otherwise(bundle: Path) -> None:
    assert json.loads(said(bundle, constrained=False)).keys() == {"screen", "setting", "action"}


def test_a_file_without_its_manifest_answers_freely(bundle: Path, tmp_path: Path) -> None:
    shutil.copy(bundle / "checkpoint.litertlm", tmp_path / "downloaded.litertlm")
    assert said(tmp_path / "downloaded.litertlm").startswith("{")


def test_under_a_format_each_message_begins_a_conversation(bundle: Path) -> None:
    with open_chat(bundle) as chat:
        assert chat.one_turn
        assert chat.say(QUESTION).stats.prompt_tokens == chat.say(QUESTION).stats.prompt_tokens
        assert chat.token_count == chat.reply.stats.prompt_tokens + chat.reply.stats.generated_tokens


def test_the_next_conversation_can_begin_before_anybody_asks(bundle: Path) -> None:
    with open_chat(bundle) as chat:
        first = chat.say(QUESTION)
        chat.prepare()
        assert chat.token_count == 0
        chat.prepare()  # it has begun: nothing to do
        again = chat.say(QUESTION)
    assert (again.text, again.stats.prompt_tokens) == (first.text, first.stats.prompt_tokens)


def test_a_conversation_of_several_turns_is_not_left(int8_bundle: Path) -> None:
    with open_chat(int8_bundle) as chat:
        chat.say(QUESTION)
        before = chat.token_count
        chat.prepare()
        assert chat.token_count == before


def test_one_conversation_goes_on_where_the_bundle_says_that_it_was_trained_so(
    demo_path: Path, tmp_path: Path
) -> None:
    text = TextOptions(answer_regex=LABELS, turns="many")
    with open_chat(convert(demo_path, tmp_path / "b", text=text, check=False).bundle) as chat:
        first = chat.say(QUESTION)
        before = chat.token_count
        second = chat.say("and now?")
        after = chat.token_count
    assert before == first.stats.prompt_tokens + first.stats.generated_tokens
    assert after == before + second.stats.prompt_tokens + second.stats.generated_tokens


def test_a_bundle_without_a_format_holds_as_many_turns_as_it_says(
    demo_path: Path, tmp_path: Path, int8_bundle: Path
) -> None:
    with open_chat(int8_bundle) as chat:
        assert not chat.one_turn
    with open_chat(
        convert(demo_path, tmp_path / "b", text=TextOptions(turns="one"), check=False).bundle
    ) as chat:
        assert chat.one_turn


def test_a_system_message_comes_first(bundle: Path) -> None:
    with open_chat(bundle, system="Answer with one word.") as chat:
        with_system = chat.say(QUESTION).stats.prompt_tokens
    with open_chat(bundle) as chat:
        assert chat.say(QUESTION).stats.prompt_tokens < with_system


def test_sampler_seed_and_length_are_the_callers(bundle: Path) -> None:
    options = {"constrained": False, "sampler": "temperature=3,top_k=64,top_p=1", "max_tokens": 12}
    assert said(bundle, seed=1, **options) == said(bundle, seed=1, **options)
    assert len({said(bundle, seed=seed, **options) for seed in range(4)}) > 1
    with open_chat(bundle, max_tokens=2, constrained=False) as chat:
        assert chat.say(QUESTION).ending == "length"


def test_nothing_is_left_beside_the_model(bundle: Path) -> None:
    said(bundle)
    assert {path.name for path in bundle.iterdir()} == {"checkpoint.litertlm", "edgekit.json", "NOTICE"}


def test_what_cannot_be_talked_to(bundle: Path, demo_path: Path, tmp_path: Path) -> None:
    def refused(path: Path, words: str, **options: object) -> None:
        with pytest.raises(InputError, match=words) as caught:
            said(path, **options)
        assert caught.value.where
        assert caught.value.remedy

    refused(tmp_path / "absent", "no such file")
    refused(tmp_path, "the directory is empty")
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "notes.txt", "not a .litertlm file")
    graph = convert(demo_path, tmp_path / "graph", file_format="tflite", check=False).bundle
    refused(graph, "no tokenizer to chat with")
    refused(bundle, "not a sampler setting", sampler="warm")


def test_a_changed_model_is_refused_before_the_engine_sees_it(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    content = bytearray((copy / "checkpoint.litertlm").read_bytes())
    content[-1] ^= 1
    (copy / "checkpoint.litertlm").write_bytes(content)
    with pytest.raises(BundleError, match="it was changed"):
        said(copy)


# --- adapters ----------------------------------------------------------------------------------------------------


def test_an_adapter_answers_in_its_own_format(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    assert json.loads(said(adapter_ready_bundle, adapters=[sentiment_adapter])).keys() == {"sentiment"}
    assert json.loads(said(adapter_ready_bundle, adapters=[triage_adapter])).keys() == {"team", "urgency"}
    assert json.loads(said(adapter_ready_bundle)).keys() == {"screen", "setting", "action"}
    sidecar = next(sentiment_adapter.glob("*.lora.tflite"))
    assert json.loads(said(adapter_ready_bundle, adapters=[sidecar])).keys() == {"sentiment"}


def test_a_base_without_adapter_says_what_the_same_checkpoint_says(
    adapter_ready_bundle: Path, demo_path: Path, tmp_path: Path
) -> None:
    plain = convert(demo_path, tmp_path / "plain", check=False).bundle
    for question in (QUESTION, "turn off wifi please", "gjør skjermen lysere"):
        assert said(adapter_ready_bundle, question, constrained=False, sampler="greedy") == said(
            plain, question, sampler="greedy"
        )


@pytest.fixture(scope="module")
def opinionated_adapter(adapter_ready_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a system prompt, a sampler and an answer format of its own."""
    return adapter(
        sentiment() / "adapter",
        adapter_ready_bundle,
        tmp_path_factory.mktemp("opinionated") / "moods",
        name="moods",
        system_prompt="Answer with one word.",
        text=TextOptions(
            sampler="temperature=3,top_k=64,top_p=1", answer_regex="(happy|unhappy|indifferent)"
        ),
        check=False,
    ).directory


def test_system_prompt_sampler_and_format_are_the_adapters_unless_told_otherwise(
    adapter_ready_bundle: Path, opinionated_adapter: Path
) -> None:
    def prompt_tokens(**options: object) -> int:
        with open_chat(adapter_ready_bundle, adapters=[opinionated_adapter], **options) as chat:  # type: ignore[arg-type]
            return chat.say(QUESTION).stats.prompt_tokens

    assert prompt_tokens(system="") < prompt_tokens() < prompt_tokens(system="Answer with one word. " * 2)
    drawn = {said(adapter_ready_bundle, adapters=[opinionated_adapter], seed=seed) for seed in range(6)}
    assert len(drawn) > 1
    assert drawn <= {"happy", "unhappy", "indifferent"}
    greedy = {"adapters": [opinionated_adapter], "sampler": "greedy", "constrained": False}
    free = {said(adapter_ready_bundle, seed=seed, **greedy) for seed in range(3)}
    assert len(free) == 1
    assert not free & {"happy", "unhappy", "indifferent"}


def test_conversations_switch_between_adapters_and_the_base(
    adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    alone = {
        name: said(adapter_ready_bundle, adapters=[] if path is None else [path])
        for name, path in (("sentiment", sentiment_adapter), ("support-triage", triage_adapter), (None, None))
    }
    assert len(set(alone.values())) == 3
    with open_chat(adapter_ready_bundle, (sentiment_adapter, triage_adapter)) as chat:
        assert chat.adapters == ("sentiment", "support-triage")
        assert chat.adapter == "sentiment"
        for name in ("sentiment", None, "support-triage", "sentiment", None):
            assert chat.begin(name) > 0
            assert chat.adapter == name
            assert chat.say(QUESTION).text == alone[name]
        with pytest.raises(InputError, match="no adapter 'moods'"):
            chat.begin("moods")
        assert chat.say(QUESTION).text  # the one that was open still is


def test_adapters_that_cannot_be_used(
    bundle: Path, adapter_ready_bundle: Path, sentiment_adapter: Path, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="takes no adapters"):
        said(bundle, adapters=[sentiment_adapter])
    with pytest.raises(AdapterError, match="no such file"):
        said(adapter_ready_bundle, adapters=[tmp_path / "absent"])
    with (
        pytest.raises(InputError, match="two adapters are called sentiment"),
        open_chat(adapter_ready_bundle, (sentiment_adapter, sentiment_adapter)),
    ):
        pass
