"""`edgekit vocab`: what it prints, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Cli
from tests.conftest import EXAMPLE


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    lines = (EXAMPLE / "train.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "task.jsonl"
    path.write_text("\n".join(lines[:60]), encoding="utf-8")
    return path


def test_prints_a_row_per_size_and_what_to_type_next(cli: Cli, demo_path: Path, corpus: Path) -> None:
    done = cli("vocab", demo_path, "--from", corpus, "--keep", "700,1500,1900", "--lang", "en")
    assert (done.code, done.err) == (0, "")
    first, heading, *rows = done.out.splitlines()
    assert first.startswith("60 texts, ")
    assert heading.split()[:6] == ["pieces", "coverage", "unseen", "texts", "cut", "otherwise"]
    assert heading.split()[6:] == ["int8", "int4", "int4-all"]
    assert [row.split()[0] for row in rows[:4]] == ["700", "1,500", "1,900", "2,048"]
    assert "too small" in rows[0]
    assert "whole" in rows[3]
    assert rows[4].startswith("cut otherwise: answers of every tenth text ")


def test_a_size_that_holds_the_texts_alone_is_not_proposed(
    cli: Cli, demo_path: Path, corpus: Path, tmp_path: Path
) -> None:
    """Rows that are not among the texts judge it."""
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "eval.jsonl").write_text("\n".join(lines[:60]), encoding="utf-8")
    options = ("--from", corpus, "--check", tmp_path / "eval.jsonl", "--keep", "900,2040")
    survey = cli("vocab", demo_path, *options, "--json").json
    assert (survey["held_out"], survey["checked"]) == ("eval.jsonl", True)
    least, most, _ = survey["sizes"]
    assert least["cut"]["rows"] == 60 and least["cut"]["answers"] > most["cut"]["answers"] == 0
    assert survey["proposal"] == 2040
    *_, words, command = cli("vocab", demo_path, *options).out.splitlines()
    assert words.startswith("with 900 pieces it would spell ")
    assert command == "next: edgekit convert … --vocab-from … --vocab-keep 2040"


def test_where_answers_repeat_names_the_texts_alone_propose_nothing(
    cli: Cli, demo_path: Path, tmp_path: Path
) -> None:
    names = ("Ivy", "Kwame", "Luigi", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sofia", "Tariq", "Uma")
    rows = [{"prompt": f"call {name} {n}", "expected": f"{name}, {n}"} for name in names for n in range(3)]
    (tmp_path / "calls.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    *_, warning, nothing = cli("vocab", demo_path, "--from", tmp_path / "calls.jsonl").out.splitlines()
    assert warning.startswith("warning: answers repeat words of their prompts, such as ")
    assert nothing.startswith("no size is proposed: ")
    assert "--check eval.jsonl" in nothing and "--lang en" in nothing


def test_json_holds_the_figures(cli: Cli, demo_path: Path, corpus: Path) -> None:
    found = cli("vocab", demo_path, "--from", corpus, "--recipe", "int4-head", "--json").json
    assert found["texts"] == 60
    assert [size["pieces"] for size in found["sizes"]] == [512, 1024, 1536, 2048]
    assert list(found["sizes"][0]["bytes"]) == ["int4-head"]


def test_writes_a_page(cli: Cli, demo_path: Path, corpus: Path, tmp_path: Path) -> None:
    done = cli("vocab", demo_path, "--from", corpus, "-o", tmp_path / "v.html")
    assert done.out.splitlines()[-1] == f"wrote {tmp_path / 'v.html'}"
    assert "<!DOCTYPE html>" in (tmp_path / "v.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--keep", "a"), "'a' is no number"),
        (("--keep", "4096"), "4,096 is not from 1 to 2,047"),
        (("--lang", "xx"), "'xx' is no language"),
        (("--recipe", "none"), "there is no such recipe"),
        (("--answer-regex", "a", "--answer-schema", "b.json"), "a schema and a regular expression"),
    ],
)
def test_what_makes_no_sense_exits_2(
    cli: Cli, demo_path: Path, corpus: Path, options: tuple[str, ...], said: str
) -> None:
    done = cli("vocab", demo_path, "--from", corpus, *options)
    assert done.code == 2
    assert said in done.err
