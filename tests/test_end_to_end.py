"""From a checkpoint to the engine's answers: what Transformers says of a fine-tune, its bundle says.

Ids, prompts and turns of one bundle are held to Transformers in tests/runtime/test_engine.py; here it is every form,
every recipe and every way in which a fine-tune is saved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.inspect import inspect
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, TextOptions
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import Session, ask
from edgekit.runtime.chat import open_chat
from edgekit.runtime.reference import Reference
from edgekit.text.generation import GREEDY
from tests.conftest import EXAMPLE
from tests.fixtures import damage
from tests.fixtures.checkpoints import (
    copy_demo_checkpoint,
    edit_json,
    float_model,
    peft_adapter,
)
from tests.fixtures.tokenizers import only_json, only_model, with_added_tokens

pytestmark = pytest.mark.slow

RECIPES = ("int8", "int4", "int4-head", "int4-all", "float32")
PROMPTS = ("turn off wifi please", "skjermen er for lys", "音量を上げて")


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Threads that wait for each other make a model of the demo's size slower, most of all on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def eval_prompts(count: int) -> list[str]:
    """Prompts that the demo was not trained on, spread over its languages."""
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["prompt"] for line in lines[:: len(lines) // count][:count]]


def answer(session: Session, prompt: str) -> str:
    with session.talk(Decoding(sampler=GREEDY, max_tokens=64)) as chat:
        reply = chat.say(prompt)
    assert reply.ending == "end_of_turn"
    return reply.text


def answers(path: Path, prompts: list[str] | tuple[str, ...] = PROMPTS) -> list[str]:
    with ask(path) as session:
        return [answer(session, prompt) for prompt in prompts]


@pytest.fixture(scope="module")
def float_engine(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Iterator[Session]:
    path = convert(demo_path, tmp_path_factory.mktemp("float") / "b", recipe="float32", check=False).model
    with ask(path) as session:
        yield session


# --- forms and recipes -------------------------------------------------------------------------------------------


def test_the_float_bundle_answers_as_transformers_does(float_engine: Session, reference: Reference) -> None:
    prompts = eval_prompts(20)
    assert len(set(prompts)) == 20
    assert [answer(float_engine, p) for p in prompts] == [reference.generate(p) for p in prompts]


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "float32"])
def test_every_recipe_for_gpus_runs_in_both_forms_and_answers_the_same(
    tmp_path: Path, demo_path: Path, recipe: str
) -> None:
    said = []
    for shape in ("dynamic", "static"):
        result = convert(
            demo_path,
            tmp_path / shape,
            recipe=recipe,
            graph=GraphOptions(form=shape, kv_length=1024),
            check=False,
        )
        assert result.manifest.graph.form == shape
        assert inspect(result.bundle).digest_matches
        said.append(answers(result.model))
    assert said[0] == said[1]
    assert all(json.loads(text).keys() == {"screen", "setting", "action"} for text in said[0])


@pytest.mark.parametrize("kv_length", [128, 1000, 32768])
def test_every_kv_length_answers_the_same(
    tmp_path: Path, demo_path: Path, float_engine: Session, kv_length: int
) -> None:
    result = convert(
        demo_path, tmp_path / "b", recipe="float32", graph=GraphOptions(kv_length=kv_length), check=False
    )
    assert inspect(result.bundle).kv_length == result.manifest.kv_length == kv_length
    assert answers(result.model, PROMPTS[:2]) == [answer(float_engine, prompt) for prompt in PROMPTS[:2]]


@pytest.mark.parametrize("recipe", ["int8", "int4-all"])
def test_answers_under_the_schema_cannot_be_malformed(tmp_path: Path, demo_path: Path, recipe: str) -> None:
    schema = EXAMPLE / "answer-schema.json"
    result = convert(demo_path, tmp_path / "b", recipe=recipe, text=TextOptions(answer_schema=schema))
    properties = json.loads(schema.read_text())["properties"]
    for prompt in ("my screen is too dark", "what is love?", "{" * 20, "🦤"):
        with open_chat(result.bundle) as chat:
            value = json.loads(chat.say(prompt).text)
        assert value.keys() == properties.keys()
        assert all(value[key] in properties[key]["enum"] for key in properties)


# --- ways in which a fine-tune is saved ----------------------------------------------------------------------------

Variant = Callable[[Path], None]


def convert_variant(tmp_path: Path, *variants: Variant) -> tuple[Path, Path]:
    """(checkpoint, model file) of the demo as varied, unquantized."""
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    for variant in variants:
        variant(checkpoint)
    return checkpoint, convert(checkpoint, tmp_path / "b", recipe="float32", check=False).model


def with_eos_only(directory: Path) -> None:
    edit_json(directory / "generation_config.json", eos_token_id=1)


@pytest.mark.parametrize(
    "variants",
    [
        [damage.sharded],
        [damage.stored_as("F16")],
        [damage.stored_as("F32")],
        [damage.with_copied_head],
        [damage.with_config_of_transformers_4],
        [with_added_tokens, damage.with_more_rows],
        [only_json],
        [only_model],
        [damage.sharded, damage.with_config_of_transformers_4, only_json],
    ],
    ids=lambda variants: " ".join(getattr(v, "__qualname__", str(v)).split(".")[0] for v in variants),
)
def test_a_variant_answers_as_transformers_does(tmp_path: Path, variants: list[Variant]) -> None:
    checkpoint, path = convert_variant(tmp_path, *variants)
    reference = Reference(checkpoint)
    # Without tokenizer.json Transformers does not know that the end of a turn is a special token, and shows it.
    wanted = [reference.generate(prompt).removesuffix("<end_of_turn>") for prompt in PROMPTS]
    assert answers(path) == wanted


@pytest.mark.parametrize(
    "variant",
    [
        damage.prefixed("base_model.model."),
        damage.prefixed("language_model."),
        damage.prefixed("model.language_model.", strip="model."),
        damage.prefixed("_orig_mod."),
        damage.without("generation_config.json"),
        damage.without("chat_template.jinja"),
        with_eos_only,
    ],
    ids=["PEFT", "Transformers 4", "Transformers 5", "compiled", "no generation", "no template", "eos only"],
)
def test_what_transformers_cannot_know_changes_no_answer(
    tmp_path: Path, variant: Variant, float_engine: Session
) -> None:
    """Names that only say how a model was wrapped; a template and stop tokens that the trainer forgot."""
    _, path = convert_variant(tmp_path, variant)
    assert answers(path) == [answer(float_engine, prompt) for prompt in PROMPTS]


def test_a_token_added_in_fine_tuning_is_one_token_in_the_engine(tmp_path: Path) -> None:
    checkpoint, path = convert_variant(tmp_path, with_added_tokens, damage.with_more_rows)
    wanted = Reference(checkpoint).tokenizer
    with ask(path) as session:
        for text in ("<screen>display</screen>", "the brightness 明るさ", "<|tool|>"):
            assert list(session.ids(text)) == wanted(text, add_special_tokens=False).input_ids


# --- adapters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": ["q_proj", "v_proj", "down_proj"], "lora_alpha": 48},
        {"target_modules": "all-linear", "use_rslora": True, "r": 8},
    ],
    ids=["LoRA", "rsLoRA of all linear layers"],
)
def test_an_adapter_answers_as_peft_does(tmp_path: Path, options: dict[str, Any]) -> None:
    base = copy_demo_checkpoint(tmp_path / "base")
    damage.stored_as("F32")(base)  # so that merging rounds nothing
    adapted = peft_adapter(tmp_path / "mine" / "adapter", base, **options)
    result = convert(tmp_path / "mine" / "adapter", tmp_path / "b", recipe="float32", base=base, check=False)
    assert (result.manifest.source.base, result.manifest.source.name) == ("base", "mine")
    reference = Reference(base)
    plain = float_model(base)
    wanted = [generated(adapted, reference, prompt) for prompt in PROMPTS]
    assert wanted != [generated(plain, reference, prompt) for prompt in PROMPTS]  # the adapter matters
    with ask(result.model) as session:
        for prompt, text in zip(PROMPTS, wanted, strict=True):
            with session.talk(Decoding(sampler=GREEDY, max_tokens=32)) as chat:
                assert chat.say(prompt).text == text


def generated(model: Any, reference: Reference, prompt: str) -> str:
    import torch

    text = reference.render([{"role": "user", "content": prompt}])
    ids = reference.tokenizer(text, add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        output = model.generate(**ids, do_sample=False, max_new_tokens=32)
    answer: str = reference.tokenizer.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    return answer
