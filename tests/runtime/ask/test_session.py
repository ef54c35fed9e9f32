"""The real engine, fed by what we put into a bundle: ids, prompts, turns, ends and answers held to a format.

The judge is Transformers on the same checkpoint.
"""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.manifest import read_manifest, write_manifest
from edgekit.conversion.convert import convert
from edgekit.conversion.options import TextOptions
from edgekit.errors import BundleError, InputError, TemplateError
from edgekit.runtime.ask.protocol import Decoding, Turn
from edgekit.runtime.ask.session import Session, ask
from edgekit.runtime.reference import Reference
from edgekit.text.answers import parse_regex
from edgekit.text.generation import GREEDY, Sampler
from edgekit.text.settle import read_text
from edgekit.text.template.parse import ChatTemplate
from edgekit.text.template.render import render
from edgekit.text.template.rewrite import for_device
from edgekit.text.template.verify import PROBES
from tests.fixtures.releases import another_release
from tests.fixtures.tokenizers import (
    awkward_strings,
    only_json,
    only_model,
    tokenizer_bundle,
    with_added_tokens,
    with_other_merges,
)
from tests.runtime.ask.formats import DEMO_SCHEMA, schema
from tests.text.template.test_rewrite import SPECIAL, STOPS, TEMPLATES, messages_of

pytestmark = pytest.mark.slow

QUESTIONS = ("my screen is too dark", "skjermen er for lys", "音量を上げて", "turn bluetooth off")


def user(text: str) -> dict[str, Any]:
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
    with ask(path) as session:
        for text in awkward_strings(500, added):
            assert list(session.ids(text)) == wanted(text, add_special_tokens=False).input_ids, text
        for text in QUESTIONS:  # and back
            assert session.text(session.ids(text)) == text


@pytest.mark.parametrize(
    "variants", [(), (only_json,), (with_other_merges,)], ids=["both", "JSON", "JSON embedded"]
)
def test_what_a_manifest_suppresses_is_what_the_engine_finds_where_none_says(
    tmp_path: Path, variants: tuple[Any, ...]
) -> None:
    bare = tokenizer_bundle(tmp_path, *variants, rows=2048).rename(tmp_path / "bare.litertlm")
    with ask(bare) as session:
        assert session.opened.suppressed == read_text(tmp_path / "checkpoint", rows=2048).suppressed_ids


def test_the_manifest_beside_a_file_says_what_is_suppressed(float_bundle: Path, tmp_path: Path) -> None:
    manifest = read_manifest(float_bundle.parent)
    assert manifest.suppressed_tokens is not None
    write_manifest(tmp_path, replace(manifest, suppressed_tokens=manifest.suppressed_tokens[:3]))
    shutil.copy(float_bundle, tmp_path)
    for directory, count in ((float_bundle.parent, 129), (tmp_path, 3)):
        with ask(directory / float_bundle.name) as session:
            assert session.opened.suppressed == manifest.suppressed_tokens[:count]


def test_text_that_the_c_interface_would_cut_is_refused(session: Session) -> None:
    with pytest.raises(InputError, match="NUL"):
        session.ids("a\0b")


def test_an_id_beyond_the_tokenizers_pieces_does_not_end_generation(tmp_path: Path) -> None:
    """Random weights emit any of the 2,560 rows; only 2,048 of them have pieces.

    One answer in twenty ends before, by a stop token; which do depends on the processor.
    """
    warm = Decoding(sampler=Sampler(temperature=2.0), max_tokens=60)
    with ask(tokenizer_bundle(tmp_path, rows=2560)) as session:
        turns = [Turn((user("Hello"),), replace(warm, seed=seed)) for seed in (1, 2, 3)]
        assert 60 in [session.say(turn).stats.generated_tokens for turn in turns]


# --- prompts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [False, True], ids=["strings", "parts"])
def test_the_demos_prompts_are_transformers_prompts(
    session: Session, reference: Reference, parts: bool
) -> None:
    for probe in PROBES:
        if probe[-1][0] != "user":
            continue
        wanted = reference.render(messages_of(probe))
        assert session.prompt(messages_of(probe, parts)).text == wanted.removeprefix("<bos>")
        ids = reference.tokenizer(wanted, add_special_tokens=False).input_ids
        assert list(session.prompt_ids(messages_of(probe, parts))) == ids


@pytest.mark.parametrize("name", TEMPLATES)
def test_rewritten_templates_render_in_the_engine_as_in_transformers(session: Session, name: str) -> None:
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
            found = session.prompt(messages_of(probe, parts), Decoding(chat_template=device.source)).text
            assert found == wanted.removeprefix("<bos>")
            compared += 1
    assert compared


def test_a_template_that_the_engine_cannot_render_says_why(session: Session) -> None:
    broken = Decoding(chat_template="{{ messages[0].get('role') }}")
    prompt = session.prompt([user("x")], broken)
    assert prompt.text is None
    assert "no method named get" in (prompt.error or "")
    with pytest.raises(BundleError, match="no method named get"):
        session.prompt_ids([user("x")], broken)


# --- turns -------------------------------------------------------------------------------------------------------


def test_one_bos_and_no_more_is_fed(session: Session, reference: Reference) -> None:
    ids = reference.tokenizer(reference.render([user("Hi")]), add_special_tokens=False).input_ids
    assert ids.count(session.opened.start_id) == 1
    with session.talk(Decoding(max_tokens=1)) as chat:
        assert chat.say("Hi").stats.prompt_tokens == len(ids)


def test_without_a_bos_in_training_none_is_fed(tmp_path: Path) -> None:
    def no_bos(directory: Path) -> None:
        (directory / "chat_template.jinja").write_text(TEMPLATES["no BOS"])

    path = tokenizer_bundle(tmp_path, no_bos)
    with ask(path) as session:
        assert session.opened.start_id is None
        prompt = session.prompt([user("Hi")]).text
        with session.talk(Decoding(max_tokens=1)) as chat:
            assert chat.say("Hi").stats.prompt_tokens == len(session.ids(prompt))


@pytest.mark.parametrize("question", QUESTIONS)
def test_greedy_answers_are_transformers_answers(
    session: Session, reference: Reference, question: str
) -> None:
    with session.talk(Decoding(sampler=GREEDY, max_tokens=64)) as chat:
        reply = chat.say(question)
    assert reply.text == reference.generate(question)
    assert reply.ending == "end_of_turn"


def test_what_a_second_turn_adds_is_what_transformers_makes_of_the_whole(
    session: Session, reference: Reference
) -> None:
    history: list[dict[str, Any]] = []
    with session.talk(Decoding(sampler=GREEDY, max_tokens=64)) as chat:
        for question in QUESTIONS[:3]:
            history.append(user(question))
            before = chat.token_count
            whole = reference.tokenizer(reference.render(history), add_special_tokens=False).input_ids
            reply = chat.say(question)
            assert reply.ending == "end_of_turn"
            assert before + reply.stats.prompt_tokens == len(whole)
            assert reply.text == generated(reference, whole)
            history.append({"role": "assistant", "content": reply.text})


def generated(reference: Reference, ids: list[int]) -> str:
    import torch

    with torch.no_grad():
        output = reference.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=64)
    return str(reference.tokenizer.decode(output[0, len(ids) :], skip_special_tokens=True))


def test_a_system_message_leads_the_conversation(session: Session, reference: Reference) -> None:
    messages = [{"role": "system", "content": "Answer in JSON."}, user("my screen is too dark")]
    ids = reference.tokenizer(reference.render(messages), add_special_tokens=False).input_ids
    with session.talk(Decoding(sampler=GREEDY, max_tokens=64), messages[:1]) as chat:
        reply = chat.say(messages[1])
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
    with ask(path) as session:
        assert set(session.opened.stop_ids) == {
            (reference.tokenizer.convert_tokens_to_ids("<end_of_turn>"),),
            (1,),
        }
        with session.talk(Decoding(max_tokens=64)) as chat:
            reply = chat.say(QUESTIONS[0])
    assert reply.ending == "end_of_turn"
    assert reply.text == reference.generate(QUESTIONS[0])


def test_it_stops_at_the_limit_and_says_so(session: Session) -> None:
    with session.talk(Decoding(sampler=GREEDY, max_tokens=5)) as chat:
        reply = chat.say(QUESTIONS[0])
    assert (reply.ending, reply.stats.generated_tokens) == ("length", 5)


def test_it_stops_when_the_cache_is_full_and_says_so(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with ask(path, max_num_tokens=64) as session, session.talk(Decoding(max_tokens=200)) as chat:
        reply = chat.say("Hello")
        assert reply.ending == "context"
        assert chat.token_count >= 64


def test_a_prompt_that_does_not_fit_is_an_error(float_bundle: Path) -> None:
    with (
        ask(float_bundle, max_num_tokens=32) as session,
        session.talk() as chat,
        pytest.raises(BundleError, match="too long"),
    ):
        chat.say("dark " * 100)


def test_what_is_listened_to_is_the_reply_piece_by_piece(session: Session) -> None:
    heard: list[str] = []
    reply = session.say(Turn((user(QUESTIONS[0]),), Decoding(sampler=GREEDY, max_tokens=64)), heard.append)
    assert len(heard) > 1
    assert "".join(heard) == reply.text


def test_a_listener_who_leaves_ends_the_generation(tmp_path: Path) -> None:
    """However late: the child stands still behind its first piece until we have left."""
    path = tokenizer_bundle(tmp_path)
    python = another_release(tmp_path, STANDING_STILL)
    with ask(path, python=str(python)) as session:
        with session.talk(Decoding(max_tokens=2000)) as chat:
            stream = chat.stream("Hello")
            next(stream)
            stream.close()
            assert os.WIFSTOPPED(os.waitpid(session.child.pid, os.WUNTRACED)[1])
            os.kill(session.child.pid, signal.SIGCONT)
            assert chat.token_count < 2000
        with session.talk(Decoding(max_tokens=3)) as chat:  # and the engine goes on
            assert chat.say("Hello").stats.generated_tokens == 3


STANDING_STILL = """
import os, signal, litert_lm.conversation
Conversation, stops = litert_lm.conversation.Conversation, [signal.SIGSTOP]
def pieces(self, *arguments, real=Conversation.send_message_async, **options):
    for piece in real(self, *arguments, **options):
        yield piece
        if stops:
            os.kill(os.getpid(), stops.pop())
Conversation.send_message_async = pieces
"""


# --- sampling ----------------------------------------------------------------------------------------------------


def test_greedy_is_greedy_and_seeds_are_seeds(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with ask(path) as session:

        def said(sampler: Sampler | None, seed: int | None) -> str:
            with session.talk(Decoding(sampler=sampler, seed=seed, max_tokens=12)) as chat:
                return chat.say("Hello").text

        warm = Sampler(temperature=1.5)
        assert len({said(GREEDY, seed) for seed in (None, 1, 2)}) == 1
        assert said(warm, 1) == said(warm, 1)
        assert len({said(warm, seed) for seed in (1, 2, 3, 4)}) == 4  # 0 draws as 1 does


@pytest.mark.parametrize("sampler", ["greedy", "temperature=1.5,top_k=50"])
def test_the_bundles_own_sampler_is_used(tmp_path: Path, sampler: str) -> None:
    path = tokenizer_bundle(tmp_path, text=TextOptions(sampler=sampler))
    turn = Turn((user("Hello"),), Decoding(max_tokens=12))
    with ask(path) as session:
        own = session.say(turn).text
        greedy = session.say(replace(turn, decoding=replace(turn.decoding, sampler=GREEDY))).text
    assert (greedy == own) is (sampler == "greedy")


# --- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_even_random_weights_answer_in_the_schema(tmp_path: Path, seed: int) -> None:
    path = tokenizer_bundle(tmp_path)
    answers = schema(DEMO_SCHEMA)
    with (
        ask(path) as session,
        session.talk(
            Decoding(answers=answers, sampler=Sampler(temperature=1.5), seed=seed, max_tokens=200)
        ) as chat,
    ):
        reply = chat.say("Hello")
    assert reply.ending == "end_of_turn"
    value = json.loads(reply.text)
    assert value["screen"] in ("display", "sound settings", "lyd på")
    assert isinstance(value["text"], str)


def test_a_label_set_with_spaces_and_several_turns(tmp_path: Path) -> None:
    path = tokenizer_bundle(tmp_path)
    with (
        ask(path) as session,
        session.talk(Decoding(answers=parse_regex("(turn on|turn off|gjør lysere)"), max_tokens=40)) as chat,
    ):
        said = [chat.say("Hello").text, chat.say("Again").text]
    assert set(said) <= {"turn on", "turn off", "gjør lysere"}


def test_a_stop_token_inside_an_answer_does_not_cut_it(tmp_path: Path, reference: Reference) -> None:
    """Every piece that random weights are likely to choose becomes a stop token: the answer is whole all the same."""

    def stops_everywhere(directory: Path) -> None:
        ids = [i for i in range(1, 2048) if i % 3 == 0 and i > 400]
        (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))

    path = tokenizer_bundle(tmp_path, stops_everywhere)
    text = schema({"type": "string", "minLength": 12, "maxLength": 30})
    with ask(path) as session:
        for seed in range(4):
            with session.talk(Decoding(answers=text, sampler=Sampler(temperature=1.5), seed=seed)) as chat:
                assert json.loads(chat.say("Hello").text)


def test_the_demos_answer_is_the_same_under_its_schema(session: Session, reference: Reference) -> None:
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
    with session.talk(Decoding(answers=free, sampler=GREEDY, max_tokens=64)) as chat:
        assert chat.say(QUESTIONS[0]).text == reference.generate(QUESTIONS[0])


def test_reading_the_text_twice_gives_the_same(demo_path: Path) -> None:
    assert read_text(demo_path, rows=2048) == read_text(demo_path, rows=2048)
