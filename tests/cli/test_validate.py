"""`edgekit validate` on the command line: a table, one JSON value, and an exit status that CI can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.errors import AdapterError, GateError
from edgekit.validation.checks import CHECKS
from edgekit.validation.report import Parity
from tests.conftest import EXAMPLE, SENTIMENT, TRIAGE
from tests.fixtures.bundles import Bundles

pytestmark = pytest.mark.slow

FEW = ("--limit", "4", "--max-tokens", "24", "--no-report", "-q")


@pytest.fixture(scope="module")
def arguments(bundles: Bundles, demo_path: Path) -> list[str]:
    return ["validate", str(bundles()), str(demo_path), "--data", str(EXAMPLE / "eval.jsonl"), *FEW]


def test_every_check_has_a_line_and_the_last_one_is_the_verdict(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert sum(line.startswith(("passed ", "skipped ", "warned ")) for line in lines) == len(CHECKS)
    said = " ".join(result.output.split())
    assert "too few rows to tell: " in said and "rows would be enough (4 of" in said


def test_json_is_the_report(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert Parity.from_json(json.loads(result.stdout)).passed


def test_a_failed_gate_exits_1_and_says_which_by_how_much_and_what_helps(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--max-kl", "1e-12"])
    assert isinstance(result.exception, GateError)
    assert result.exception.exit_code == 1
    assert "mean KL is" in result.exception.message
    assert "allowed is at most 1e-12" in result.exception.message
    assert "convert with --calibrate" in (result.exception.remedy or "")


def test_an_adapter_is_compared_both_ways(
    adapter_ready_bundle: Path, sentiment_adapter: Path, bundles: Bundles, demo_path: Path
) -> None:
    merged = bundles(TRIAGE / "adapter", base=demo_path, name="merged")
    result = CliRunner().invoke(
        app,
        [
            *("validate", str(adapter_ready_bundle), str(SENTIMENT / "adapter"), "--base", str(demo_path)),
            *("--adapter", str(sentiment_adapter), "--against", str(merged)),
            *("--data", str(SENTIMENT / "eval.jsonl"), *FEW),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "Effect of the adapter" in result.output
    assert "beside the merged bundle: " in " ".join(result.output.split())


def test_an_adapter_over_a_bundle_that_takes_none_is_bad_input(
    bundles: Bundles, sentiment_adapter: Path
) -> None:
    result = CliRunner().invoke(app, ["validate", str(bundles()), "--adapter", str(sentiment_adapter)])
    assert isinstance(result.exception, AdapterError)
    assert result.exception.exit_code == 2
