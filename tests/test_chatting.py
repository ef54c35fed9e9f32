"""Opening a bundle for a conversation, the way its manifest says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgekit.chatting import open_chat
from edgekit.conversion import convert
from edgekit.errors import BundleError, InputError

LABELS = "(dim|bright)"
QUESTION = "my screen is too dark"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    target = tmp_path_factory.mktemp("labels") / "bundle"
    return convert(demo_path, target, answer_regex=LABELS, check=False).bundle


def said(bundle: Path, question: str = QUESTION, **options: object) -> str:
    with open_chat(bundle, **options) as chat:  # type: ignore[arg-type]
        return chat.send(question).text


def test_answers_are_held_to_the_manifests_format(bundle: Path) -> None:
    assert said(bundle) in ("dim", "bright")
    assert said(bundle / "checkpoint.litertlm") in ("dim", "bright")  # the manifest lies beside it


def test_unless_told_otherwise(bundle: Path) -> None:
    assert json.loads(said(bundle, constrained=False)).keys() == {"screen", "setting", "action"}


def test_a_file_without_its_manifest_answers_freely(bundle: Path, tmp_path: Path) -> None:
    shutil.copy(bundle / "checkpoint.litertlm", tmp_path / "downloaded.litertlm")
    assert said(tmp_path / "downloaded.litertlm").startswith("{")


def test_one_conversation_goes_on_over_its_turns(bundle: Path) -> None:
    with open_chat(bundle) as chat:
        first = chat.send(QUESTION)
        before = chat.token_count
        second = chat.send("and now?")
    assert before == first.stats.prompt_tokens + first.stats.generated_tokens
    assert second.stats.prompt_tokens > 0


def test_a_system_message_comes_first(bundle: Path) -> None:
    with open_chat(bundle, system="Answer with one word.") as chat:
        with_system = chat.send(QUESTION).stats.prompt_tokens
    with open_chat(bundle) as chat:
        assert chat.send(QUESTION).stats.prompt_tokens < with_system


def test_sampler_seed_and_length_are_the_callers(bundle: Path) -> None:
    options = {"constrained": False, "sampler": "temperature=3,top_k=64,top_p=1", "max_tokens": 12}
    assert said(bundle, seed=1, **options) == said(bundle, seed=1, **options)
    assert len({said(bundle, seed=seed, **options) for seed in range(4)}) > 1
    with open_chat(bundle, max_tokens=2, constrained=False) as chat:
        assert chat.send(QUESTION).stop_reason == "length"


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
