"""The demo adapters: their data, what PEFT saved, and what they answer on the demo checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from edgekit.checkpoint.lora.config import base_source, read_adapter_config
from edgekit.examples import sentiment, settings_navigator, support_triage
from edgekit.packaging.presets import read_presets
from tests.examples.scripts import load_script
from training.loop import answer_all
from training.phrases import (
    LANGUAGES,
    Intent,
    bare,
    read_examples,
    split_frames,
    split_sentences,
    write_examples,
)

pytestmark = pytest.mark.slow

CHECKPOINT = settings_navigator() / "checkpoint"
ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
MLP = {"gate_proj", "up_proj", "down_proj"}


@dataclass(frozen=True)
class Demo:
    """A demo adapter and what it is meant to be. floor: the exact match that it must reach, in percent."""

    folder: Path
    rank: int
    alpha: int
    targets: set[str]
    floor: int

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def schema(self) -> dict[str, object]:
        schema: dict[str, object] = json.loads((self.folder / "answer-schema.json").read_text("utf-8"))
        return schema


DEMOS = (
    Demo(sentiment(), rank=8, alpha=16, targets=ATTENTION, floor=90),
    Demo(support_triage(), rank=16, alpha=32, targets=ATTENTION | MLP, floor=92),
)


@pytest.fixture(params=DEMOS, ids=[demo.folder.name for demo in DEMOS])
def demo(request: pytest.FixtureRequest) -> Demo:
    found: Demo = request.param
    return found


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(CHECKPOINT, local_files_only=True)


# ---- data ----------------------------------------------------------------------------------------


def test_generator_reproduces_the_committed_bytes(demo: Demo, tmp_path: Path) -> None:
    train, evaluation = load_script(demo.folder / "dataset.py").generate()
    for name, generated in (("train.jsonl", train), ("eval.jsonl", evaluation)):
        write_examples(generated, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (demo.folder / name).read_bytes()


def test_no_prompt_is_in_both_splits(demo: Demo) -> None:
    train = {bare(example.prompt) for example in read_examples(demo.folder / "train.jsonl")}
    evaluation = [bare(example.prompt) for example in read_examples(demo.folder / "eval.jsonl")]
    assert not train & set(evaluation)
    assert len(set(evaluation)) == len(evaluation)


def test_later_epochs_keep_away_from_eval_as_well(demo: Demo) -> None:
    evaluation = {bare(example.prompt) for example in read_examples(demo.folder / "eval.jsonl")}
    drawn = load_script(demo.folder / "dataset.py").draw_train(set(evaluation), seed=1)
    assert {example.prompt for example in drawn} != {
        example.prompt for example in read_examples(demo.folder / "train.jsonl")
    }
    assert not {bare(example.prompt) for example in drawn} & evaluation


@pytest.mark.parametrize("split", ["train", "eval"])
def test_answers_keep_to_the_schema(demo: Demo, split: str) -> None:
    checker = jsonschema.Draft202012Validator(demo.schema)
    for example in read_examples(demo.folder / f"{split}.jsonl"):
        answer = json.loads(example.expected)
        checker.validate(answer)
        assert list(answer) == demo.schema["required"]
        assert json.dumps(answer) == example.expected


@pytest.mark.parametrize("split", ["train", "eval"])
def test_every_language_has_every_answer_equally_often(demo: Demo, split: str) -> None:
    examples = read_examples(demo.folder / f"{split}.jsonl")
    assert len(examples) % len(LANGUAGES) == 0
    expected = [sorted(e.expected for e in examples if e.language == language) for language in LANGUAGES]
    assert expected[0] == expected[1] == expected[2]


def test_schema_lists_nothing_that_never_occurs(demo: Demo) -> None:
    answers = [json.loads(e.expected) for e in read_examples(demo.folder / "eval.jsonl")]
    properties = demo.schema["properties"]
    assert isinstance(properties, dict)
    for key, value in properties.items():
        assert {answer[key] for answer in answers} == set(value["enum"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_frames_never_train_their_sentiment(language: str) -> None:
    for intent in load_script(sentiment() / "dataset.py").read_grammar(language):
        assert_split(intent)


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_wordings_never_train_their_urgency(language: str) -> None:
    for intent in load_script(support_triage() / "dataset.py").read_urgencies(language).values():
        assert_split(intent)


def assert_split(intent: Intent) -> None:
    """No frame and no sentence is in both splits, and neither is empty."""
    frames, held_out_frames = split_frames(intent)
    assert frames and not set(frames) & set(held_out_frames)
    assert len(held_out_frames) == intent.held_out_own + intent.held_out_shared
    seen, held_out = split_sentences(intent)
    assert seen and held_out
    trained = {sentence for sentences in seen for sentence in sentences}
    assert not trained & {sentence for sentences in held_out for sentence in sentences}


@pytest.mark.parametrize("language", LANGUAGES)
def test_praise_and_complaint_hold_out_the_same_frames(language: str) -> None:
    praise, complaint, _ = load_script(sentiment() / "dataset.py").read_grammar(language)
    held_out = [
        {intent.shared.index(frame) for frame in split_frames(intent)[1] if frame in intent.shared}
        for intent in (praise, complaint)
    ]
    assert held_out[0] == held_out[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_team_has_requests_for_train_and_for_eval(language: str) -> None:
    dataset = load_script(support_triage() / "dataset.py")
    for split in ("train", "eval"):
        asks = dataset.asks_of_teams(language, split)
        assert set(asks) == set(dataset.TEAMS)
        assert all(len(frames) > 3 for frames in asks.values())


def test_presets_show_prompts_of_every_language(demo: Demo) -> None:
    presets = read_presets(demo.folder / "edgekit.toml")
    assert presets.title and presets.description
    assert len(presets.examples) == 8
    properties = demo.schema["properties"]
    assert isinstance(properties, dict)
    for action in presets.actions:
        assert all(text in properties[key]["enum"] for key, text in action.when.items())


# ---- adapter -------------------------------------------------------------------------------------


def test_adapter_is_the_lora_that_its_readme_tells(demo: Demo) -> None:
    config = read_adapter_config(demo.adapter)
    assert (config.rank, config.alpha, config.use_rslora) == (demo.rank, demo.alpha, False)
    with safe_open(demo.adapter / "adapter_model.safetensors", framework="pt") as file:
        names = list(file.keys())
        assert {file.get_tensor(name).dtype for name in names} == {torch.bfloat16}
    assert {name.split(".")[-3] for name in names} == demo.targets
    assert len(names) == 2 * 6 * len(demo.targets)  # A and B in each of six layers


def test_adapter_finds_its_base_wherever_the_examples_lie(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_adapter_config(demo.adapter)
    assert config.base_model == "../../settings-navigator/checkpoint"
    assert Path(base_source(config)).resolve() == CHECKPOINT.resolve()


def test_shipped_adapters_are_small() -> None:
    sizes = [path.stat().st_size for demo in DEMOS for path in demo.adapter.iterdir()]
    assert sum(sizes) < 1_500_000


def test_adapter_answers_the_held_out_phrasings(demo: Demo, tokenizer: PreTrainedTokenizerBase) -> None:
    examples = read_examples(demo.folder / "eval.jsonl")
    base = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, demo.adapter)
    answers = answer_all(adapted, tokenizer, [example.prompt for example in examples])
    right = sum(answer == example.expected for answer, example in zip(answers, examples, strict=True))
    assert 100 * right / len(examples) >= demo.floor
