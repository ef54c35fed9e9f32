"""A target is one file and one line: package and command line know of it whatever is in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

import edgekit
from edgekit.cli import package as command
from edgekit.cli.panels import GroupedCommand
from edgekit.errors import InputError
from edgekit.packaging import targets
from edgekit.packaging.target import PackageTarget

MODULE = '''
"""`--to zip`: everything in one archive."""

import shutil
from dataclasses import dataclass
from typing import Annotated

from edgekit.errors import InputError
from edgekit.packaging.source import place_assets
from edgekit.packaging.target import Flag, PackageTarget, Written


@dataclass(frozen=True)
class ZipOptions:
    """stored: whether it is not compressed."""

    level: Annotated[int, Flag("How small it gets.")] = 6
    stored: Annotated[bool, Flag("Do not compress.")] = False


def refuse(source, options):
    if options.level > 9:
        raise InputError("no such level", where="--level", remedy="1 to 9")


def write(job, directory, options):
    place_assets(job.source.contents, directory / "assets")
    (directory / "level").write_text(f"{options.level} {options.stored}")
    return Written(("unzip {output}",), facts={"level": options.level}, told=(("level", str(options.level)),))


ZIP = PackageTarget("zip", "an archive", ZipOptions, write, refuse=refuse)
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageTarget[Any]]:
    assert "zip_target" not in sys.modules
    (tmp_path / "zip_target.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    target: PackageTarget[Any] = import_module("zip_target").ZIP
    monkeypatch.setattr(targets, "TARGETS", (*targets.TARGETS, target))
    yield target
    del sys.modules["zip_target"]


@pytest.fixture
def run(added: PackageTarget[Any], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command line as it is with the new target."""
    app = typer.Typer(rich_markup_mode=None)
    app.command(cls=GroupedCommand)(command.command())

    def typed(*words: object) -> str:
        with pytest.raises(SystemExit):
            app([str(word) for word in words])
        return capsys.readouterr().out

    return typed


@pytest.mark.slow
def test_it_is_packaged_by_the_public_function(
    added: PackageTarget[Any], navigator: Path, tmp_path: Path
) -> None:
    made = edgekit.package(navigator, "zip", tmp_path / "out", options=added.options(level=9))
    assert (tmp_path / "out/level").read_text() == "9 False"
    assert (tmp_path / "out/assets/tasks.json").is_file()
    assert made.to_json()["level"] == 9
    assert made.next_steps == (f"unzip {tmp_path / 'out'}",)
    with pytest.raises(InputError, match="no such level"):
        edgekit.package(navigator, "zip", tmp_path / "two", options=added.options(level=10))
    assert not (tmp_path / "two").exists()


@pytest.mark.slow
def test_its_flags_are_those_of_its_options(run: Callable[..., str], navigator: Path, tmp_path: Path) -> None:
    shown = run("--help")
    assert re.search(
        r"For --to zip:\n +--level <int> +How small it gets\.\n +--stored +Do not compress\.", shown
    )
    said = run(navigator, "--to", "zip", "-o", tmp_path / "out", "--stored", "--level", "3")
    assert (tmp_path / "out/level").read_text() == "3 True"
    assert re.search(r"^level +3", said, re.MULTILINE)


def test_its_flags_are_refused_elsewhere(added: PackageTarget[Any]) -> None:
    given = {"level": 3, "version": None}
    with pytest.raises(InputError, match="means nothing for --to assets") as refusal:
        command.read_options(targets.ASSETS, given)
    assert (refusal.value.where, refusal.value.remedy) == ("--level", "it is for --to zip")


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.name)
def test_every_target_has_options_that_need_nothing_said(target: PackageTarget[Any]) -> None:
    assert command.read_options(target, {}) == target.options()
    for name, flag, _ in command.flags_of(target):
        assert flag.help.endswith("."), name
