"""The real engine, fed by what we put into a bundle: ids, prompts, turns, ends and constrained answers.

The judge is Transformers on the same checkpoint.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.conversion.convert import convert
from edgekit.errors import BundleError, InputError, TemplateError
from edgekit.runtime.ask.engine import Engine, open_engine, smoke, verify_answers
from edgekit.runtime.reference import Reference
from edgekit.text.answers import AnswerFormat, parse_regex
from edgekit.text.generation import GREEDY, Sampler
from edgekit.text.settle import read_text
from edgekit.text.template import PROBES, ChatTemplate, for_device, render
from tests.fixtures.tokenizers import (
    awkward_strings,
    only_json,
    only_model,
    tokenizer_bundle,
    with_added_tokens,
    with_other_merges,
)
from tests.text.test_template import SPECIAL, STOPS, TEMPLATES, messages_of

QUESTIONS = ("my screen is too dark", "skjermen er for lys", "音量を上げて", "turn bluetooth off")


@pytest.fixture(scope="module")
def float_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    """The demo, unquantized: what it says is what Transformers says."""
    target = tmp_path_factory.mktemp("float") / "bundle"
    return convert(demo_path, target, recipe="float32", check=False).model


@pytest.fixture(scope="module")
def engine(float_bundle: Path) -> Iterator[Engine]:
    with open_engine(float_bundle) as opened:
        yield opened


def ask(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


# --- ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variants", "rows"),
    [
        ((), 2048),
        ((only_json,), 2048),
        ((only_model,), 2048),
        ((with_added_tokens,), 2056),
        ((with_other_merges, with_added_tokens), 2056),
    ],
    ids=["both", "JSON", "model", "tokens added", "JSON embedded, tokens added"],
)
def test_the_engine_finds_the_ids_that_transformers_finds(
    tmp_path: Path, variants: tuple[Any, ...], rows: int
) -> None:
    from transformers import AutoTokenizer

    path = tokenizer_bundle(tmp_path, *variants, rows=rows)
    wanted = AutoTokenizer.from_pretrained(tmp_path / "checkpoint")
    added = [token for token in wanted.get_added_vocab() if token != wanted.unk_token and "▁" not in token]
    with open_engine(path) as engine:
        for text in awkward_strings(500, added):
            assert engine.tokenize(text) == wanted(text, add_special_tokens=False).input_ids, text
        for text in QUESTIONS:  # and back
            assert engine.detokenize(engine.tokenize(text)) == text


def test_text_that_the_c_interface_would_cut_is_refused(engine: Engine) -> None:
    with pytest.raises(InputError, match="NUL"):
        engine.tokenize("a\0b")


def test_an_id_beyond_the_tokenizers_pieces_does_not_end_generation(tmp_path: Path) -> None:
    """Random weights emit any of the 2,560 rows; only 2,048 of them have pieces."""
    path = tokenizer_bundle(tmp_path, rows=2560)
    with open_engine(path) as engine, engine.chat(sampler=Sampler(temperature=2.0), max_tokens=60) as chat:
        assert chat.send("Hello").stats.generated_tokens == 60


# --- prompts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [False, True], ids=["strings", "parts"])
def test_the_demos_prompts_are_transformers_prompts(
    engine: Engine, reference: Reference, parts: bool
) -> None:
    for probe in PROBES:
        if probe[-1][0] != "user":
            continue
        wanted = reference.render(messages_of(probe))
        assert engine.render(messages_of(probe, parts)) == wanted.removeprefix("<bos>")
        ids = reference.tokenizer(wanted, add_special_tokens=False).input_ids
        assert engine.prompt_ids(messages_of(probe, parts)) == ids


@pytest.mark.parametrize("name", TEMPLATES)
def test_rewritten_templates_render_in_the_engine_as_in_transformers(engine: Engine, name: str) -> None:
    template = ChatTemplate(TEMPLATES[name], name)
    device = for_device(template, special_tokens=SPECIAL, stop_tokens=(*STOPS, "<|im_end|>"))
    compared = 0
    for probe in PROBES:
        if probe[-1][0] != "user":
            continue
        own = messages_of(probe, name == "only lists of parts")
        try:
            wanted = render(template, own, special_tokens=SPECIAL, add_generation_prompt=True)
        except TemplateError:
            continue
        for parts in (False, True):
            found = engine.render(messages_of(probe, parts), chat_template=device.source)
            assert found == wanted.removeprefix("<bos>")
            compared += 1
    assert compared


def test_a_template_that_the_engine_cannot_render_says_why(engine: Engine) -> None:
    with pytest.raises(BundleError, match="no method named get"):
        engine.render([ask("x")], chat_template="{{ messages[0].get('role') }}")


# --- turns -------------------------------------------------------------------------------------------------------


def test_one_bos_and_no_more_is_fed(engine: Engine, reference: Reference) -> None:
    ids = reference.tokenizer(reference.render([ask("Hi")]), add_special_tokens=False).input_ids
    assert ids.count(engine.start_id) == 1
    with engine.chat(max_tokens=1) as chat:
        assert chat.send("Hi").stats.prompt_tokens == len(ids)


def test_without_a_bos_in_training_none_is_fed(tmp_path: Path) -> None:
    def no_bos(directory: Path) -> None:
        (directory / "chat_template.jinja").write_text(TEMPLATES["no BOS"])

    path = tokenizer_bundle(tmp_path, no_bos)
    with open_engine(path) as engine:
        assert engine.start_id is None
        prompt = engine.render([ask("Hi")])
        with engine.chat(max_tokens=1) as chat:
            assert chat.send("Hi").stats.prompt_tokens == len(engine.tokenize(prompt))


@pytest.mark.parametrize("question", QUESTIONS)
def test_greedy_answers_are_transformers_answers(engine: Engine, reference: Reference, question: str) -> None:
    with engine.chat(sampler=GREEDY, max_tokens=64) as chat:
        reply = chat.send(question)
    assert reply.text == reference.generate(question)
    assert reply.stop_reason == "end_of_turn"


def test_what_a_second_turn_adds_is_what_transformers_makes_of_the_whole(
    engine: Engine, reference: Reference
) -> None:
    history: list[dict[str, Any]] = []
    with engine.chat(sampler=GREEDY, max_tokens=64) as chat:
        for question in QUESTIONS[:3]:
            history.append(ask(question))
            before = chat.token_count
            whole = reference.tokenizer(reference.render(history), add_special_tokens=False).input_ids
            reply = chat.send(question)
            assert reply.stop_reason == "end_of_turn"
            assert before + reply.stats.prompt_tokens == len(whole)
            assert reply.text == generated(reference, whole)
            history.append({"role": "assistant", "content": reply.text})


def generated(reference: Reference, ids: list[int]) -> str:
    import torch

    with torch.no_grad():
        output = reference.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=64)
    return str(reference.tokenizer.decode(output[0, len(ids) :], skip_special_tokens=True))


def test_a_system_message_leads_the_conversation(engine: Engine, reference: Reference) -> None:
    messages = [{"role": "system", "content": "Answer in JSON."}, ask("my screen is too dark")]
    ids = reference.tokenizer(reference.render(messages), add_special_tokens=False).input_ids
    with engine.chat(messages[:1], sampler=GREEDY, max_tokens=64) as chat:
        reply = chat.send(messages[1])
    assert reply.stats.prompt_tokens == len(ids)
    assert reply.text == generated(reference, ids)


# --- ends --------------------------------------------------------------------------------------------------------


def test_it_stops_at_the_end_of_turn_that_the_generation_config_forgot(
    tmp_path: Path, demo_path: Path, reference: Reference
) -> None:
    import shutil

    checkpoint = shutil.copytree(demo_path, tmp_path / "checkpoint")
    (checkpoint / "generation_config.json").write_text(json.dumps({"eos_token_id": 1, "do_sample": False}))
    path = convert(checkpoint, tmp_path / "bundle", recipe="float32", check=False).model
    with open_engine(path) as engine:
        assert set(engine.stop_ids) == {(reference.tokenizer.convert_tokens_to_ids("<end_of_turn>"),), (1,)}
        with engine.chat(max_tokens=64) as chat:
            reply = chat.send(QUESTIONS[0])
    assert reply.stop_reason == "end_of_turn"
    assert reply.text == reference.generate(QUESTIONS[0])


def test_it_stops_at_the_limit_and_says_so(engine: Engine) -> None:
    with engine.chat(sampler=GREEDY, max_tokens=5) as chat:
        reply = chat.send(QUESTIONS[0])
    assert (reply.stop_reason, reply.stats.generated_tokens) == ("length", 5)


def test_it_stops_when_the_cache_is_full_and_says_so(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with open_engine(path, max_num_tokens=64) as engine, engine.chat(max_tokens=200) as chat:
        reply = chat.send("Hello")
        assert reply.stop_reason == "context"
        assert chat.token_count >= 64


def test_a_prompt_that_does_not_fit_is_an_error(float_bundle: Path) -> None:
    with (
        open_engine(float_bundle, max_num_tokens=32) as engine,
        engine.chat() as chat,
        pytest.raises(BundleError, match="too long"),
    ):
        chat.send("dark " * 100)


def test_a_listener_who_leaves_ends_the_generation(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with open_engine(path) as engine:
        with engine.chat(max_tokens=2000) as chat:
            stream = chat.stream("Hello")
            next(stream)
            stream.close()
            assert chat.token_count < 2000
        with engine.chat(max_tokens=3) as chat:  # and the engine goes on
            assert chat.send("Hello").stats.generated_tokens == 3


# --- sampling ----------------------------------------------------------------------------------------------------


def test_greedy_is_greedy_and_seeds_are_seeds(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with open_engine(path) as engine:

        def said(sampler: Sampler | None, seed: int | None) -> str:
            with engine.chat(sampler=sampler, seed=seed, max_tokens=12) as chat:
                return chat.send("Hello").text

        warm = Sampler(temperature=1.5)
        assert len({said(GREEDY, seed) for seed in (None, 1, 2)}) == 1
        assert said(warm, 1) == said(warm, 1)
        assert len({said(warm, seed) for seed in (1, 2, 3, 4)}) == 4  # 0 draws as 1 does


@pytest.mark.parametrize("sampler", ["greedy", "temperature=1.5,top_k=50"])
def test_the_bundles_own_sampler_is_used(tmp_path: Path, sampler: str) -> None:
    path = tokenizer_bundle(tmp_path, sampler=sampler)
    with open_engine(path) as engine, engine.chat(max_tokens=12) as chat:
        own = chat.send("Hello").text
        with engine.chat(sampler=GREEDY, max_tokens=12) as other:
            assert (other.send("Hello").text == own) is (sampler == "greedy")


# --- answers -----------------------------------------------------------------------------------------------------

DEMO_SCHEMA = {
    "type": "object",
    "properties": {
        "screen": {"enum": ["display", "sound settings", "lyd på"]},
        "text": {"type": "string", "maxLength": 12},
    },
    "required": ["screen", "text"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}


def schema(document: object) -> AnswerFormat:
    return AnswerFormat("json_schema", json.dumps(document, ensure_ascii=False))


@pytest.mark.parametrize("seed", range(6))
def test_even_random_weights_answer_in_the_schema(tmp_path: Path, seed: int) -> None:
    path = tokenizer_bundle(tmp_path)
    answers = schema(DEMO_SCHEMA)
    with (
        open_engine(path) as engine,
        engine.chat(answers=answers, sampler=Sampler(temperature=1.5), seed=seed, max_tokens=200) as chat,
    ):
        reply = chat.send("Hello")
    assert reply.stop_reason == "end_of_turn"
    value = json.loads(reply.text)
    assert value["screen"] in ("display", "sound settings", "lyd på")
    assert isinstance(value["text"], str)


def test_a_label_set_with_spaces_and_several_turns(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with (
        open_engine(path) as engine,
        engine.chat(answers=parse_regex("(turn on|turn off|gjør lysere)"), max_tokens=40) as chat,
    ):
        said = [chat.send("Hello").text, chat.send("Again").text]
    assert set(said) <= {"turn on", "turn off", "gjør lysere"}


def test_a_stop_token_inside_an_answer_does_not_cut_it(tmp_path: Path, reference: Reference) -> None:
    """Every piece that random weights are likely to choose becomes a stop token: the answer is whole all the same."""

    def stops_everywhere(directory: Path) -> None:
        ids = [i for i in range(1, 2048) if i % 3 == 0 and i > 400]
        (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))

    path = tokenizer_bundle(tmp_path, stops_everywhere)
    text = schema({"type": "string", "minLength": 12, "maxLength": 30})
    with open_engine(path) as engine:
        for seed in range(4):
            with engine.chat(answers=text, sampler=Sampler(temperature=1.5), seed=seed) as chat:
                assert json.loads(chat.send("Hello").text)


def test_the_demos_answer_is_the_same_under_its_schema(engine: Engine, reference: Reference) -> None:
    words = {"type": "string", "pattern": "^[a-z_ ]+$"}
    names = ("screen", "setting", "action")
    free = schema(
        {
            "type": "object",
            "properties": dict.fromkeys(names, words),
            "required": list(names),
            "additionalProperties": False,
            # The demo writes its JSON with a space after colons and commas.
            "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
        }
    )
    with engine.chat(answers=free, sampler=GREEDY, max_tokens=64) as chat:
        assert chat.send(QUESTIONS[0]).text == reference.generate(QUESTIONS[0])


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (schema({"type": "array", "uniqueItems": True}), "uniqueItems"),
        (schema({"not": {"type": "string"}}), '"not"'),
        (schema({"oneOf": [{"const": 1}, {"const": 2}]}), "oneOf"),
        (schema({"type": "string", "format": "no-such-format"}), "no-such-format"),
        (schema({"$ref": "https://example.org/other.json"}), "ref"),
        (AnswerFormat("regex", "(?=a)b"), "look-around"),
        (AnswerFormat("regex", r"(a)\1"), "backreferences"),
        (AnswerFormat("regex", "(yes|🦤)"), "only its bytes"),
        (schema({"enum": ["yes", "🦤"]}), "only its bytes"),
    ],
    ids=["uniqueItems", "not", "oneOf", "format", "$ref", "look-around", "back-reference", "regex", "enum"],
)
def test_what_the_engine_cannot_take_is_refused_with_its_reason(
    engine: Engine, answers: AnswerFormat, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        verify_answers(engine, answers)


@pytest.mark.parametrize("answers", [schema(DEMO_SCHEMA), parse_regex("(on|off)")], ids=["schema", "regex"])
def test_what_the_engine_can_take_passes(engine: Engine, answers: AnswerFormat) -> None:
    verify_answers(engine, answers)


def test_labels_with_spaces_are_refused_where_the_tokenizer_cannot_spell_them(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path, with_other_merges)  # embeds tokenizer.json, whose pieces have ▁
    with open_engine(path) as engine:
        with pytest.raises(InputError, match="spaces"):
            verify_answers(engine, parse_regex("(turn on|turn off)"))
        verify_answers(engine, parse_regex("(turn_on|turn_off)"))


# --- trying a file -----------------------------------------------------------------------------------------------


def test_smoke_opens_and_generates_in_a_process_of_its_own(float_bundle: Path) -> None:
    result = smoke(float_bundle, tokens=5)
    assert result.tokens == 5
    assert result.text.startswith("{")
    assert not list(float_bundle.parent.glob("*cache*"))


def test_smoke_answers_in_the_format_that_it_is_given(float_bundle: Path) -> None:
    assert smoke(float_bundle, answer=parse_regex("(on|off)")).text in ("on", "off")


def test_smoke_passes_on_why_a_format_is_refused(float_bundle: Path) -> None:
    with pytest.raises(InputError, match="look-around"):
        smoke(float_bundle, answer=AnswerFormat("regex", "(?=a)b"))


@pytest.mark.parametrize("damage", ["truncated", "no container", "absent", "weights cut off"])
def test_smoke_names_the_file_that_the_engine_refuses(
    tmp_path: Path, float_bundle: Path, damage: str
) -> None:
    path = tmp_path / "broken.litertlm"
    content = float_bundle.read_bytes()
    if damage != "absent":
        path.write_bytes(
            {
                "truncated": content[:70_000],
                "no container": b"nothing of the kind" * 100,
                "weights cut off": content[: len(content) // 2],
            }[damage]
        )
    with pytest.raises(BundleError, match=r"broken\.litertlm: .{10}"):
        smoke(path)


def test_reading_the_text_twice_gives_the_same(demo_path: Path) -> None:
    assert read_text(demo_path, rows=2048) == read_text(demo_path, rows=2048)
