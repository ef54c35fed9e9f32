"""`edgekit inspect` of adapter bundles, and of bases that take them. (Of bundles: test_others.py.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.bundle.adapter.summary import inspect_adapter
from edgekit.bundle.inspect import inspect
from tests.cli.running import Cli


def test_an_adapter_bundle_is_told_by_base_rank_and_changes(cli: Cli, sentiment_adapter: Path) -> None:
    done = cli("inspect", sentiment_adapter)
    assert (done.code, done.err) == (0, "")
    for words in (
        "the adapter sentiment, made from sentiment for settings-navigator",
        "8 as trained, 16 as stored, alpha 16",
        "6 '<end_of_turn>', 1 '<eos>'",
        "held to a json_schema",
        "each message begins a new conversation",
        "‖ΔW‖",
    ):
        assert words in done.out
    rows = [line.split() for line in done.out.splitlines() if "_proj " in line]
    assert [row[0] for row in rows] == ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert {row[1] for row in rows} == {"6"}
    assert cli("inspect", next(sentiment_adapter.glob("*.lora.tflite"))).out == done.out


def test_an_adapter_bundle_as_json(cli: Cli, triage_adapter: Path) -> None:
    done = cli("inspect", triage_adapter, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == json.loads(json.dumps(inspect_adapter(triage_adapter).to_json()))


@pytest.mark.slow
def test_a_base_says_what_it_takes(cli: Cli, adapter_ready_bundle: Path, bundle: Path) -> None:
    done = cli("inspect", adapter_ready_bundle)
    assert done.code == 0, done.err
    assert (
        "takes those of rank 16 on q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj" in done.out
    )
    assert "84 matrices of adapters" in done.out
    assert "lora_" not in done.out
    assert "adapters" not in cli("inspect", bundle).out


def test_adapters_that_fit_a_base_are_shown_with_it(
    cli: Cli, adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    both = ("--adapter", sentiment_adapter, "--adapter", triage_adapter)
    done = cli("inspect", adapter_ready_bundle, *both)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("fits this base") == 2
    told = cli("inspect", adapter_ready_bundle, *both, "--json").json
    assert [found["manifest"]["name"] for found in told.pop("adapters")] == ["sentiment", "support-triage"]
    assert told == json.loads(json.dumps(inspect(adapter_ready_bundle).to_json()))


def test_adapters_that_do_not_fit(cli: Cli, bundle: Path, sentiment_adapter: Path) -> None:
    done = cli("inspect", bundle, "--adapter", sentiment_adapter)
    assert (done.code, done.out) == (2, "")
    assert "takes no adapters" in done.err
    done = cli("inspect", sentiment_adapter, "--adapter", sentiment_adapter)
    assert (done.code, done.out) == (2, "")
    assert "name the base first" in done.err


@pytest.mark.parametrize("command", ["chat", "bench", "validate", "package"])
def test_an_adapter_bundle_is_no_base(cli: Cli, sentiment_adapter: Path, command: str) -> None:
    done = cli(command, sentiment_adapter)
    assert (done.code, done.out) == (2, "")
    assert "this is an adapter bundle" in done.err
    assert "pass this one with --adapter" in done.err
