"""Shared: a few rows of the demo's data, bundles of the demo, and the reports on them."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.validation.report import Parity
from tests.conftest import EXAMPLE, SENTIMENT, TRIAGE
from tests.fixtures.bundles import Bundles
from tests.validation.variations import IMPOSSIBLE, hostile, judged, unlooked

ROWS = 10


@pytest.fixture(scope="session")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (EXAMPLE / "eval.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("data") / "few.jsonl"
    path.write_text("\n".join(lines[:: len(lines) // ROWS][:ROWS]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def float_bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("f") / "float", recipe="float32")


@pytest.fixture(scope="session")
def int8_bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.copy(tmp_path_factory.mktemp("i") / "int8", recipe="int8")


@pytest.fixture(scope="session")
def merged_triage(bundles: Bundles, demo_path: Path) -> Path:
    """The demo's triage adapter, merged into its base."""
    return bundles(TRIAGE / "adapter", base=demo_path, name="merged")


@pytest.fixture(scope="session")
def float_report(float_bundle: Path, demo_path: Path, few_rows: Path) -> Parity:
    """On a bundle that is the checkpoint."""
    return edgekit.validate(float_bundle, demo_path, data=few_rows)


@pytest.fixture(scope="session")
def plain_report(int8_bundle: Path, demo_path: Path, few_rows: Path) -> Parity:
    """On the demo in int8."""
    return edgekit.validate(int8_bundle, demo_path, data=few_rows, report=False)


@pytest.fixture(scope="session")
def triage_report(
    adapter_ready_bundle: Path, triage_adapter: Path, merged_triage: Path, demo_path: Path
) -> Parity:
    """On an adapter over its base, held beside the merged bundle too."""
    return edgekit.validate(
        adapter_ready_bundle,
        TRIAGE / "adapter",
        base=demo_path,
        adapter=triage_adapter,
        against=merged_triage,
        data=TRIAGE / "eval.jsonl",
        limit=8,
        max_tokens=40,
    )


@pytest.fixture(scope="session")
def sentiment_report(adapter_ready_bundle: Path, sentiment_adapter: Path, demo_path: Path) -> Parity:
    """On another adapter over the same base."""
    return edgekit.validate(
        adapter_ready_bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=sentiment_adapter,
        data=SENTIMENT / "eval.jsonl",
        limit=8,
        max_tokens=24,
    )


@pytest.fixture(params=["passing", "failing", "adapted", "unlooked", "hostile"])
def any_report(request: pytest.FixtureRequest, plain_report: Parity, triage_report: Parity) -> Parity:
    """A real report, and variations of it."""
    return {
        "passing": lambda: plain_report,
        "failing": lambda: judged(plain_report, IMPOSSIBLE),
        "adapted": lambda: triage_report,
        "unlooked": lambda: unlooked(plain_report),
        "hostile": lambda: hostile(triage_report),
    }[request.param]()
