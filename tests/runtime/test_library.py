"""The engine's library for other platforms."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgekit.benchmark.native.build import PREBUILT
from edgekit.errors import InputError
from edgekit.runtime.library import download_command, engine_library


def test_the_engine_comes_from_the_official_wheel() -> None:
    words = download_command("0.18.1", "android_23_arm64_v8a", Path("here"))
    assert words[1:4] == ["-m", "pip", "download"]
    assert words[-1] == "litert-lm-api==0.18.1"
    assert words[words.index("--platform") + 1] == "android_23_arm64_v8a"


def test_an_own_engine_must_be_made_for_the_processor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no liblitert-lm\.so"):
        engine_library("android", "arm64-v8a", own=tmp_path)
    shutil.copy(PREBUILT / "librunner-android-x86_64.so", tmp_path / "liblitert-lm.so")
    with pytest.raises(InputError, match="made for x86_64, arm64-v8a is needed"):
        engine_library("android", "arm64-v8a", own=tmp_path)
    assert engine_library("android", "x86_64", own=tmp_path) == tmp_path / "liblitert-lm.so"
