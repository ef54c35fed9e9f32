"""config.json in every spelling that Transformers has written, and the models that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.families.config import parse_architecture, read_architecture
from edgekit.families.gemma3 import tensors as expected_shapes
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import config_document, old_config_document, write_json

HERE = Path("config.json")
READ_AS_IS = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "sliding_window", "query_pre_attn_scalar", "rms_norm_eps"),
    *("hidden_activation", "max_position_embeddings"),
)


def parse(document: dict[str, Any]) -> Any:
    return parse_architecture(document, where=HERE)


def test_old_and_new_spelling_describe_the_same_model() -> None:
    assert parse(config_document()) == parse(old_config_document())


def test_the_values_are_those_of_the_file() -> None:
    config = parse(config_document())
    assert (config.vocab_size, config.hidden_size, config.head_dim, config.sliding_window) == (
        320,
        64,
        16,
        512,
    )
    assert config.layer_types == ("sliding_attention", "full_attention")
    assert (config.rope_theta, config.rope_local_base_freq, config.rope_scaling_factor) == (1e6, 1e4, 1)
    assert config.tied_embedding and not config.conditional


@pytest.mark.parametrize("build", [config_document, old_config_document])
@pytest.mark.slow
def test_transformers_reads_the_same(build: Any, tmp_path: Path) -> None:
    from transformers import AutoConfig

    scaling = {"rope_type": "linear", "factor": 8.0}
    document = build()
    if "rope_parameters" in document:
        document["rope_parameters"]["full_attention"] |= scaling
        document["rope_parameters"]["full_attention"]["rope_theta"] = 500000.0
    else:
        document |= {"rope_scaling": scaling, "rope_theta": 500000.0}
    write_json(tmp_path / "config.json", document)
    reference = AutoConfig.from_pretrained(tmp_path)
    config = read_architecture(tmp_path)

    for key in READ_AS_IS:
        assert getattr(config, key) == getattr(reference, key), key
    assert config.tied_embedding == reference.tie_word_embeddings
    assert list(config.layer_types) == reference.layer_types
    full = reference.rope_parameters["full_attention"]
    assert config.rope_theta == full["rope_theta"] == 500000.0
    assert config.rope_local_base_freq == reference.rope_parameters["sliding_attention"]["rope_theta"]
    assert config.rope_scaling_factor == 8.0
    assert {key: value for key, value in full.items() if key != "rope_theta"} == scaling


@pytest.mark.slow
def test_absent_keys_have_the_defaults_of_transformers(tmp_path: Path) -> None:
    from transformers import AutoConfig

    minimal = {
        "model_type": "gemma3_text",
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 7,
    }
    write_json(tmp_path / "config.json", minimal)
    reference = AutoConfig.from_pretrained(tmp_path)
    config = read_architecture(tmp_path)
    for key in READ_AS_IS:
        assert getattr(config, key) == getattr(reference, key), key
    assert config.tied_embedding == reference.tie_word_embeddings
    assert list(config.layer_types) == reference.layer_types


def test_every_sixth_layer_is_full_attention_by_default() -> None:
    document = config_document(num_hidden_layers=13)
    del document["layer_types"]
    full = [layer for layer, kind in enumerate(parse(document).layer_types) if kind == "full_attention"]
    assert full == [5, 11]


def test_the_text_part_of_the_vision_model_is_used() -> None:
    document = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "text_config": {"model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 96,
                        "num_hidden_layers": 2, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}},
        "vision_config": {},
    }  # fmt: skip
    config = parse(document)
    assert config.conditional
    assert config.rope_scaling_factor == 8.0


@pytest.mark.slow
def test_expected_shapes_are_those_of_transformers() -> None:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    model = Gemma3ForCausalLM(Gemma3TextConfig(**config_document(tie_word_embeddings=False)))
    reference = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert expected_shapes(parse(config_document(tie_word_embeddings=False))) == reference
    assert set(reference) - set(expected_shapes(parse(config_document()))) == {"lm_head.weight"}


# What is refused


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (config_document(architectures=["LlamaForCausalLM"], model_type="llama"), "LlamaForCausalLM"),
        (config_document(architectures=["Gemma3ForSequenceClassification"]), "SequenceClassification"),
        (config_document(architectures=None, model_type="gemma2"), "gemma2"),
        (config_document(quantization_config={"quant_method": "bitsandbytes"}), "bitsandbytes"),
        (config_document(quantization={"bits": 4, "group_size": 64}), "already quantized"),
    ],
)
def test_other_models_are_refused_with_a_way_out(document: dict[str, Any], words: str) -> None:
    with refused("config.json", words):
        parse(document)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use_bidirectional_attention": True}, "use_bidirectional_attention"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_size": None}, '"hidden_size" is missing'),
        ({"hidden_size": "640"}, "\"hidden_size\" is '640'"),
        ({"hidden_size": True}, '"hidden_size" is True'),
        ({"num_hidden_layers": 10**9}, '"num_hidden_layers" is 1000000000'),
        ({"head_dim": 0}, '"head_dim" is 0'),
        ({"rms_norm_eps": float("nan")}, '"rms_norm_eps" is nan'),
        ({"rms_norm_eps": -1e-6}, "not a positive number"),
        ({"num_attention_heads": 3, "num_key_value_heads": 2}, "not a multiple"),
        ({"layer_types": ["sliding_attention"]}, "1 entries for num_hidden_layers 2"),
        ({"layer_types": ["sliding_attention", "linear_attention"]}, "layer_types"),
        ({"tie_word_embeddings": "yes"}, '"tie_word_embeddings"'),
        ({"attn_logit_softcapping": 50.0}, "soft caps"),
        ({"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}, "rope_parameters"),
        ({"rope_parameters": {"full_attention": {}, "sliding_attention": {"rope_type": "linear"}}}, "linear"),
        ({"rope_parameters": 3}, '"rope_parameters" is 3'),
        ({"hidden_activation": 3}, '"hidden_activation"'),
        ({"architectures": 3}, '"architectures"'),
    ],
)
def test_a_wrong_value_is_named_with_its_key(changes: dict[str, Any], words: str) -> None:
    with refused("config.json", words):
        parse(config_document(**changes))


@pytest.mark.parametrize(
    ("scaling", "words"),
    [
        ({"rope_type": "yarn", "factor": 8.0}, "'yarn'"),
        ({"rope_type": ["linear"]}, "the type"),
        ({"rope_type": "linear"}, "no positive factor"),
        ({"rope_type": "linear", "factor": -1}, "no positive factor"),
        ({"rope_type": "linear", "factor": True}, "no positive factor"),
    ],
)
def test_rotary_scaling_that_no_graph_computes_is_refused(scaling: dict[str, Any], words: str) -> None:
    with refused("config.json", "rope_scaling", words):
        parse(old_config_document(rope_scaling=scaling))


def test_a_vision_model_without_text_config_is_refused() -> None:
    with refused("text_config"):
        parse({"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{", "line 1"),
        (b"[]", "a JSON list"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[" * 100_000, "nested deeper than 200 levels"),
        (b'{"vocab_size": ' + b"9" * 10_000 + b"}", "not usable JSON"),
    ],
)
def test_a_damaged_file_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with refused("config.json", words):
        read_architecture(tmp_path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with refused("config.json", "no such file"):
        read_architecture(tmp_path)
