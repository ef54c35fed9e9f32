"""The demo model: its data, its tokenizers, its template and what it answers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import sentencepiece
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from tests.examples.scripts import load_script
from training.loop import answer_all
from training.phrases import LANGUAGES, split_frames, split_sentences, write_examples
from training.settings import read_settings

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "settings-navigator"
CHECKPOINT = EXAMPLE / "checkpoint"
SCHEMA = json.loads((EXAMPLE / "answer-schema.json").read_text("utf-8"))
CONTROL = ("<pad>", "<eos>", "<bos>", "<unk>")


def rows(split: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (EXAMPLE / f"{split}.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(CHECKPOINT, local_files_only=True)


@pytest.fixture(scope="module")
def pieces() -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(CHECKPOINT / "tokenizer.model"))


# ---- data ----------------------------------------------------------------------------------------


def test_generator_reproduces_the_committed_bytes(tmp_path: Path) -> None:
    train, evaluation = load_script(EXAMPLE / "dataset.py").generate()
    for name, generated in (("train.jsonl", train), ("eval.jsonl", evaluation)):
        write_examples(generated, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes()


def test_its_scripts_can_be_imported() -> None:
    assert callable(load_script(EXAMPLE / "dataset.py").generate)
    for name in ("build_tokenizer", "train"):
        assert callable(load_script(EXAMPLE / f"{name}.py").main)


def test_no_prompt_is_in_both_splits() -> None:
    def plain(row: dict[str, str]) -> str:
        return row["prompt"].lower().strip(".!?。… ")

    train, evaluation = [plain(r) for r in rows("train")], [plain(r) for r in rows("eval")]
    assert not set(train) & set(evaluation)
    assert len(set(evaluation)) == len(evaluation)


def test_held_out_frames_never_train_their_intent() -> None:
    for language in LANGUAGES:
        for intent in read_settings(language):
            frames, held_out_frames = split_frames(intent)
            assert frames and held_out_frames and not set(frames) & set(held_out_frames)
            seen, held_out = split_sentences(intent)
            trained = {sentence for sentences in seen for sentence in sentences}
            assert not trained & {sentence for sentences in held_out for sentence in sentences}


def test_every_language_knows_every_intent() -> None:
    answers = [[intent.answer for intent in read_settings(language)] for language in ("en", "nb", "ja")]
    assert sorted(answers[0]) == sorted(answers[1]) == sorted(answers[2])
    assert len(set(answers[0])) == len(answers[0])


@pytest.mark.parametrize("split", ["train", "eval"])
def test_answers_keep_to_the_schema(split: str) -> None:
    properties = SCHEMA["properties"]
    for row in rows(split):
        answer = json.loads(row["expected"])
        assert list(answer) == list(properties) == SCHEMA["required"]
        assert all(answer[key] in properties[key]["enum"] for key in properties)
        assert json.dumps(answer) == row["expected"]
        assert row["language"] in ("en", "nb", "ja")


def test_schema_lists_nothing_that_never_occurs() -> None:
    answers = [json.loads(row["expected"]) for row in rows("train")]
    for key, value in SCHEMA["properties"].items():
        assert {answer[key] for answer in answers} == set(value["enum"])


# ---- tokenizers ----------------------------------------------------------------------------------


def random_texts(count: int) -> list[str]:
    """Sentences, scraps of code, whitespace runs, controls, emoji, characters from all of Unicode."""
    rng = random.Random(11)
    prompts = [row["prompt"] for row in rows("eval")]
    scraps = [
        "😀",
        "👩‍👩‍👧",
        "  ",
        "     ",
        "\n\n",
        "\n\n\n\n\n",
        "\t\t",
        "\r\n",
        "<end_of_turn>",
        "<start_of_turn>user\n",
        "▁",
    ]
    scraps += [
        "for (i = 0; i < n; i++) {",
        "print('ø')",
        "blåbærsyltetøy",
        "設定を開く",
        "ﾊﾝｶｸ",
        "é",
        "\u0301",
        "the",
        "000",
        "<mask>",
    ]

    def anything() -> str:
        ranges = (
            (0, 0x80),
            (0x80, 0x600),
            (0x3000, 0x3100),
            (0x4E00, 0xA000),
            (0x1F300, 0x1FA00),
            (0xE000, 0x110000),
        )
        return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(rng.randrange(1, 30)))

    def shuffled() -> str:
        return "".join(rng.choice([rng.choice(prompts), rng.choice(scraps), anything()]) for _ in range(4))

    def letters() -> str:
        return "".join(rng.choice('  \n\taeinorstlø{}":,_.') for _ in range(rng.randrange(1, 60)))

    return [make() for _ in range(count // 3) for make in (anything, shuffled, letters)]


def test_both_tokenizers_say_the_same_ids(
    tokenizer: PreTrainedTokenizerBase, pieces: sentencepiece.SentencePieceProcessor
) -> None:
    texts = [row["prompt"] for row in rows("eval")] + [chr(i) for i in range(256)]
    texts += [f"a{chr(i)}b" for i in range(256)] + random_texts(1500)
    texts = [text for text in texts if not any(token in text for token in CONTROL)]
    assert len(texts) > 2000
    for text in texts:
        ids = pieces.encode(text)
        assert tokenizer.encode(text, add_special_tokens=False) == ids, repr(text)
        assert tokenizer.decode(ids) == pieces.decode(ids) == text.replace("▁", " "), repr(text)


def test_vocabulary_is_one_and_the_same(
    tokenizer: PreTrainedTokenizerBase, pieces: sentencepiece.SentencePieceProcessor
) -> None:
    assert len(tokenizer) == pieces.get_piece_size() == 2048
    assert [tokenizer.convert_ids_to_tokens(i) for i in range(2048)] == [
        pieces.id_to_piece(i) for i in range(2048)
    ]
    assert [pieces.id_to_piece(i) for i in range(4)] == list(CONTROL)
    assert pieces.is_control(0) and pieces.is_control(1) and pieces.is_control(2) and pieces.is_unknown(3)
    assert [i for i in range(2048) if pieces.is_byte(i)] == [
        pieces.piece_to_id(f"<0x{b:02X}>") for b in range(256)
    ]


def test_tokenizer_prepends_bos_only(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("turn off wifi").input_ids
    assert ids[0] == tokenizer.bos_token_id == 2
    assert ids[1:] == tokenizer.encode("turn off wifi", add_special_tokens=False)
    config = json.loads((CHECKPOINT / "tokenizer_config.json").read_text("utf-8"))
    assert (config["tokenizer_class"], config["add_bos_token"], config["add_eos_token"]) == (
        "GemmaTokenizer",
        True,
        False,
    )


# ---- chat template -------------------------------------------------------------------------------

CONVERSATION = [
    {"role": "system", "content": "Answer in JSON."},
    {"role": "user", "content": "  my screen is too dark\n"},
    {"role": "assistant", "content": '{"screen": "display"}'},
    {"role": "user", "content": "and louder"},
]
RENDERED = (
    "<bos><start_of_turn>user\nAnswer in JSON.\n\nmy screen is too dark<end_of_turn>\n"
    '<start_of_turn>model\n{"screen": "display"}<end_of_turn>\n'
    "<start_of_turn>user\nand louder<end_of_turn>\n"
)


def in_parts(messages: list[dict[str, str]]) -> list[dict[str, object]]:
    return [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in messages]


def test_template_renders_strings_and_parts_alike(tokenizer: PreTrainedTokenizerBase) -> None:
    for messages in (CONVERSATION, in_parts(CONVERSATION)):
        assert tokenizer.apply_chat_template(messages, tokenize=False) == RENDERED
        prompted = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert prompted == RENDERED + "<start_of_turn>model\n"
        assert tokenizer.apply_chat_template(messages[1:2], tokenize=False) == (
            "<bos><start_of_turn>user\nmy screen is too dark<end_of_turn>\n"
        )


def test_checkpoint_carries_the_template_of_the_folder() -> None:
    assert (CHECKPOINT / "chat_template.jinja").read_text("utf-8") == (
        EXAMPLE / "chat_template.jinja"
    ).read_text("utf-8")


# ---- checkpoint ----------------------------------------------------------------------------------


def test_checkpoint_is_small_bfloat16_gemma() -> None:
    weights = CHECKPOINT / "model.safetensors"
    assert weights.stat().st_size <= 6_000_000
    with safe_open(weights, framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.bfloat16}  # noqa: SIM118
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118
    config = json.loads((CHECKPOINT / "config.json").read_text("utf-8"))
    assert config["architectures"] == ["Gemma3ForCausalLM"]
    assert config["vocab_size"] == 2048
    assert config["layer_types"] == ["sliding_attention"] * 5 + ["full_attention"]
    generation = json.loads((CHECKPOINT / "generation_config.json").read_text("utf-8"))
    assert generation["eos_token_id"] == [1, 6]
    assert not generation.get("do_sample", False)


def test_shipped_folder_is_small() -> None:
    files = [p for p in EXAMPLE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in files) < 8_000_000


def test_reference_answers_the_held_out_phrasings(tokenizer: PreTrainedTokenizerBase) -> None:
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    evaluation = rows("eval")
    answers = answer_all(model, tokenizer, [row["prompt"] for row in evaluation])
    right = sum(answer == row["expected"] for answer, row in zip(answers, evaluation, strict=True))
    assert right / len(evaluation) >= 0.95
