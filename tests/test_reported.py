"""Sound fine-tunes of which people report that tools refuse or spoil them: rebuilt from the demo, converted, talked to.

The harm held off: a refusal with an untrue reason, and answers that differ from the fine-tune's without a word.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 (bfloat16 for safetensors)
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import edgekit
from edgekit.bundle.manifest import read_manifest
from edgekit.checkpoint.open import open_checkpoint
from edgekit.errors import CheckpointError, InputError
from edgekit.runtime.chat import open_chat
from edgekit.text.settle import read_text
from tests.fixtures.checkpoints import DEMO_CHECKPOINT

pytestmark = pytest.mark.slow


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO_CHECKPOINT, tmp_path / "c"))


def key(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def turns(
    checkpoint: Path,
    body: str = "{{ m['content'] | trim }}",
    before: str = "",
    role: str = "{{ 'model' if m['role'] == 'assistant' else m['role'] }}",
) -> None:
    (checkpoint / "chat_template.jinja").write_text(
        "{{ bos_token }}" + before + "{% for m in messages %}<start_of_turn>" + role + "\n" + body
        + "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    )  # fmt: skip


def notes(checkpoint: Path) -> str:
    opened = open_checkpoint(checkpoint)
    text = read_text(checkpoint, rows=opened.architecture.vocab_size)
    return "\n".join((*opened.notes, *text.notes))


def prompts_in_the_engine(bundle: Path, *messages: str) -> list[str]:
    with open_chat(bundle, max_tokens=4) as chat:
        return [chat.say(message).text for message in messages]


@pytest.mark.parametrize("name", ["tools", "documents"])
@pytest.mark.parametrize(
    ("guard", "written"),
    [
        ("{% if X is not none and X | length > 0 %}T{% endif %}", ""),
        ("{% if X is defined %}T{% endif %}", "T"),
        ("{% if X == none %}T{% endif %}", "T"),
        ("{% if X is none %}T{% endif %}", "T"),
        ("{% if not X %}T{% endif %}", "T"),
        ("{% if X is defined and X is not none %}T{% endif %}", ""),
        ("{{ X | default('d', true) }}", "d"),
    ],
)
def test_guards_on_what_the_engine_leaves_undefined(
    tmp_path: Path, checkpoint: Path, name: str, guard: str, written: str
) -> None:
    from edgekit.runtime.ask.session import ask

    turns(checkpoint, before=guard.replace("X", name))
    made = edgekit.convert(checkpoint, tmp_path / "b", check=False)
    with ask(next(made.bundle.glob("*.litertlm"))) as session:
        rendered = session.prompt([{"role": "user", "content": "hi"}]).text
    assert rendered == f"{written}<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n"


HISTORIES = {
    "counts": {"before": "Turns: {{ messages | length }}\n"},
    "thinks last": {
        "before": "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m['role'] == 'user' %}"
        "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}",
        "body": "{% if m['role'] == 'assistant' and loop.index0 > ns.last %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m['content'] | trim }}",
    },
    "only the last": {
        "body": "{% if loop.last or m['role'] == 'assistant' %}{{ m['content'] | trim }}{% endif %}"
    },
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_template_that_changes_earlier_turns_holds_one(tmp_path: Path, checkpoint: Path, name: str) -> None:
    turns(checkpoint, **HISTORIES[name])
    made = edgekit.convert(checkpoint, tmp_path / "b")
    assert read_manifest(made.bundle).turns == "one"
    assert any("holds one turn" in note for note in made.manifest.notes)
    first, second = prompts_in_the_engine(made.bundle, "wifi off", "wifi off")
    assert first == second


@pytest.mark.parametrize("name", HISTORIES)
def test_several_turns_are_refused_of_such_a_template(tmp_path: Path, checkpoint: Path, name: str) -> None:
    turns(checkpoint, **HISTORIES[name])
    with pytest.raises(InputError, match="changes earlier turns") as caught:
        edgekit.convert(checkpoint, tmp_path / "b", text=edgekit.TextOptions(turns="many"), check=False)
    assert caught.value.where == "--turns many"
    made = edgekit.convert(checkpoint, tmp_path / "b", check=False)
    presets = made.bundle / "edgekit.toml"
    presets.write_text('turns = "many"\n')
    with pytest.raises(InputError, match="changes earlier turns") as caught:
        edgekit.package(made.bundle, "assets", tmp_path / "out")
    assert caught.value.where == f"{presets}: turns"


def test_the_demo_says_nothing_of_turns(int8_bundle: Path) -> None:
    assert read_manifest(int8_bundle).turns is None


def test_a_template_that_knows_the_model_as_model(checkpoint: Path) -> None:
    turns(
        checkpoint,
        role="{{ m['role'] }}",
        body="{% if m['role'] in ['user', 'model'] %}{{ m['content'] }}{% endif %}",
    )
    assert "the bundle renames it" in notes(checkpoint)
    assert "no special token" not in notes(checkpoint)


def test_a_template_that_takes_texts_only_passes(tmp_path: Path, checkpoint: Path) -> None:
    turns(checkpoint)
    made = edgekit.convert(checkpoint, tmp_path / "b")
    parity = edgekit.validate(made.bundle, checkpoint)
    check = next(check for check in parity.checks if check.name == "template")
    assert check.status == "passed", check


def test_settings_that_the_engine_lacks_are_told(checkpoint: Path) -> None:
    path = checkpoint / "generation_config.json"
    key(
        path,
        do_sample=True,
        repetition_penalty=1.3,
        min_p=0.05,
        suppress_tokens=[5],
        num_beams=1,
        typical_p=1.0,
    )
    found = notes(checkpoint)
    assert "repetition_penalty 1.3, min_p 0.05, suppress_tokens [5], for which the engine" in found
    key(path, repetition_penalty=1.0, min_p=0, suppress_tokens=[])
    assert "no such setting" not in notes(checkpoint)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_head_that_is_the_embedding_in_another_precision_is_tied(checkpoint: Path, dtype: Any) -> None:
    path = checkpoint / "model.safetensors"
    tensors = load_file(path)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].astype(dtype)
    save_file(tensors, path, {"format": "pt"})
    opened = open_checkpoint(checkpoint)
    assert opened.architecture.tied_embedding
    assert "lm_head.weight" not in opened.tensors
    if tensors["model.embed_tokens.weight"].dtype != dtype:
        assert "value for value" in opened.notes[0]
    tensors["lm_head.weight"][3, 3] += 1
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match="differs from model"):
        open_checkpoint(checkpoint)


@pytest.mark.parametrize("name", ["sliding_window", "head_dim", "vocab_size", "num_hidden_layers"])
def test_a_key_that_is_null_is_refused_by_name(checkpoint: Path, name: str) -> None:
    key(checkpoint / "config.json", **{name: None})
    with pytest.raises(CheckpointError, match=f'"{name}" is (null|missing)'):
        open_checkpoint(checkpoint)


def test_the_text_model_among_the_weights_of_a_vision_model(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    tensors = {f"language_model.{name}": values for name, values in load_file(path).items()}
    tensors["vision_tower.x.weight"] = tensors["multi_modal_projector.y"] = np.zeros(3, np.float32)
    save_file(tensors, path, {"format": "pt"})
    config = json.loads((checkpoint / "config.json").read_text())
    config.pop("architectures", None)
    (checkpoint / "config.json").write_text(json.dumps(config))
    assert open_checkpoint(checkpoint).notes[0].startswith("left out 2 tensors of a vision or audio tower")


def test_the_default_length_is_the_models_own_where_that_is_shorter(tmp_path: Path, checkpoint: Path) -> None:
    key(checkpoint / "config.json", max_position_embeddings=1024)
    made = edgekit.convert(checkpoint, tmp_path / "b", check=False)
    assert made.manifest.kv_length == 1024
    with pytest.raises(InputError, match="4,096 is not from"):
        edgekit.convert(checkpoint, tmp_path / "c2", graph=edgekit.GraphOptions(kv_length=4096))


def test_an_adapter_of_mlx_is_told_how_to_be_merged(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({"fine_tune_type": "lora", "lora_parameters": {"rank": 8}})
    )
    with pytest.raises(CheckpointError, match="an adapter of MLX") as error:
        open_checkpoint(tmp_path)
    assert "mlx_lm.fuse" in (error.value.remedy or "")


def test_an_end_of_turn_that_is_no_token_is_told(checkpoint: Path) -> None:
    path = checkpoint / "tokenizer.json"
    document = json.loads(path.read_text())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] != "<end_of_turn>"]
    number = document["model"]["vocab"].pop("<end_of_turn>", None)
    if number is not None:
        document["model"]["vocab"]["<other>"] = number
    path.write_text(json.dumps(document))
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (checkpoint / name).exists():
            values = json.loads((checkpoint / name).read_text())
            (checkpoint / name).write_text(
                json.dumps({k: v for k, v in values.items() if "<end_of_turn>" not in json.dumps(v)})
            )
    key(checkpoint / "generation_config.json", eos_token_id=1)
    assert "'<end_of_turn>', which is no token of the tokenizer" in notes(checkpoint)


def test_no_error_names_the_directory_in_which_a_bundle_is_made(tmp_path: Path) -> None:
    from edgekit.bundle.directory import new_bundle
    from edgekit.errors import BundleError

    with pytest.raises(BundleError) as error, new_bundle(tmp_path / "b") as staging:
        raise BundleError(f"{staging.path}/x is wrong", where=staging.path / "x")
    assert error.value.where == str(tmp_path / "b" / "x")
    assert "staging" not in str(error.value)


def test_rows_that_the_template_refuses_are_named(tmp_path: Path, checkpoint: Path) -> None:
    turns(
        checkpoint,
        before="{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system') }}{% endif %}",
    )
    made = edgekit.convert(checkpoint, tmp_path / "b", check=False)
    data = tmp_path / "d.jsonl"
    row = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "wifi off"}]}
    data.write_text(json.dumps(row) + "\n")
    for other in ({"checkpoint": checkpoint}, {"against": made.bundle}):
        with pytest.raises(InputError, match=r"line 1: the chat template refuses it \(No system\)"):
            edgekit.validate(made.bundle, data=data, report=False, **other)


@pytest.mark.parametrize("name", ["rms_norm_eps", "tie_word_embeddings", "query_pre_attn_scalar"])
def test_null_is_refused_by_key(checkpoint: Path, name: str) -> None:
    key(checkpoint / "config.json", **{name: None})
    with pytest.raises(CheckpointError, match=f'key "{name}" is null'):
        open_checkpoint(checkpoint)
