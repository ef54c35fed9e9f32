"""generation_config.json and --sampler become one sampler."""

import json
from pathlib import Path

import pytest

from edgekit.errors import CheckpointError, InputError
from edgekit.text.generation import GREEDY, GenerationDefaults, Sampler, parse_sampler, read_generation


def write(directory: Path, content: object) -> Path:
    (directory / "generation_config.json").write_text(json.dumps(content))
    return directory


def test_a_checkpoint_without_the_file_is_sampled_as_google_recommends(tmp_path: Path) -> None:
    defaults = read_generation(tmp_path)
    assert defaults == GenerationDefaults()
    assert defaults.sampler == Sampler("top_p", temperature=1.0, top_k=64, top_p=0.95)


def test_what_the_file_says_wins_over_the_recommendation(tmp_path: Path) -> None:
    defaults = read_generation(
        write(tmp_path, {"do_sample": True, "temperature": 0.3, "top_k": 0, "top_p": 0.8})
    )
    assert defaults.sampler == Sampler("top_p", temperature=0.3, top_k=64, top_p=0.8)


@pytest.mark.parametrize(
    "config", [{"do_sample": False}, {"temperature": 0}, {"top_k": 1, "do_sample": True}]
)
def test_greedy_by_any_name(tmp_path: Path, config: dict[str, object]) -> None:
    assert read_generation(write(tmp_path, config)).sampler is GREEDY


@pytest.mark.parametrize(("value", "ids"), [(1, (1,)), ([1, 106, 1], (1, 106)), (None, ())])
def test_end_tokens_are_one_or_many(tmp_path: Path, value: object, ids: tuple[int, ...]) -> None:
    assert read_generation(write(tmp_path, {"eos_token_id": value})).eos_token_ids == ids


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eos_token_id", "<eos>"),
        ("eos_token_id", [1, True]),
        ("do_sample", "no"),
        ("temperature", -1),
        ("temperature", float("nan")),
        ("top_k", 1.5),
        ("top_p", 2),
    ],
)
def test_a_wrong_value_is_refused_by_file_and_key(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=f'generation_config.json: key "{key}"'):
        read_generation(write(tmp_path, {key: value}))


def test_bad_json_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 1,')
    with pytest.raises(CheckpointError, match=r"generation_config\.json: is not JSON"):
        read_generation(tmp_path)


@pytest.mark.parametrize(
    ("text", "sampler"),
    [
        ("greedy", GREEDY),
        ("temperature=0", GREEDY),
        ("top_k=1", GREEDY),
        ("temperature=0.7", Sampler(temperature=0.7)),
        (" temperature=0.7, top_k=40 ,top_p=0.9", Sampler(temperature=0.7, top_k=40, top_p=0.9)),
    ],
)
def test_the_command_lines_sampler(text: str, sampler: Sampler) -> None:
    assert parse_sampler(text) == sampler
    assert parse_sampler(str(sampler)) == sampler


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a sampler setting"),
        ("beam", "'beam' is not a sampler setting"),
        ("temp=1", "'temp=1' is not a sampler setting"),
        ("temperature=hot", "temperature is 'hot', not a number"),
        ("temperature=nan", "temperature is nan"),
        ("temperature=-1", "temperature is -1"),
        ("top_k=2.5", "top_k is '2.5', not a whole number"),
        ("top_k=0", "top_k is 0"),
        ("top_p=0", "top_p is 0"),
        ("top_p=1.5", "top_p is 1.5"),
        ("top_k=3,top_k=4", "top_k is given twice"),
    ],
)
def test_a_sampler_nobody_can_mean(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_sampler(text)
