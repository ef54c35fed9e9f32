"""docs/benchmarks.md says what benchmarks/results say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_page", ROOT / "benchmarks" / "page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_results_give(script: ModuleType) -> None:
    told = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert told == script.page(), "run python benchmarks/page.py"


def test_what_failed_is_told_and_what_is_missing_left_out(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = {"cpu": "a processor", "cores": 2, "versions": {"litert-lm-api": "0.18.1"}}
    row = {"prefill": 1000.4, "decode": 60.04, "first": 0.0204, "peak": 4e8}
    rows = {"20": {"int8": row, "llama.cpp Q8_0": {"failure": "it was ended by SIGILL"}}}
    results = {"of": "somebody's weights", "bytes": {"int8": 278e6, "llama.cpp Q8_0": 291e6}, "rows": rows}
    (tmp_path / "speed.json").write_text(json.dumps({"machine": machine, "results": results}))
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    page = script.page()
    assert "Somebody's weights. Two threads" in page and "a processor, 2 cores" in page
    assert "|20|int8|278|1,000|60.0|20 ms|400 MB|" in page
    assert "|20|llama.cpp Q8_0|291|it was ended by SIGILL||||" in page
    assert "## Adapters" not in page
