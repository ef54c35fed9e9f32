"""Results are kept by what they were made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from android_build import outputs


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[Path, int]]:
    """Run a step over tmp_path/input; returns its result and how often it ran in all."""
    monkeypatch.setattr(outputs, "BUILD", tmp_path / "build")
    runs = []

    def make(directory: Path) -> None:
        runs.append(directory)
        (directory / "result").write_text((tmp_path / "input" / "a").read_text())

    def run() -> tuple[Path, int]:
        return outputs.made("step", [tmp_path / "input", "option"], make), len(runs)

    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a").write_text("one")
    return run


def test_the_same_inputs_are_not_built_twice(made: Callable[[], tuple[Path, int]]) -> None:
    assert made() == (made()[0], 1)


def test_a_changed_file_is_built_anew_and_the_old_result_stays(
    made: Callable[[], tuple[Path, int]], tmp_path: Path
) -> None:
    old, _ = made()
    (tmp_path / "input" / "a").write_text("two")
    new, runs = made()
    assert (runs, (old / "result").read_text(), (new / "result").read_text()) == (2, "one", "two")


def test_a_renamed_file_is_built_anew(made: Callable[[], tuple[Path, int]], tmp_path: Path) -> None:
    made()
    (tmp_path / "input" / "b").write_text("")
    assert made()[1] == 2


def test_a_failed_step_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "BUILD", tmp_path)

    def fail(directory: Path) -> None:
        (directory / "half").write_text("")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        outputs.made("step", [], fail)
    assert list((tmp_path / "step").iterdir()) == []


def test_only_the_newest_results_are_kept(made: Callable[[], tuple[Path, int]], tmp_path: Path) -> None:
    for text in "abcde":
        (tmp_path / "input" / "a").write_text(text)
        result, _ = made()
    assert len(list(result.parent.iterdir())) == 3
