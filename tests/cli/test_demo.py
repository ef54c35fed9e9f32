"""`edgekit demo --adapters`: one base and two adapters, from nothing to answers. (The plain demo: test_others.py.)"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from edgekit.demo import PROMPTS_BY_SPEAKER
from edgekit.examples import sentiment, settings_navigator, support_triage
from tests.cli.running import Cli, Done, child

pytestmark = pytest.mark.slow

KEYS = {
    "base": {"screen", "setting", "action"},
    "sentiment": {"sentiment"},
    "triage": {"team", "urgency"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(place: Path) -> Done:
    return child("demo", "--adapters", "-o", place / "it's")


def test_all_three_answer_in_their_own_way(shown: Done) -> None:
    assert shown.code == 0, shown.err
    for voice, prompts in PROMPTS_BY_SPEAKER.items():
        for prompt in prompts:
            (line,) = (line for line in shown.out.splitlines() if line.startswith(voice) and prompt in line)
            assert json.loads(line[line.index("{") : line.index("}") + 1]).keys() == KEYS[voice]


def test_everything_lies_side_by_side_with_its_presets(shown: Done, place: Path) -> None:
    assert {path.name for path in place.iterdir()} == {"it's-base", "it's-sentiment", "it's-triage"}
    examples = {"base": settings_navigator(), "sentiment": sentiment(), "triage": support_triage()}
    for name, example in examples.items():
        presets = place / f"it's-{name}" / "edgekit.toml"
        assert presets.read_bytes() == (example / "edgekit.toml").read_bytes()


def test_the_next_commands_can_be_pasted(cli: Cli, shown: Done, place: Path) -> None:
    chat, package = (shlex.split(line.partition(": ")[2]) for line in shown.out.splitlines()[-2:])
    base, *adapters = (str(place / f"it's-{name}") for name in KEYS)
    both = ["--adapter", adapters[0], "--adapter", adapters[1]]
    assert chat == ["edgekit", "chat", base, *both]
    assert package == ["edgekit", "package", base, *both, "--to", "apk"]
    assert cli("inspect", base, *both).code == 0


def test_again_as_json_and_edited_presets_stay(cli: Cli, shown: Done, place: Path) -> None:
    presets = place / "it's-triage" / "edgekit.toml"
    presets.write_text('title = "Mine"\n')
    done = cli("demo", "--adapters", "-o", place / "it's", "--recipe", "int4", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["convert"]["manifest"]["recipe"]["name"] == "int4"
    assert [adapter["manifest"]["name"] for adapter in done.json["adapters"]] == ["sentiment", "triage"]
    answers = done.json["answers"]
    assert {voice: tuple(said) for voice, said in answers.items()} == PROMPTS_BY_SPEAKER
    assert {reply["adapter"] for reply in answers["triage"].values()} == {"triage"}
    assert {reply["adapter"] for reply in answers["base"].values()} == {None}
    assert presets.read_text() == 'title = "Mine"\n'
