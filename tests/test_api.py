"""`import edgekit`: every verb, with its options and its result."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import edgekit
from edgekit.errors import GateError
from edgekit.results import Result, raise_if_failed

VERBS = {
    "convert": "Conversion",
    "adapter": "AdapterBundle",
    "survey_vocabulary": "Survey",
    "bench": "Bench",
    "package": "Package",
    "validate": "Parity",
    "inspect": "Summary",
    "open_bundle": "Bundle",
    "read_recipe": "Recipe",
    "chat": "Chat",
    "open_checkpoint": "Checkpoint",
}
RESULTS = ("Conversion", "AdapterBundle", "Survey", "Bench", "Package", "Parity", "Summary")


def test_every_name_is_there_and_documented() -> None:
    assert sorted(edgekit._HOMES) == sorted(set(edgekit.__all__) - {"__version__"})
    assert set(edgekit.__all__) <= set(dir(edgekit))
    for name in edgekit._HOMES:
        found = getattr(edgekit, name)
        assert inspect.getdoc(found), name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = edgekit.nothing


@pytest.mark.parametrize(("verb", "result"), VERBS.items())
def test_a_verb_returns_what_is_public_too(verb: str, result: str) -> None:
    returned = typing.get_type_hints(getattr(edgekit, verb)).get("return")
    inner = typing.get_args(returned)
    assert getattr(edgekit, result) in (returned, *inner)


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_has_what_all_results_have(name: str) -> None:
    kind = getattr(edgekit, name)
    fields = kind.__dataclass_fields__
    for member in ("passed", "problems", "files"):
        assert member in fields or isinstance(inspect.getattr_static(kind, member), property), member
    for method in ("to_json", "raise_if_failed"):
        assert callable(getattr(kind, method)), method


def test_a_conversion_is_such_a_result(demo_path: Path, tmp_path: Path) -> None:
    made = edgekit.convert(demo_path, tmp_path / "b", check=False)
    result: Result = made
    assert (result.passed, result.problems) == (True, ())
    assert [path.name for path in result.files] == ["checkpoint.litertlm", "NOTICE", "edgekit.json"]
    result.raise_if_failed()


def test_a_failed_result_raises_its_problems(tmp_path: Path) -> None:
    class Failed:
        passed = False
        problems = ("it is slow", "it answers wrong")
        files = ()

        def to_json(self) -> dict[str, typing.Any]:
            return {}

        def raise_if_failed(self) -> None:
            raise_if_failed(self, where="demo")

    with pytest.raises(GateError, match="demo: it is slow; it answers wrong"):
        Failed().raise_if_failed()


@pytest.mark.slow
def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, edgekit; print([m for m in ('numpy', 'torch', 'typer', 'msgspec') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
