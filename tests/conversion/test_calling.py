"""A checkpoint that was trained to call: recognised, told its tools, and held to them by the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata
from transformers import AutoTokenizer

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.bundle.manifest import read_manifest
from edgekit.calling.calls import Call, parse, render, result_message
from edgekit.calling.fit import misfits
from edgekit.calling.grammar import regex
from edgekit.calling.tokens import TOKENS
from edgekit.calling.tools import openai, parse_tools, read_tools
from edgekit.conversion.convert import convert
from edgekit.conversion.options import TextOptions
from edgekit.errors import CheckpointError, EdgekitError, InputError, TemplateError
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import GREEDY
from tests.fixtures.bundles import Bundles, model_of
from tests.fixtures.calling import MOBILE_ACTIONS, TEMPLATE, calling_checkpoint

pytestmark = pytest.mark.slow

TOOLS = read_tools(MOBILE_ACTIONS)
HARD = parse_tools(
    {
        "name": "plan",
        "parameters": {
            "type": "object",
            "properties": {
                "count": {"type": "integer"},
                "share": {"type": "number"},
                "where": {"type": "string", "enum": ["Ålesund", "アメ", "N Y"]},
                "who": {"type": "array", "items": {"type": "string", "enum": ["Åse"]}},
                "at": {"type": "object", "properties": {"day": {"type": "boolean"}}, "required": ["day"]},
            },
            "required": ["count", "share", "where", "who", "at"],
        },
    },
    where="test",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return calling_checkpoint(tmp_path_factory.mktemp("calling") / "caller")


@pytest.fixture(scope="module")
def bundle(checkpoint: Path, bundles: Bundles) -> Path:
    return bundles(checkpoint, text=TextOptions(tools=MOBILE_ACTIONS))


def test_the_engine_is_told_all_of_function_gemma(bundle: Path) -> None:
    container = read_container(model_of(bundle))
    sections = {section.kind: section for section in container.sections}
    assert SectionKind.HF_TOKENIZER in sections
    llm = LlmMetadata.FromString(bytes(section_bytes(container, sections[SectionKind.LLM_METADATA])))
    told = llm.llm_model_type.function_gemma
    assert (told.code_fence_start, told.code_fence_end) == (TOKENS[2], TOKENS[3])
    assert (told.open_quote, told.function_response_start) == (TOKENS[6], TOKENS[4])
    assert told.use_template_for_fc_format
    stops = [stop.text for stop in read_manifest(bundle).stop_tokens]
    assert stops[0] == "<end_of_turn>" and "<start_function_response>" in stops


def test_the_manifest_has_all_that_an_app_needs(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    calling = manifest.calling
    assert calling is not None
    assert (calling.dialect, calling.choice, calling.role, calling.tools) == (
        "function_gemma",
        "auto",
        "developer",
        TOOLS,
    )
    assert calling.format == regex(TOOLS, "function_gemma", "auto")
    assert calling.system.startswith("You are a model that can do function calling")
    assert all(f"declaration:{tool.name}{{" in calling.declarations for tool in TOOLS)
    ends_call = next(s.ids[0] for s in manifest.stop_tokens if s.text == "<start_function_response>")
    assert ends_call not in (manifest.suppressed_tokens or ())


def test_prompts_are_those_of_transformers_token_by_token(checkpoint: Path, bundle: Path) -> None:
    """Calls and results reach the engine as edgekit writes them, or as JSON from an app with tools of its own."""
    calling = read_manifest(bundle).calling
    assert calling is not None
    calls = [Call("show_map", {"query": "Zürich", "Near": [1, 2.5, True]}), Call("open_wifi_settings", {})]
    results = [("show_map", {"ok": True, "n": {"b": 3, "A": "x"}}), ("open_wifi_settings", {"ok": False})]
    asked, goes_on = {"role": "user", "content": "Go"}, {"role": "user", "content": "Thanks"}
    done = {"role": "assistant", "content": "Done."}
    called = [
        {"type": "function", "function": {"name": c.name, "arguments": dict(c.arguments)}} for c in calls
    ]
    first = calling.first("Be brief.")
    assert first is not None

    theirs = [
        {"role": "developer", "content": "Be brief."},
        asked,
        {"role": "assistant", "tool_calls": called},
        *({"role": "tool", "name": name, "content": result} for name, result in results),
        done,
        goes_on,
    ]
    as_text = [
        first,
        asked,
        {"role": "assistant", "content": render(calls, "function_gemma")},
        result_message(results, "function_gemma"),
        done,
        goes_on,
    ]
    responses = [{"type": "tool_response", "name": name, "response": result} for name, result in results]
    as_json = [
        first,
        asked,
        {"role": "assistant", "tool_calls": called},
        {"role": "tool", "content": responses},
        done,
        goes_on,
    ]
    apart = [*as_json[:3], *({"role": "tool", "content": [one]} for one in responses), done, goes_on]

    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)

    def wanted(turns: int) -> tuple[int, ...]:
        told = {"tools": openai(TOOLS), "add_generation_prompt": True, "return_dict": False}
        return tuple(tokenizer.apply_chat_template(theirs[:turns], **told))

    with ask(model_of(bundle)) as session:
        for messages, ends in ((as_text, (2, 4, 6)), (as_json, (2, 4, 6)), (apart, (2, 5, 7))):
            for theirs_end, end in zip((2, 5, 7), ends, strict=True):
                assert session.prompt_ids(messages[:end]) == wanted(theirs_end)


def test_no_other_call_comes_out_and_the_turn_goes_on(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    calling = manifest.calling
    assert calling is not None
    with ask(model_of(bundle), suppressed=manifest.suppressed_tokens) as session:

        def say(tools, choice="required"):  # type: ignore[no-untyped-def]
            held = AnswerFormat("regex", regex(tools, "function_gemma", choice, longest=6))
            decoding = Decoding(sampler=GREEDY, max_tokens=400, answers=held)
            with session.talk(decoding, [calling.first()]) as talk:
                reply = talk.say("Zoë, 3")
                answer = parse(reply.text, "function_gemma")
                if answer.calls:
                    results = result_message([(c.name, {"ok": True}) for c in answer.calls], "function_gemma")
                    fed = talk.render(results).text
                    assert fed is not None and fed.startswith("response:")
                return answer

        for tools in (*((tool,) for tool in TOOLS), TOOLS, HARD):
            answer = say(tools)
            assert answer.calls, answer
            assert not [problem for call in answer.calls for problem in misfits(call, tools)]
        assert say(TOOLS, "none").calls == ()


@pytest.mark.nightly
def test_random_weights_of_function_gemmas_shape_are_held_to_a_call(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "checkpoint_270m.py"
    subprocess.run([sys.executable, script, tmp_path / "caller", "--calls"], check=True, capture_output=True)
    made = convert(tmp_path / "caller", tmp_path / "b", text=TextOptions(tools=MOBILE_ACTIONS))  # and called
    calling = made.manifest.calling
    assert calling is not None and calling.dialect == "function_gemma"
    held = AnswerFormat("regex", regex(TOOLS, "function_gemma", "required", longest=6))
    decoding = Decoding(sampler=GREEDY, max_tokens=400, answers=held)
    suppressed = made.manifest.suppressed_tokens
    with (
        ask(model_of(tmp_path / "b"), suppressed=suppressed) as session,
        session.talk(decoding, [calling.first()]) as talk,
    ):
        answer = parse(talk.say("Show me Zürich").text, "function_gemma")
    assert answer.calls and answer.problem is None
    assert not [problem for call in answer.calls for problem in misfits(call, TOOLS)]


@pytest.mark.parametrize(
    ("tokens", "template", "error", "says"),
    [
        (TOKENS[:-1], None, CheckpointError, "no token of its own for <escape>"),
        (TOKENS, "plain", CheckpointError, "writes no <start_function_call>"),
        (TOKENS, "deaf", TemplateError, "does not tell the model of tools"),
        (TOKENS, "forgetful", TemplateError, "leaves out query of show_map"),
    ],
)
def test_a_half_trained_checkpoint_is_refused(
    tmp_path: Path, tokens: tuple[str, ...], template: str | None, error: type[EdgekitError], says: str
) -> None:
    directory = calling_checkpoint(tmp_path / "c", tokens=tokens)
    source = TEMPLATE.read_text("utf-8")
    changed = {
        None: source,
        "plain": source.replace("<start_function_call>", "```"),
        "deaf": source.replace("for tool in tools", "for tool in []"),
        "forgetful": source.replace("'nullable'] -%}", "'nullable', 'query'] -%}"),
    }[template]
    (directory / "chat_template.jinja").write_text(changed, "utf-8")
    with pytest.raises(error, match=says):
        convert(directory, tmp_path / "b", text=TextOptions(tools=MOBILE_ACTIONS), check=False)
    assert not (tmp_path / "b").exists()


def test_a_parameter_that_the_template_swallows(checkpoint: Path, tmp_path: Path) -> None:
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"type": {"type": "string"}}}}
    (tmp_path / "tools.json").write_text(json.dumps([tool]))
    with pytest.raises(InputError, match=r"properties\.type: FunctionGemma's chat template leaves out"):
        convert(checkpoint, tmp_path / "b", text=TextOptions(tools=tmp_path / "tools.json"), check=False)


def test_an_enum_that_the_engine_cannot_spell(checkpoint: Path, tmp_path: Path) -> None:
    place = {"type": "string", "enum": ["Zoë"]}
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"place": place}}}
    (tmp_path / "tools.json").write_text(json.dumps([tool]))
    with pytest.raises(InputError, match="no token for 'ë'"):
        convert(checkpoint, tmp_path / "b", text=TextOptions(tools=tmp_path / "tools.json"))


def test_a_plain_checkpoint_calls_in_json(demo_path: Path, tmp_path: Path) -> None:
    made = convert(demo_path, tmp_path / "b", text=TextOptions(tools=MOBILE_ACTIONS, tool_choice="required"))
    calling = made.manifest.calling
    assert calling is not None
    assert (calling.dialect, calling.declarations, calling.first()) == ("json", "", None)


def test_options_that_exclude_each_other(demo_path: Path, tmp_path: Path) -> None:
    for options in (TextOptions(tool_choice="none"), TextOptions(tools=MOBILE_ACTIONS, answer_regex="a")):
        with pytest.raises(InputError):
            convert(demo_path, tmp_path / "b", text=options)
