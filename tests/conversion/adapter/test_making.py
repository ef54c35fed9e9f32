"""`edgekit.adapter`: a trained adapter becomes a directory that its base's engine applies."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.bundle.adapter.manifest import read_adapter_manifest
from edgekit.bundle.opening import open_bundle
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, TextOptions, Trim
from edgekit.errors import AdapterError, BundleError, InputError
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import edit_json, peft_adapter

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SENTIMENT = Path(__file__).parents[3] / "examples" / "sentiment"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A copy of the sentiment adapter as PEFT saved it, to be changed."""
    return shutil.copytree(SENTIMENT / "adapter", tmp_path / "trained")


def test_makes_a_directory_of_its_own_that_the_engine_applies(
    tmp_path: Path, adapter_ready_bundle: Path
) -> None:
    result = adapter(
        SENTIMENT / "adapter",
        adapter_ready_bundle,
        tmp_path / "out",
        name="sentiment",
        system_prompt="Be brief.",
        text=TextOptions(
            sampler="greedy",
            answer_schema=SENTIMENT / "answer-schema.json",
            examples=["the new icons are lovely", "the new icons are lovely"],
        ),
    )
    assert sorted(path.name for path in result.directory.iterdir()) == [
        "NOTICE",
        "adapter.json",
        "sentiment.lora.tflite",
    ]
    manifest = read_adapter_manifest(result.directory)
    assert manifest == result.manifest
    base = open_bundle(adapter_ready_bundle)
    assert base.manifest is not None
    assert manifest.base.model_sha256 == base.manifest.model.sha256
    assert manifest.base.name == "settings-navigator"
    assert manifest.system_prompt == "Be brief."
    assert manifest.examples == ("the new icons are lovely",)
    assert manifest.stop_tokens == base.manifest.stop_tokens
    assert manifest.chat_template is None
    with ask(base.model_path) as session:
        with session.talk(Decoding(sidecar=result.sidecar)) as chat:
            adapted = chat.say("the new icons are lovely").text
        with session.talk() as chat:
            plain = chat.say("the new icons are lovely").text
    assert set(json.loads(adapted)) == {"sentiment"}
    assert set(json.loads(plain)) == {"screen", "setting", "action"}


def test_the_same_adapter_gives_the_same_bytes(tmp_path: Path, adapter_ready_bundle: Path) -> None:
    first, second = (
        adapter(SENTIMENT / "adapter", adapter_ready_bundle, tmp_path / name, name="a", check=False)
        for name in ("first", "second")
    )
    for name in ("adapter.json", "a.lora.tflite"):
        assert (first.directory / name).read_bytes() == (second.directory / name).read_bytes()


def test_a_name_of_its_own_comes_from_the_directory(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    result = adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False)
    assert result.sidecar.name == "trained.lora.tflite"


def test_what_is_there_is_kept_unless_forced_and_presets_beside_it_stay(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    out = adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False).directory
    (out / "edgekit.toml").write_text('title = "Mine"\n', encoding="utf-8")
    with pytest.raises(BundleError, match="there is a bundle already"):
        adapter(trained, adapter_ready_bundle, out, check=False)
    adapter(trained, adapter_ready_bundle, out, name="other", check=False, force=True)
    assert sorted(path.name for path in out.iterdir()) == [
        "NOTICE",
        "adapter.json",
        "edgekit.toml",
        "other.lora.tflite",
    ]


def test_a_base_bundle_is_never_replaced_by_an_adapter(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    base = shutil.copytree(adapter_ready_bundle, tmp_path / "base")
    with pytest.raises(BundleError, match="another kind of bundle"):
        adapter(trained, adapter_ready_bundle, base, force=True, check=False)
    assert open_bundle(base).manifest is not None


def test_a_whole_model_is_no_adapter(tmp_path: Path, adapter_ready_bundle: Path, demo_path: Path) -> None:
    with refused("no LoRA adapter", "edgekit convert", kind=AdapterError):
        adapter(demo_path, adapter_ready_bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_plain_bundle_is_no_base(tmp_path: Path, demo_path: Path, trained: Path) -> None:
    plain = convert(demo_path, tmp_path / "plain", check=False).bundle
    with refused("takes no adapters", "--adapters 16", kind=AdapterError):
        adapter(trained, plain, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_answer_format_that_the_engine_cannot_take_leaves_nothing(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"a": {"type": "string", "format": "no-such"}}}')
    with pytest.raises(InputError, match="cannot take"):
        adapter(trained, adapter_ready_bundle, tmp_path / "out", text=TextOptions(answer_schema=schema))
    assert not (tmp_path / "out").exists()


def test_a_reduced_rank_is_told_in_manifest_and_notes(
    tmp_path: Path, demo_path: Path, adapter_ready_bundle: Path
) -> None:
    peft_adapter(tmp_path / "wide", demo_path, r=24, target_modules=["q_proj"])
    result = adapter(tmp_path / "wide", adapter_ready_bundle, tmp_path / "out", reduce_rank=True, check=False)
    error = result.manifest.source.reduction_error
    assert error is not None and 0 < error < 1
    assert any(f"{error:.1%}" in note for note in result.manifest.notes)


def test_the_sampler_is_the_adapter_s_then_the_base_s(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    assert (
        adapter(trained, adapter_ready_bundle, tmp_path / "1", check=False).manifest.sampler.kind == "greedy"
    )
    config = {"do_sample": True, "temperature": 0.5, "top_k": 10, "top_p": 0.9}
    (trained / "generation_config.json").write_text(json.dumps(config))
    sampler = adapter(trained, adapter_ready_bundle, tmp_path / "2", check=False).manifest.sampler
    assert (sampler.kind, sampler.temperature, sampler.top_k, sampler.top_p) == ("top_p", 0.5, 10, 0.9)
    given = adapter(
        trained, adapter_ready_bundle, tmp_path / "3", text=TextOptions(sampler="greedy"), check=False
    )
    assert given.manifest.sampler.kind == "greedy"


def test_a_stop_token_that_the_base_does_not_know_is_refused(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    (trained / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 77]}))
    with refused("77", "does not stop", kind=AdapterError):
        adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False)


def test_stop_tokens_are_found_under_their_new_ids_in_a_trimmed_base(
    tmp_path: Path, demo_path: Path, trained: Path
) -> None:
    base = convert(
        demo_path,
        tmp_path / "trimmed",
        graph=GraphOptions(adapters="16"),
        trim=Trim(texts=[demo_path.parent / "train.jsonl"], keep=2000),
        check=False,
    )
    assert base.manifest.vocabulary is not None
    old = {
        base.manifest.vocabulary.old_ids[number] for stop in base.manifest.stop_tokens for number in stop.ids
    }
    (trained / "generation_config.json").write_text(json.dumps({"eos_token_id": sorted(old)}))
    result = adapter(trained, base.bundle, tmp_path / "out")
    assert result.manifest.stop_tokens == base.manifest.stop_tokens


def test_tokens_of_its_own_are_refused_by_name(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path
) -> None:
    (trained / "added_tokens.json").write_text(json.dumps({"<tool>": 2048}))
    with refused("<tool>", "merged", kind=AdapterError):
        adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False)


def test_a_template_that_renders_the_same_is_not_carried(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path, demo_path: Path
) -> None:
    template = (demo_path / "chat_template.jinja").read_text(encoding="utf-8")
    (trained / "chat_template.jinja").write_text("{# another text #}" + template, encoding="utf-8")
    shutil.copy(demo_path / "tokenizer_config.json", trained)
    result = adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False)
    assert result.manifest.chat_template is None


def test_a_template_that_renders_otherwise_travels_and_is_used(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path, demo_path: Path
) -> None:
    template = (demo_path / "chat_template.jinja").read_text(encoding="utf-8")
    changed = template.replace("<start_of_turn>", "<start_of_turn>dear ", 1)
    assert changed != template
    (trained / "chat_template.jinja").write_text(changed, encoding="utf-8")
    shutil.copy(demo_path / "tokenizer_config.json", trained)
    result = adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False)
    assert result.manifest.chat_template is not None
    assert any("chat template" in note for note in result.manifest.notes)
    with ask(open_bundle(adapter_ready_bundle).model_path) as session:
        rendered = session.prompt(
            [{"role": "user", "content": "Hi"}], Decoding(chat_template=result.manifest.chat_template)
        ).text
    assert "<start_of_turn>dear" in rendered


def test_how_many_turns_it_was_trained_on_is_said_of_each_adapter(
    tmp_path: Path, adapter_ready_bundle: Path, trained: Path, demo_path: Path
) -> None:
    base = open_bundle(adapter_ready_bundle).manifest
    assert base is not None and base.one_turn  # its answers have a format
    for turns in (None, "one", "many"):
        text = TextOptions(turns=turns, answer_regex="(a|b)")  # type: ignore[arg-type]
        made = adapter(trained, adapter_ready_bundle, tmp_path / "a", text=text, force=True, check=False)
        assert (made.manifest.turns, made.manifest.one_turn_on(base)) == (turns, turns != "many")
    free = adapter(trained, adapter_ready_bundle, tmp_path / "b", check=False).manifest
    assert not free.one_turn_on(base)
    assert free.one_turn_on(replace(base, turns="one"))
    template = (demo_path / "chat_template.jinja").read_text(encoding="utf-8")
    counted = "{{ messages | length }}" + template
    (trained / "chat_template.jinja").write_text(counted, encoding="utf-8")
    shutil.copy(demo_path / "tokenizer_config.json", trained)
    with pytest.raises(InputError, match="changes earlier turns"):
        adapter(trained, adapter_ready_bundle, tmp_path / "c", text=TextOptions(turns="many"), check=False)


def test_an_empty_system_prompt_is_a_slip(tmp_path: Path, adapter_ready_bundle: Path, trained: Path) -> None:
    with pytest.raises(InputError, match="system prompt is empty"):
        adapter(trained, adapter_ready_bundle, tmp_path / "out", system_prompt="  ")


def test_a_damaged_adapter_config_is_named(tmp_path: Path, adapter_ready_bundle: Path, trained: Path) -> None:
    edit_json(trained / "adapter_config.json", r="sixteen")
    with pytest.raises(InputError, match='"r" is'):
        adapter(trained, adapter_ready_bundle, tmp_path / "out", check=False)
