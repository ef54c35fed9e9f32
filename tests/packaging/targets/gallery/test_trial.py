"""The bundle on the Gallery's release of the engine, and what is said when that release is not to be had."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.packaging.golden import Golden
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery import trial
from edgekit.packaging.targets.gallery.trial import Trial, try_gallery_runtime
from tests.packaging.targets.gallery.conftest import with_task


def really(tried: Trial) -> Trial:
    if tried.outcome == "skipped":
        pytest.skip(tried.sentence)
    return tried


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a script answer in the place of that release's Python."""
    python = folder / "python"
    python.write_text(f"#!{sys.executable}\nimport json, sys\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(trial, "environment", lambda release, progress: python)


def test_the_demo_bundle_runs_on_it_and_answers_the_same(source: Source) -> None:
    tried = really(try_gallery_runtime(source))
    assert tried.outcome == "passed"
    assert "answers 2 prompts as 0.18" in tried.sentence


def test_a_file_that_it_cannot_open_fails(source: Source, tmp_path: Path) -> None:
    model = tmp_path / "broken.litertlm"
    model.write_bytes(source.model.read_bytes()[:100_000])
    tried = really(try_gallery_runtime(replace(source, model=model)))
    assert tried.outcome == "failed"
    assert "does not run this bundle: " in tried.sentence


def test_a_bundle_that_asks_for_a_newer_release_fails_without_a_trial(source: Source) -> None:
    newer = replace(source, manifest=replace(source.manifest, minimum_runtime="0.18.1"))
    tried = try_gallery_runtime(newer)
    assert tried.outcome == "failed"
    assert "needs 0.18.1; convert with --kv-layout full" in tried.sentence


def test_prompts_reach_it_as_lists_of_parts(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked.json"
    stand_in(tmp_path, monkeypatch, f"open({str(asked)!r}, 'w').write(sys.stdin.read())")
    golden = with_task(source, golden=(Golden("what time is it", "x"),))
    try_gallery_runtime(golden)
    prompts = [messages[0]["content"] for messages in json.loads(asked.read_text())["prompts"]]
    texts = ["what time is it", *source.task.examples]
    assert prompts == [[{"type": "text", "text": text}] for text in texts]


def test_another_answer_is_a_warning_with_both(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(
        tmp_path,
        monkeypatch,
        """
print(json.dumps({"opened": {"start_id": 2, "stop_ids": [[1]]}}))
for prompt in json.load(sys.stdin)["prompts"]:
    print(json.dumps({"answer": {"text": "nonsense", "ids": [3], "tokens": 2, "ended": True}}))
print(json.dumps({"done": True}))
""",
    )
    tried = try_gallery_runtime(source)
    assert tried.outcome == "warning"
    assert "answers “my screen is too dark” with “nonsense”" in tried.sentence
    assert "brightness" in tried.sentence


def test_a_crash_in_the_middle_of_an_answer_fails(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
import os, signal
print(json.dumps({"opened": {"start_id": 2, "stop_ids": [[1]]}}), flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""
    stand_in(tmp_path, monkeypatch, script)
    tried = try_gallery_runtime(source)
    assert tried.outcome == "failed"
    assert "SIGSEGV" in tried.sentence


def test_without_the_vulkan_loader_it_is_not_tried(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "sys.exit('OSError: libvulkan.so.1: cannot open shared object file: No such file or directory')"
    stand_in(tmp_path, monkeypatch, script)
    tried = try_gallery_runtime(source)
    assert tried.outcome == "skipped"
    assert "libvulkan.so.1" in tried.sentence
    assert "libvulkan1" in tried.sentence


def test_without_a_network_it_is_not_tried(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "EDGEKIT_CACHE", "PIP_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_RETRIES", "0")
    tried = try_gallery_runtime(source)
    assert tried.outcome == "skipped"
    assert (
        "not tried on the Gallery's runtime 0.11.0: litert-lm-api 0.11.0 cannot be installed"
        in tried.sentence
    )
