"""Trimmed bundles of the demo, in the real engine: they answer as the whole ones do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.container import read_container
from edgekit.bundle.inspect import inspect
from edgekit.bundle.manifest import read_manifest
from edgekit.bundle.stored import model_bytes, stored_weights
from edgekit.checkpoint import open_checkpoint
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, TextOptions, Trim
from edgekit.errors import InputError
from edgekit.runtime.ask.questions import Questions, Refusal, ask_engine
from edgekit.runtime.ask.session import ask
from edgekit.runtime.chat import open_chat
from edgekit.scoring.scorer import EMBEDDING
from edgekit.text.settle import read_text
from edgekit.text.vocabulary import read_vocabulary
from tests.conftest import EXAMPLE
from tests.fixtures.checkpoints import copy_demo_checkpoint, peft_adapter
from tests.fixtures.tokenizers import only_json, only_model

pytestmark = pytest.mark.slow

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Every third row of the demo's 450 evaluation rows: 50 of each language."""
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[::3]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tenth of the training data, 600 rows of all languages: a task that has not met every piece."""
    lines = (EXAMPLE / "train.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("corpus") / "train.jsonl"
    path.write_text("\n".join(lines[::10]), encoding="utf-8")
    return path


def trimmed(demo: Path, corpus: Path, output: Path, recipe: str, keep: int = 1800) -> Path:
    return convert(
        demo,
        output,
        recipe=recipe,
        text=TextOptions(sampler="greedy"),
        trim=Trim(texts=[corpus], keep=keep),
        check=False,
    ).bundle


def answers(bundle: Path, rows: Sequence[Row]) -> list[str]:
    """The greedy answers of the engine."""
    prompts = tuple(({"role": "user", "content": row["prompt"]},) for row in rows)
    questions = Questions((), (), prompts, max_tokens=64)
    voice = ask_engine(bundle / read_manifest(bundle).model.file, questions, name="bundle")
    assert not isinstance(voice, Refusal)
    return [answer.text for answer in voice.answers]


def exact_match(said: Sequence[str], rows: Sequence[Row]) -> float:
    return sum(a.strip() == row["expected"] for a, row in zip(said, rows, strict=True)) / len(rows)


@pytest.fixture(scope="module")
def whole_answers(demo_path: Path, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    bundle = convert(demo_path, tmp_path_factory.mktemp("f") / "float", recipe="float32", check=False).bundle
    return answers(bundle, rows)


def test_where_no_removed_token_is_in_the_way_float_answers_are_identical(
    demo_path: Path, corpus: Path, rows: list[Row], whole_answers: list[str], tmp_path: Path
) -> None:
    bundle = trimmed(demo_path, corpus, tmp_path / "b", "float32")
    use = read_manifest(bundle).vocabulary
    assert use is not None
    kept = set(use.old_ids)
    tokenizer = read_text(demo_path, rows=2048).tokenizer
    said = answers(bundle, rows)
    free = [
        place
        for place, row in enumerate(rows)
        if set(tokenizer.encode(row["prompt"])) | set(tokenizer.encode(whole_answers[place])) <= kept
    ]
    assert len(free) > 100
    assert [said[place] for place in free] == [whole_answers[place] for place in free]


def test_int8_keeps_the_task_within_a_point(
    demo_path: Path, rows: list[Row], whole_answers: list[str], tmp_path: Path
) -> None:
    """Trimmed by all of its training data: a tenth of it leaves out pieces that the task needs elsewhere."""
    said = answers(trimmed(demo_path, EXAMPLE / "train.jsonl", tmp_path / "b", "int8", 2000), rows)
    assert exact_match(said, rows) >= exact_match(whole_answers, rows) - 0.01


@pytest.mark.parametrize("recipe", ["float32", "int8", "int4", "int4-head", "int4-all"])
def test_every_recipe_runs_in_the_engine(demo_path: Path, corpus: Path, tmp_path: Path, recipe: str) -> None:
    keep = 1801  # an odd number of rows: 4-bit codes of a row need not end at a byte's end
    bundle = trimmed(demo_path, corpus, tmp_path / "b", recipe, keep)
    with open_chat(bundle) as chat:
        assert json.loads(chat.say("my screen is too dark").text)["screen"] == "display"


def test_static_graphs_are_trimmed_too(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    bundle = convert(
        demo_path,
        tmp_path / "b",
        graph=GraphOptions(form="static", kv_length=1024),
        trim=Trim(texts=[corpus], keep=1800),
    ).bundle
    with open_chat(bundle) as chat:
        assert json.loads(chat.say("turn off wifi please").text)["screen"] == "network"


@pytest.mark.parametrize("variant", [only_json, only_model])
def test_either_tokenizer_file_will_do(corpus: Path, tmp_path: Path, variant: object) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    variant(checkpoint)  # type: ignore[operator]
    bundle = trimmed(checkpoint, corpus, tmp_path / "b", "int8")
    with open_chat(bundle) as chat:
        assert json.loads(chat.say("my screen is too dark").text)["setting"] == "brightness"


def test_an_adapter_is_merged_and_trimmed(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    peft_adapter(adapter, demo_path, target_modules=["q_proj", "embed_tokens"], r=2, ensure_weight_tying=True)
    bundle = trimmed(adapter, corpus, tmp_path / "b", "float32")
    manifest = read_manifest(bundle)
    assert manifest.vocabulary is not None
    merged = open_checkpoint(adapter).tensors
    stored = stored_weights(model_bytes(read_container(bundle / manifest.model.file)))
    whole = merged[EMBEDDING].read()
    assert not np.array_equal(whole, open_checkpoint(demo_path).tensors[EMBEDDING].read())
    np.testing.assert_array_equal(
        stored[EMBEDDING].read(slice(0, 1800)), whole[list(manifest.vocabulary.old_ids)]
    )
    query = "model.layers.0.self_attn.q_proj.weight"
    np.testing.assert_array_equal(stored[query].read(slice(None)), merged[query].read())
    with open_chat(bundle) as chat:
        chat.say("my screen is too dark")


def test_the_engine_cuts_the_corpus_as_the_checkpoint_does(
    demo_path: Path, corpus: Path, tmp_path: Path
) -> None:
    bundle = trimmed(demo_path, corpus, tmp_path / "b", "int8")
    manifest = read_manifest(bundle)
    assert manifest.vocabulary is not None
    old_ids = manifest.vocabulary.old_ids
    tokenizer = read_text(demo_path, rows=2048).tokenizer
    vocabulary = read_vocabulary(demo_path, rows=2048)
    with ask(bundle / manifest.model.file) as session:
        ascii_bytes = [vocabulary.ids[f"<0x{value:02X}>"] for value in range(128)]
        assert [old_ids[number] for number in session.opened.suppressed[-128:]] == ascii_bytes
        for line in corpus.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for text in (row["prompt"], row["expected"]):
                ids = session.ids(text)
                assert [old_ids[number] for number in ids] == tokenizer.encode(text)


def test_answers_stay_within_a_schema(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    schema = EXAMPLE / "answer-schema.json"
    bundle = convert(
        demo_path,
        tmp_path / "b",
        text=TextOptions(answer_schema=schema),
        trim=Trim(texts=[corpus], keep=1800),
    ).bundle
    with open_chat(bundle) as chat:
        assert json.loads(chat.say("zzz ∑ 🙂 qqq").text).keys() == {"screen", "setting", "action"}


def test_the_manifest_tells_what_is_left(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    bundle = convert(
        demo_path, tmp_path / "b", trim=Trim(texts=[corpus], keep=1800, languages=["en"]), check=False
    ).bundle
    manifest = read_manifest(bundle)
    use = manifest.vocabulary
    assert use is not None
    assert (use.rows, use.corpora, use.languages) == (2048, ("train.jsonl",), ("en",))
    assert len(use.old_ids) == manifest.architecture.vocab_size == 1800
    was = [use.old_ids[token.ids[0]] for token in manifest.stop_tokens]
    assert was == list(read_text(demo_path, rows=2048).stop_ids)
    assert [token.text for token in manifest.stop_tokens] == ["<end_of_turn>", "<eos>"]


def test_inspect_tells_what_was_saved(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    whole = inspect(convert(demo_path, tmp_path / "w", recipe="float32", check=False).bundle)
    found = inspect(trimmed(demo_path, corpus, tmp_path / "b", "float32"))
    assert whole.trimmed_bytes is None
    assert found.trimmed_bytes == whole.parts["embedding"] - found.parts["embedding"]
    assert found.to_json()["trimmed_bytes"] == found.trimmed_bytes
    assert whole.size - found.size == pytest.approx(found.trimmed_bytes, rel=0.05)


def test_the_same_task_gives_the_same_bytes(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    first, second = (trimmed(demo_path, corpus, tmp_path / name, "int8") for name in ("a", "b"))
    assert read_manifest(first) == read_manifest(second)


def test_what_does_not_fit_leaves_nothing_behind(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="would not survive"):
        trimmed(demo_path, corpus, tmp_path / "b", "int8", keep=400)
    assert not (tmp_path / "b").exists()


def test_a_bare_graph_is_not_trimmed(demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    """Its tokenizer would be lost, and the checkpoint's own has other ids."""
    with pytest.raises(InputError, match="a bare graph has no tokenizer"):
        convert(
            demo_path,
            tmp_path / "b",
            file_format="tflite",
            trim=Trim(texts=[corpus], keep=1800),
        )
    assert not (tmp_path / "b").exists()
