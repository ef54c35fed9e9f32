"""Other releases of the engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import edgekit
from edgekit.validation.checks import (
    releases,
)
from tests.conftest import SENTIMENT
from tests.fixtures.releases import another_release
from tests.validation.reading import BRIEF, failures, section

pytestmark = pytest.mark.slow


def test_another_release_is_judged_like_this_one(
    int8_bundle: Path, demo_path: Path, few_rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This environment stands for the other release's; benchmarks/validate.py asks a real 0.11.0."""
    monkeypatch.setattr(releases, "environment", lambda release, progress: Path(sys.executable))
    report = edgekit.validate(int8_bundle, demo_path, data=few_rows, runtimes=("0.18.1",), report=False)
    assert report.check("runtimes").status == "passed"
    (release,) = section(report, releases.Section).releases
    assert [check.name for check in release.checks] == ["tokens", "template", "stop", "generation"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pass", None),
        ("del litert_lm.LoraConfig", "no LoraConfig to give it a sidecar"),
        (
            "make = litert_lm.LoraConfig; litert_lm.LoraConfig = lambda lora_path: make(lora_path='{empty}')",
            "the sidecar has no effect",
        ),
    ],
    ids=["applies it", "knows of none", "ignores it"],
)
def test_a_release_on_which_an_adapter_has_no_effect_is_told(
    adapter_ready_bundle: Path,
    sentiment_adapter: Path,
    demo_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    said: str | None,
) -> None:
    """Each stands for a release; 0.11.0 really is as the second."""
    changed = change.format(empty=adapter_ready_bundle / "empty.lora.tflite")
    python = another_release(tmp_path, changed)
    monkeypatch.setattr(releases, "environment", lambda release, progress: python)
    junit = tmp_path / "junit.xml"
    report = edgekit.validate(
        adapter_ready_bundle,
        SENTIMENT / "adapter",
        base=demo_path,
        adapter=sentiment_adapter,
        data=SENTIMENT / "eval.jsonl",
        runtimes=("0.11.0",),
        junit=junit,
        **BRIEF,
    )
    assert 'name="edgekit validate sentiment on settings-navigator"' in junit.read_text()
    (release,) = section(report, releases.Section).releases
    assert release.opens
    assert failures(report) == (set() if said is None else {"runtimes"})
    assert (release.reason is None) if said is None else (release.reason and said in release.reason)
    assert [check.name for check in release.checks] == (
        ["tokens", "template", "stop", "generation"] if said is None else []
    )
