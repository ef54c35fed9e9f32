"""The demo model that calls: its data, its tokenizers and what it calls."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sentencepiece
from transformers import AutoTokenizer, PreTrainedTokenizerBase

import edgekit
from edgekit.calling.calls import Call
from edgekit.calling.fit import misfits
from edgekit.calling.tokens import writes_calls
from edgekit.calling.tools import check_dialect, read_tools
from edgekit.cli.calls import converse
from edgekit.examples import phone_actions
from edgekit.runtime.chat import open_chat
from edgekit.validation.checks import task
from tests.examples.scripts import load_script
from tests.fixtures.bundles import Bundles, model_of
from training.phrases import bare, words, write_examples

pytestmark = pytest.mark.slow

EXAMPLE = phone_actions()
CHECKPOINT = EXAMPLE / "checkpoint"
TOOLS = read_tools(EXAMPLE / "tools.json")
LANGUAGES = ("en", "nb", "ja")


@pytest.fixture(scope="module")
def dataset() -> ModuleType:
    return load_script(EXAMPLE / "dataset.py")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(CHECKPOINT, local_files_only=True)


def rows(split: str) -> Iterator[dict[str, Any]]:
    return map(json.loads, (EXAMPLE / f"{split}.jsonl").read_text("utf-8").splitlines())


def calls(row: dict[str, Any]) -> list[Call]:
    said = row["messages"][1].get("tool_calls", [])
    return [Call(call["function"]["name"], call["function"]["arguments"]) for call in said]


def test_generator_reproduces_the_committed_bytes(dataset: ModuleType, tmp_path: Path) -> None:
    for name, drawn in dataset.draw_measured().items():
        write_examples(drawn, tmp_path / "rows.jsonl")
        assert (tmp_path / "rows.jsonl").read_bytes() == (EXAMPLE / f"{name}.jsonl").read_bytes()


def test_no_prompt_that_measures_is_trained_or_there_twice(dataset: ModuleType) -> None:
    measured = [bare(row["messages"][0]["content"]) for split in ("eval", "test") for row in rows(split)]
    assert len(set(measured)) == len(measured) == 1008
    for epoch in (0, 5):
        prompts = {
            bare(message["content"])
            for row in dataset.draw_conversations(epoch)
            for message in row.messages
            if message["role"] == "user"
        }
        assert len(prompts) > 6000 and not prompts & set(measured)


def test_held_out_phrasings_never_train(dataset: ModuleType) -> None:
    for language in LANGUAGES:
        for request in (*dataset.ROWS, "none"):
            train, evaluation, test = (
                {sentence for frame in dataset.frames(language, request, split) for sentence in frame}
                for split in ("train", "eval", "test")
            )
            assert train and evaluation and test
            assert not train & evaluation and not (train | evaluation) & test


def test_what_measures_asks_in_words_that_train(dataset: ModuleType) -> None:
    for language in LANGUAGES:
        known, used = (
            {
                word
                for request in dataset.ROWS
                for frame in dataset.frames(language, request, split)
                for sentence in frame
                for word in words(sentence, language)
            }
            for split in ("train", "test")
        )
        assert used <= known


@pytest.mark.parametrize("split", ["train", "eval", "test"])
def test_every_call_is_one_that_the_tools_allow_and_its_texts_stand_in_the_prompt(
    dataset: ModuleType, split: str
) -> None:
    some = map(vars, dataset.draw_requests(0)) if split == "train" else rows(split)
    for row in some:
        prompt = row["messages"][0]["content"].lower()
        for call in calls(row):
            assert not misfits(call, TOOLS)
            for key, value in call.arguments.items():
                if isinstance(value, str) and key not in ("day", "time"):
                    assert value.lower() in prompt


@pytest.mark.parametrize("split", ["eval", "test"])
def test_rows_of_every_kind_are_measured_in_every_language(split: str) -> None:
    for language in LANGUAGES:
        some = [calls(row) for row in rows(split) if row["language"] == language]
        assert {call.name for one in some for call in one} == {tool.name for tool in TOOLS}
        assert sum(not one for one in some) == 34
        assert sum(len(one) == 2 for one in some) == 30


def test_its_tools_can_be_said() -> None:
    check_dialect(TOOLS, "function_gemma", where="tools.json")


def test_control_tokens_are_one_id_each(tokenizer: PreTrainedTokenizerBase) -> None:
    control = load_script(EXAMPLE / "build_tokenizer.py").CONTROL
    for token in control:
        assert tokenizer(token, add_special_tokens=False)["input_ids"] == [
            tokenizer.convert_tokens_to_ids(token)
        ]
    assert writes_calls(dict.fromkeys(control, 1), (EXAMPLE / "chat_template.jinja").read_text("utf-8"))


def test_both_tokenizers_say_the_same_ids(tokenizer: PreTrainedTokenizerBase) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(CHECKPOINT / "tokenizer.model"))
    for row in rows("eval"):
        text = tokenizer.apply_chat_template(row["messages"], tokenize=False).removeprefix("<bos>")
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == pieces.encode(text)


def test_results_continue_the_models_turn(dataset: ModuleType, tokenizer: PreTrainedTokenizerBase) -> None:
    some = (vars(row) for row in dataset.draw_conversations(0))
    row = next(row for row in some if [m["role"] for m in row["messages"]].count("tool") == 2)
    text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
    assert text.count("<start_of_turn>model") == text.count("<start_of_turn>user")
    assert not re.search("(<start_function_response>){2}|<end_function_response><start_of_turn>model", text)


APP = """
import json, sys, litert_lm

class Tool(litert_lm.Tool):
    def __init__(self, description):
        self.description = description

    def get_tool_description(self):
        return self.description

    def execute(self, arguments):
        print(json.dumps([self.description["function"]["name"], dict(arguments)]))
        return {"status": "done"}

tools = [Tool(one) for one in json.load(open(sys.argv[2]))]
with litert_lm.Engine(sys.argv[1], backend=litert_lm.Backend.CPU()) as engine:
    with engine.create_conversation(tools=tools) as conversation:
        print(json.dumps(str(conversation.send_message("timer for 5 minutes and volume to 30"))))
"""
"""An app that knows the engine's own tools and nothing of edgekit."""


def test_an_app_that_hands_the_engine_its_tools(bundles: Bundles, tmp_path: Path) -> None:
    options = edgekit.TextOptions(tools=EXAMPLE / "tools.json")
    model = model_of(bundles.copy(tmp_path / "bundle", CHECKPOINT, text=options))
    app = [sys.executable, "-c", APP, model, EXAMPLE / "tools.json"]
    ran = subprocess.run(app, capture_output=True, text=True, check=True)
    *called, said = map(json.loads, ran.stdout.splitlines())
    assert called == [["set_timer", {"minutes": 5}], ["set_volume", {"level": 30}]]
    assert said.startswith("The timer is running.")


def test_a_second_request_is_heard_like_the_first(bundles: Bundles) -> None:
    """With results behind a call, behind a refusal, and where nobody told what came of a call."""
    said: list[list[Call]] = []
    told = [
        ("turn on the flashlight", lambda call: {"status": "done"}),
        ("vis meg biblioteket på kartet", lambda call: {"reason": "no permission", "status": "error"}),
        ("tell me a joke", None),
        ("timer for 5 minutes and volume to 30", None),
        ("Wi-Fiの設定を開いて", None),
    ]
    bundle = bundles(CHECKPOINT, text=edgekit.TextOptions(tools=EXAMPLE / "tools.json"))
    with open_chat(bundle) as chat:
        for prompt, results in told:
            said.append(list(converse(chat, prompt, results, lambda _: None)[0].calls))
    assert said == [
        [Call("turn_on_flashlight", {})],
        [Call("show_map", {"query": "biblioteket"})],
        [],
        [Call("set_timer", {"minutes": 5}), Call("set_volume", {"level": 30})],
        [Call("open_wifi_settings", {})],
    ]


@pytest.mark.nightly
def test_the_bundle_calls_as_the_reference_does_and_cannot_call_anything_else(
    bundles: Bundles, tmp_path: Path
) -> None:
    bundle = bundles.copy(
        tmp_path / "bundle", CHECKPOINT, text=edgekit.TextOptions(tools=EXAMPLE / "tools.json")
    )
    parity = edgekit.validate(
        bundle, CHECKPOINT, data=EXAMPLE / "test.jsonl", limit=None, max_tokens=128, checks=[task]
    )
    scored = parity.sections["task"]
    assert (scored.rows, scored.held) == (504, True)
    found = {metric.name: metric for metric in scored.metrics}
    assert found["can be read"].bundle.value == found["known names"].bundle.value == 1
    exact = found["exact calls"]
    assert exact.bundle.value >= exact.reference.value - 0.01
    assert exact.reference.value >= 0.95
