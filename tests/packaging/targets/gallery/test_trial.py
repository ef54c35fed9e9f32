"""The bundle on the Gallery's release of the engine, and what is said when that release is not to be had."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import MissingToolError
from edgekit.packaging.golden import Golden
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery import trial
from edgekit.packaging.targets.gallery.trial import Trial, try_gallery_runtime
from edgekit.progress import Progress
from tests.packaging.targets.gallery.conftest import with_task

pytestmark = pytest.mark.slow


def really(tried: Trial) -> Trial:
    if tried.outcome == "skipped":
        pytest.skip(tried.sentence)
    return tried


OPENED = {
    "version": "0.11.0",
    "start_id": 2,
    "stop_ids": [[1]],
    "suppressed": [],
    "max_tokens": None,
    "takes_sidecars": False,
    "seconds": 0.1,
}
REPLY = {
    "text": "nonsense",
    "ending": "end_of_turn",
    "stats": {
        "prompt_tokens": 1,
        "generated_tokens": 1,
        "time_to_first_token": 0.1,
        "prefill_tokens_per_second": 1.0,
        "decode_tokens_per_second": 1.0,
    },
}
ANSWERS = {
    "open": {"opened": OPENED},
    "prompt": {"prompt": {"text": "x"}},
    "ids": {"ids": [3]},
    "begin": {"begun": None},
    "say": {"reply": REPLY},
    "end": {"ended": None},
}
"""A release that answers nonsense, by what it is asked (`edgekit.runtime.ask.protocol`)."""

LOOP = f"""
ANSWERS = {ANSWERS!r}
for line in sys.stdin:
    request = json.loads(line)
    asked(request)
    print(json.dumps({{"n": request["n"], **ANSWERS[request["ask"]]}}), flush=True)
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a script answer in the place of that release's Python."""
    python = folder / "python"
    python.write_text(f"#!{sys.executable}\nimport json, os, signal, sys\n{script}\n")
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
    seen = tmp_path / "asked.jsonl"
    note = f"def asked(request): print(json.dumps(request), file=open({str(seen)!r}, 'a'))"
    stand_in(tmp_path, monkeypatch, note + LOOP)
    golden = with_task(source, golden=(Golden("what time is it", "x"),))
    try_gallery_runtime(golden)
    requests = [json.loads(line) for line in seen.read_text().splitlines()]
    prompts = [request["message"]["content"] for request in requests if request["ask"] == "say"]
    texts = ["what time is it", *source.task.examples]
    assert prompts == [[{"type": "text", "text": text}] for text in texts]


def test_another_answer_is_a_warning_with_both(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "def asked(request): pass" + LOOP)
    tried = try_gallery_runtime(source)
    assert tried.outcome == "warning"
    assert "answers “my screen is too dark” with “nonsense”" in tried.sentence
    assert "brightness" in tried.sentence


def test_a_crash_in_the_middle_of_an_answer_fails(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = """
def asked(request):
    if request["ask"] == "say":
        os.kill(os.getpid(), signal.SIGSEGV)
"""
    stand_in(tmp_path, monkeypatch, crash + LOOP)
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


def test_where_that_release_cannot_be_installed_it_is_not_tried(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(release: str, progress: Progress) -> Path:
        raise MissingToolError(f"litert-lm-api {release} cannot be installed (no network)")

    monkeypatch.setattr(trial, "environment", fail)
    reason = "litert-lm-api 0.11.0 cannot be installed (no network)"
    assert try_gallery_runtime(source) == Trial(
        "skipped", f"not tried on the Gallery's runtime 0.11.0: {reason}"
    )
