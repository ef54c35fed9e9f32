"""How a text of `--on` or `--against` finds its runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.benchmark import runners
from edgekit.benchmark.runner import choose

ROOM = Path(runners.__file__).parent


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("host", "host", ""),
        ("adb", "adb", ""),
        ("adb:127.0.0.1:5555", "adb", "127.0.0.1:5555"),
        ("app=a=b.json", "app", "a=b.json"),
        ("official=", "official", ""),
    ],
)
def test_a_place_is_a_name_and_what_stands_behind_it(text: str, name: str, value: str) -> None:
    found = choose(text, "--on", runners.KINDS)
    assert found is not None
    assert (found[0].name, found[1]) == (name, value)


@pytest.mark.parametrize("text", ["", "hosts", "host:x", "adb=x", "app:x", "llama.cpp=x"])
def test_what_is_no_place_means_none(text: str) -> None:
    assert choose(text, "--on", runners.KINDS) is None


def test_a_file_is_no_rival_of_a_name() -> None:
    assert choose("llama.cpp.json", "--against", runners.KINDS) is None
    assert choose("host", "--against", runners.KINDS) is None


def test_every_file_stands_in_the_tuple() -> None:
    files = {path.stem for path in ROOM.glob("*.py")} - {"__init__"}
    assert {kind.name.replace(".", "_") for kind in runners.KINDS} == files
