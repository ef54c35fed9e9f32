"""What a bundle tells the engine about text: start, stop and pad tokens, sampler, template, lengths."""

import json
from pathlib import Path

import pytest
from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

from edgekit.bundle.metadata import build_executor_metadata, build_llm_metadata, serialize
from edgekit.families.config import read_architecture
from edgekit.graph.format import Form
from edgekit.text.generation import GREEDY, Sampler
from edgekit.text.settle import read_text
from tests.fixtures.tokenizers import demo_tokenizer
from tests.text.template.test_rewrite import TEMPLATES

END_OF_TURN, EOS, BOS, PAD = 6, 1, 2, 0


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return demo_tokenizer(tmp_path)


def built(checkpoint: Path, rows: int = 2048, sampler: Sampler | None = None) -> LlmMetadata:
    content = serialize(build_llm_metadata(read_text(checkpoint, rows=rows, sampler=sampler), kv_length=2048))
    return LlmMetadata.FromString(content)


def stops(metadata: LlmMetadata) -> list[list[int]]:
    return [list(token.token_ids.ids) for token in metadata.stop_tokens]


def test_the_demo(checkpoint: Path) -> None:
    metadata = built(checkpoint)
    assert list(metadata.start_token.token_ids.ids) == [BOS]
    assert list(metadata.pad_token.token_ids.ids) == [PAD]
    assert stops(metadata) == [[END_OF_TURN], [EOS]]
    assert metadata.max_num_tokens == 2048
    assert metadata.llm_model_type.WhichOneof("model_type") == "generic_model"
    assert "<start_of_turn>" in metadata.jinja_prompt_template
    assert metadata.min_runtime_version == "0.11.0"


@pytest.mark.parametrize(
    ("eos", "expected"),
    [
        (1, [[END_OF_TURN], [EOS]]),
        ([1, END_OF_TURN], [[END_OF_TURN], [EOS]]),
        ([1, 50], [[END_OF_TURN], [EOS], [50]]),
        (None, [[END_OF_TURN], [EOS]]),
    ],
)
def test_every_end_of_turn_is_a_stop_token_whatever_the_generation_config_forgot(
    checkpoint: Path, eos: object, expected: list[list[int]]
) -> None:
    (checkpoint / "generation_config.json").write_text(json.dumps({"eos_token_id": eos}))
    assert stops(built(checkpoint)) == expected


def test_what_was_forgotten_is_said(checkpoint: Path) -> None:
    (checkpoint / "generation_config.json").write_text(json.dumps({"eos_token_id": 1}))
    (note,) = read_text(checkpoint, rows=2048).notes
    assert "ends generation at [1]; added [6]" in note


def test_a_templates_own_end_of_turn_stops_and_comes_first(checkpoint: Path) -> None:
    (checkpoint / "chat_template.jinja").write_text(TEMPLATES["ChatML"])
    (checkpoint / "added_tokens.json").write_text(json.dumps({"<|im_start|>": 2048, "<|im_end|>": 2049}))
    assert stops(built(checkpoint, rows=2050)) == [[2049], [EOS], [END_OF_TURN]]


def test_a_stop_token_without_a_row_is_left_out_and_said(checkpoint: Path) -> None:
    (checkpoint / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 5000]}))
    assert stops(built(checkpoint)) == [[END_OF_TURN], [EOS]]
    assert any("left out the stop tokens [5000]" in note for note in read_text(checkpoint, rows=2048).notes)


def test_no_start_token_where_training_had_none(checkpoint: Path) -> None:
    (checkpoint / "chat_template.jinja").write_text(TEMPLATES["no BOS"])
    assert not built(checkpoint).HasField("start_token")
    assert any("without the BOS token" in note for note in read_text(checkpoint, rows=2048).notes)


@pytest.mark.parametrize(
    ("sampler", "values"), [(GREEDY, (1, 1.0, 1.0)), (Sampler("top_p", 0.5, 40, 0.75), (40, 0.75, 0.5))]
)
def test_the_sampler_has_the_only_type_that_the_engine_implements(
    checkpoint: Path, sampler: Sampler, values: tuple[int, float, float]
) -> None:
    parameters = built(checkpoint, sampler=sampler).sampler_params
    assert type(parameters).Type.Name(parameters.type) == "TOP_P"
    assert (parameters.k, parameters.p, parameters.temperature) == values


def test_generation_settings_may_be_elsewhere(checkpoint: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "base"
    elsewhere.mkdir()
    (elsewhere / "generation_config.json").write_text(json.dumps({"do_sample": True, "top_k": 7}))
    text = read_text(checkpoint, rows=2048, generation_directory=elsewhere)
    assert text.sampler == Sampler(top_k=7)


def test_the_same_checkpoint_gives_the_same_bytes(checkpoint: Path) -> None:
    first, second = (
        serialize(build_llm_metadata(read_text(checkpoint, rows=2048), kv_length=512)) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(("form", "value_axis"), [("dynamic", 2), ("static", 3)])
def test_executor_metadata_names_every_cache_and_its_length(
    checkpoint: Path, form: Form, value_axis: int
) -> None:
    config = read_architecture(checkpoint)
    metadata = build_executor_metadata(config, form=form, kv_length=8192).llm_executor_metadata
    assert metadata.max_history_size == 8192
    names = [f"kv_cache_{which}_{layer}" for layer in range(config.layers) for which in "kv"]
    assert [buffer.decode_input_name for buffer in metadata.state_buffers] == names
    assert {buffer.maximum_sequence_length for buffer in metadata.state_buffers} == {8192}
    assert [buffer.sequence_axis for buffer in metadata.state_buffers[:2]] == [2, value_axis]
