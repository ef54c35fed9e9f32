"""`edgekit bench`: what it prints, its exit codes, and the flags that it had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.benchmark import runners
from edgekit.benchmark.runner import choose
from edgekit.cli.bench import EXAMPLES
from edgekit.cli.renamed import RENAMED
from tests.cli.running import Cli
from tests.fixtures.bundles import Bundles

FEW = ("--prefill", "16", "--decode", "8", "--threads", "2", "--runs", "1")


@pytest.mark.slow
def test_the_table_the_markdown_and_the_json(
    cli: Cli, bundle: Path, bundles: Bundles, tmp_path: Path
) -> None:
    shown = cli("bench", bundle, *FEW, "-o", tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert "cpu t2 pp16 tg8" in shown.out and "bench-host.html" in shown.out
    pasted = cli("bench", bundle, *FEW, "-o", tmp_path, "--markdown")
    assert pasted.out.startswith("| target | model | case |")
    told = cli("bench", bundle, *FEW, "-o", tmp_path, "--json", "--against", bundles(recipe="float32")).json
    assert [result["bundle"]["recipe"] for result in told["results"]] == ["int8", "float32"]
    assert {"decode", "ttft"} <= {comparison["metric"] for comparison in told["comparisons"]}
    assert told["problems"] == []


def test_adapters_and_switching_are_named(
    cli: Cli, adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path, tmp_path: Path
) -> None:
    words = ["bench", adapter_ready_bundle, "--adapter", sentiment_adapter, "--adapter", triage_adapter]
    shown = cli(*words, *FEW, "-o", tmp_path, "--markdown")
    assert shown.code == 0, shown.err
    assert "| host | sentiment on settings-navigator |" in shown.out
    assert "switching between sentiment, support-triage takes" in shown.out
    (path,) = tmp_path.glob("*.json")
    told = json.loads(path.read_text())
    assert told["bundle"]["adapter"]["name"] == "sentiment"
    assert told["switching"]["adapters"] == ["sentiment", "support-triage"]


@pytest.mark.slow
def test_exit_codes(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    limit = cli("bench", bundle, *FEW, "-o", tmp_path, "--fail-if", "decode < 1e9")
    assert limit.code == 1 and "decode < 1e9" in limit.err
    broken = cli("bench", bundle, *FEW, "--kv-length", "8", "-o", tmp_path)
    assert broken.code == 1 and "KV length" in broken.err
    for words in (
        [tmp_path / "absent"],
        [bundle, "--prefill", "many"],
        [bundle, "--on", "app=phone.json", "--prefill", "16"],
        [bundle, "--against", f"llama.cpp={bundle}"],
        ["--clean", "--on", "host"],
        [],
    ):
        assert cli("bench", *words).code == 2


@pytest.mark.parametrize("flag", RENAMED["bench"])
def test_an_old_flag_names_the_new_one(cli: Cli, flag: str) -> None:
    done = cli("bench", "my-fine-tune", flag, "x")
    assert done.code == 2
    assert f"{flag} was renamed: use {RENAMED['bench'][flag]}" in done.err


def test_help_names_every_place_and_rival_in_its_group(cli: Cli) -> None:
    shown = " ".join(cli("bench", "--help").out.split())
    where = shown[shown.index("Where, and against what:") : shown.index("What is measured:")]
    for kind in runners.KINDS:
        assert kind.name in where


def test_the_examples_are_what_the_options_take(cli: Cli) -> None:
    shown = [line.strip() for line in cli("bench", "--help").out.splitlines()]
    examples = [line for line in EXAMPLES.splitlines() if line.startswith("edgekit ")]
    assert examples and set(examples) <= set(shown)
    places = [line.split("--on ")[1].split()[0] for line in examples if "--on " in line]
    assert places and all(choose(place, "--on", runners.KINDS) for place in places)
