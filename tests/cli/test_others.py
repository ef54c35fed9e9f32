"""`edgekit inspect` and `edgekit demo`: what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.bundle.container import SectionKind, read_container
from edgekit.bundle.inspect import inspect
from edgekit.demo import PROMPTS
from tests.cli.running import Cli


def test_inspect_shows_metadata_weights_and_parts(cli: Cli, bundle: Path) -> None:
    done = cli("inspect", bundle)
    assert (done.code, done.err) == (0, "")
    for words in (
        "the file is the one its manifest describes",
        "made from checkpoint with recipe int8",
        "SentencePiece, 2,048 pieces",
        "6 '<end_of_turn>', 1 '<eos>'",
        "4,096 tokens",
        "prefill",
        "int8 channel",
        "embedding",
        "TFLiteModel",
    ):
        assert words in done.out
    assert "TFLiteModel" not in cli("inspect", bundle, "--quiet").out


def test_inspect_prints_tokens_that_look_like_markup(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    """A stop token such as [/INST] is text, not the end of a style."""
    from tests.fixtures.checkpoints import copy_demo_checkpoint, edit_json

    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    tokenizer = (checkpoint / "tokenizer.json").read_text().replace("<eos>", "[/INST]")
    (checkpoint / "tokenizer.json").write_text(tokenizer)
    edit_json(checkpoint / "tokenizer_config.json", eos_token="[/INST]")
    converted = cli("convert", checkpoint, "-o", tmp_path / "b", "--no-check")
    assert converted.code == 0, converted.err
    done = cli("inspect", tmp_path / "b")
    assert done.code == 0, done.err
    assert "'[/INST]'" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "a message continues the conversation"),
        (("--turns", "one"), "each message begins a new conversation"),
        (("--answer-regex", "a|b"), "each message begins a new conversation"),
        (("--answer-regex", "a|b", "--turns", "many"), "a message continues the conversation"),
    ],
)
def test_inspect_tells_what_becomes_of_earlier_turns(
    cli: Cli, tmp_path: Path, demo_path: Path, options: tuple[str, ...], said: str
) -> None:
    converted = cli("convert", demo_path, "-o", tmp_path / "b", "--no-check", *options)
    assert converted.code == 0, converted.err
    turns = next(line for line in cli("inspect", tmp_path / "b").out.splitlines() if line.startswith("turns"))
    assert turns.split(maxsplit=1)[1].strip() == said


def test_inspect_as_json(cli: Cli, bundle: Path) -> None:
    done = cli("inspect", bundle, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == json.loads(json.dumps(inspect(bundle).to_json()))
    assert done.json["size"] == (bundle / "checkpoint.litertlm").stat().st_size


def test_inspect_tells_when_the_file_was_changed(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    cli("convert", demo_path, "-o", tmp_path / "b", "--no-check")
    path = tmp_path / "b" / "checkpoint.litertlm"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "THE FILE IS NOT ITS MANIFEST'S" in cli("inspect", path.parent).out


@pytest.mark.slow
def test_inspect_reads_what_the_stock_builder_wrote(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    """Our own sections, packed again by Google's builder: the same model, and another container."""
    import litert_lm_builder as stock

    source = bundle / "checkpoint.litertlm"
    content = source.read_bytes()
    builder = stock.LitertLmFileBuilder()
    suffixes = {SectionKind.LLM_METADATA: "pb", SectionKind.SP_TOKENIZER: "model"}
    for section in read_container(source).sections:
        path = tmp_path / f"section.{suffixes.get(section.kind, 'tflite')}"
        path.write_bytes(content[section.begin : section.end])
        if section.kind == SectionKind.LLM_METADATA:
            builder.add_llm_metadata(str(path))
        elif section.kind == SectionKind.SP_TOKENIZER:
            builder.add_sentencepiece_tokenizer(str(path))
        else:
            builder.add_tflite_model(str(path), stock.TfLiteModelType.PREFILL_DECODE)
    with (tmp_path / "stock.litertlm").open("wb") as file:
        builder.build(file)
    done = cli("inspect", tmp_path / "stock.litertlm")
    assert done.code == 0, done.err
    for words in ("6 '<end_of_turn>', 1 '<eos>'", "SentencePiece, 2,048 pieces", "int8 channel"):
        assert words in done.out
    assert "manifest" not in done.out
    # and the engine answers from it
    answered = cli("chat", tmp_path / "stock.litertlm", "-p", "turn off wifi please", "--quiet")
    assert json.loads(answered.out)["setting"] == "wifi"


@pytest.mark.parametrize(
    ("name", "words"), [("absent", "No such file"), ("notes.txt", "not a .litertlm file")]
)
def test_inspect_of_something_else(cli: Cli, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    done = cli("inspect", tmp_path / name)
    assert (done.code, done.out) == (2, "")
    assert str(tmp_path / name) in done.err
    assert words in done.err


@pytest.mark.slow
def test_the_demo_converts_and_answers(cli: Cli, tmp_path: Path) -> None:
    done = cli("demo", "-o", tmp_path / "d")
    assert done.code == 0, done.err
    for prompt in PROMPTS:
        line = next(line for line in done.out.splitlines() if line.startswith(prompt))
        assert '{"screen": "' in line
    again = cli("demo", "-o", tmp_path / "d", "--recipe", "int4", "--json")  # replaces its bundle
    assert (again.code, again.err) == (0, "")
    assert list(again.json["answers"]) == list(PROMPTS)
    assert again.json["convert"]["manifest"]["recipe"]["name"] == "int4"


def test_the_demo_replaces_nothing_else(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert cli("demo", "-o", tmp_path).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
