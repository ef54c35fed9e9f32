"""Each check that could fall silent finds the mistake that is planted for it, and none in the app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from android_build import kotlin
from android_build.api import check_api
from android_build.layout import APP, Module, sources_of
from android_build.lint import check_lint
from android_build.process import BuildError, java_home, run
from android_build.toolchain import platform


def test_a_warning_of_the_compiler_is_an_error(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kotlin, "_sources", lambda root: [planted / "Outdated.kt"])
    odd = replace(APP, uses=())
    monkeypatch.setattr(Module, "kotlin", planted)
    with pytest.raises(BuildError, match=r"Outdated\.kt:7:16: warning"):
        kotlin.classes_of(odd)


def test_the_app_calls_nothing_above_its_oldest_android() -> None:
    check_api()


def test_a_call_above_the_oldest_android_is_found(planted: Path, tmp_path: Path) -> None:
    run(java_home() / "bin" / "javac", "-cp", platform(), "-d", tmp_path, planted / "AboveApi26.java")
    with pytest.raises(BuildError, match=r"API 26 does not have[^$]*Context\.getMainExecutor"):
        check_api([tmp_path])


def test_lint_finds_nothing_in_the_app() -> None:
    check_lint()


@pytest.mark.parametrize(
    ("name", "found"), [("HardCoded.kt", "SdCardPath"), ("Unremembered.kt", "UnrememberedMutableState")]
)
def test_lint_finds_a_mistake_of_each_kind(planted: Path, name: str, found: str) -> None:
    with pytest.raises(BuildError, match=rf"{name}:\d+: Error: .*\[{found}\b"):
        check_lint([*sources_of(), planted / name])
