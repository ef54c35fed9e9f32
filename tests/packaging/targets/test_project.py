"""The project that the sample app becomes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import edgekit
from edgekit.packaging.app import AppOptions
from edgekit.packaging.targets.project import SAMPLE_ID, SAMPLE_PACKAGE, rename_source
from tests.packaging.conftest import MODEL

pytestmark = pytest.mark.slow


def test_the_project_is_the_developers_own(navigator: Path, tmp_path: Path) -> None:
    result = edgekit.package(
        navigator,
        "project",
        tmp_path / "app",
        options=AppOptions(application_id="com.example.my_app", version="1.2+3"),
        label="Bob's & co",
    )
    folder = result.output
    texts = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix in (".kt", ".gradle", ".xml", ".c", ".h", ".toml", ".pro", ".txt", ".md")
    }
    spellings = (SAMPLE_PACKAGE, SAMPLE_ID, SAMPLE_PACKAGE.replace(".", "/"))
    assert [name for name, text in texts.items() if any(spelling in text for spelling in spellings)] == []
    build = texts["app/build.gradle"]
    assert "namespace = 'com.example.my_app'" in build
    assert "applicationId = 'com.example.my_app'" in build
    for module in ("app", "edgekit-core"):
        assert "abiFilters.addAll(['arm64-v8a'])" in texts[f"{module}/build.gradle"]
        assert "testOptions" not in texts[f"{module}/build.gradle"]
        assert "tests.gradle" not in texts[f"{module}/build.gradle"]
        assert "testImplementation" not in texts[f"{module}/build.gradle"]
    assert "include ':app', ':edgekit-core', ':edgekit-compose'\n" in texts["settings.gradle"]
    assert "rootProject.name = 'settings-navigator'" in texts["settings.gradle"]
    assert 'versionCode = "3"' in texts["gradle/libs.versions.toml"]
    assert 'versionName = "1.2"' in texts["gradle/libs.versions.toml"]
    assert ">Bob\\'s &amp; co<" in texts["app/src/main/res/values/strings.xml"]
    # Each source lies where its package says, and the C functions have the names that JNI looks for.
    for name, text in texts.items():
        if name.endswith(".kt"):
            package = re.search(r"^package (\S+)", text, re.MULTILINE)
            assert package is not None
            assert Path(name).parent.as_posix().endswith("kotlin/" + package[1].replace(".", "/"))
    natives = [
        text
        for name, text in texts.items()
        if re.search(r"^\s*(private |internal )?external fun", text, re.M)
    ]
    assert natives
    assert "Java_dev_edgekit_core_engine_Native_" in texts["edgekit-core/src/main/cpp/shim.h"]
    assert (folder / "edgekit-core/src/main/jniLibs/arm64-v8a/liblitert-lm.so").stat().st_size > 30e6
    assert (folder / "app/src/main/assets/edgekit" / MODEL).read_bytes() == (navigator / MODEL).read_bytes()
    assert (folder / "gradle/library.gradle").is_file() and not (folder / "gradle/tests.gradle").exists()
    assert not list(folder.glob("*/src/test")) and not (folder / "edgekit-testing").exists()
    assert not (folder / "edgekit-delivery").exists()
    assert (folder / "gradlew").stat().st_mode & 0o111


def test_words_of_kotlin_in_an_id_are_quoted_where_kotlin_reads_them() -> None:
    source = "package dev.edgekit.sample.tasks\n\nimport dev.edgekit.sample.R\n"
    assert rename_source(source, "com.example.fun", kotlin=True) == (
        "package com.example.`fun`.tasks\n\nimport com.example.`fun`.R\n"
    )
    assert rename_source("namespace = 'dev.edgekit.sample'", "com.example.fun", kotlin=False) == (
        "namespace = 'com.example.fun'"
    )
