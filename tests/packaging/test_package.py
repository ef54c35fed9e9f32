"""`edgekit.package` on the demo bundle, all targets."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.errors import BundleError, EdgekitError, InputError
from edgekit.packaging import package as packaging
from edgekit.packaging.app import AppOptions
from edgekit.packaging.targets.apk.archive import read_members, read_packed, unpack
from edgekit.packaging.targets.apk.assemble import ASSETS
from edgekit.packaging.targets.apk.target import ApkOptions
from edgekit.packaging.targets.apk.verify import verify_apk
from edgekit.packaging.targets.packs import PackOptions
from edgekit.packaging.targets.project import (
    SAMPLE_ID,
    SAMPLE_PACKAGE,
    jni_name,
    rename_source,
)

MODEL = "settings-navigator.litertlm"


def assets_of(apk: Path) -> dict[str, bytes]:
    with apk.open("rb") as file:
        return {
            member.name.removeprefix(ASSETS): unpack(read_packed(file, member), member, apk)
            for member in read_members(file, apk)
            if member.name.startswith(ASSETS)
        }


def test_the_apk_holds_the_bundle_and_its_task(navigator: Path, tmp_path: Path) -> None:
    result = edgekit.package(
        navigator,
        "apk",
        tmp_path / "out",
        options=ApkOptions(application_id="com.example.a", version="2.0+7"),
    )
    assert result.path == tmp_path / "out/settings-navigator-2.0.apk"
    assert verify_apk(result.path).fingerprint == result.written.facts["signer"]["sha256"]
    assets = assets_of(result.path)
    assert sorted(assets) == ["NOTICE", "edgekit.json", MODEL, "tasks.json"]
    for name in ("edgekit.json", "NOTICE", MODEL):
        assert assets[name] == (navigator / name).read_bytes()
    offer = json.loads(assets["tasks.json"])
    assert list(offer) == ["schema_version", "title", "tasks"]
    assert (offer["schema_version"], offer["title"]) == (2, "Settings navigator")
    (task,) = offer["tasks"]
    assert (task["id"], task["adapter"]) == ("base", None)
    assert (task["title"], task["quality"], len(task["actions"])) == ("Settings navigator", None, 30)
    assert task["golden"][0] == {
        "prompt": "my screen is too dark",
        "answer": '{"screen": "display", "setting": "brightness", "action": "increase"}',
    }
    assert result.written.facts["identity"]["version_code"] == 7
    assert result.play.fit == "base"
    assert json.loads(json.dumps(result.to_json()))["signer"]["debug_key"] is True
    with pytest.raises(InputError, match="there is an app already"):
        edgekit.package(navigator, "apk", tmp_path / "out", options=ApkOptions(version="2.0+7"))


def test_the_verdict_of_validate_goes_along_when_it_is_about_this_bundle(
    navigator: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(navigator, tmp_path / "bundle")
    edgekit.validate(bundle)
    result = edgekit.package(bundle, "assets", tmp_path / "one")
    quality = result.source.task.quality
    assert quality is not None
    assert quality.passed
    assert "container" in [check.name for check in quality.checks]
    report = bundle / "reports/validate.json"
    report.write_text(report.read_text().replace(result.source.manifest.model.sha256, "0" * 64))
    stale = edgekit.package(bundle, "assets", tmp_path / "two")
    assert stale.source.task.quality is None
    assert any("another model file" in note for note in stale.notes)


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
    spellings = (SAMPLE_PACKAGE, SAMPLE_ID, SAMPLE_PACKAGE.replace(".", "/"), jni_name(SAMPLE_PACKAGE))
    assert [name for name, text in texts.items() if any(spelling in text for spelling in spellings)] == []
    build = texts["app/build.gradle"]
    assert "namespace = 'com.example.my_app'" in build
    assert "applicationId = 'com.example.my_app'" in build
    assert "abiFilters.addAll(['arm64-v8a'])" in build
    assert "testOptions" not in build and "testImplementation" not in build
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
    assert "Java_com_example_my_1app_engine_Native_" in texts["app/src/main/cpp/shim.h"]
    assert (folder / "app/src/main/jniLibs/arm64-v8a/liblitert-lm.so").stat().st_size > 30e6
    assert (folder / "app/src/main/assets/edgekit" / MODEL).read_bytes() == (navigator / MODEL).read_bytes()
    assert not (folder / "app/src/test").exists()
    assert (folder / "gradlew").stat().st_mode & 0o111


def test_words_of_kotlin_in_an_id_are_quoted_where_kotlin_reads_them() -> None:
    source = "package dev.edgekit.sample.engine\n\nimport dev.edgekit.sample.R\n"
    assert rename_source(source, "com.example.fun", kotlin=True) == (
        "package com.example.`fun`.engine\n\nimport com.example.`fun`.R\n"
    )
    assert rename_source("namespace = 'dev.edgekit.sample'", "com.example.fun", kotlin=False) == (
        "namespace = 'com.example.fun'"
    )


def test_assets_come_with_what_an_app_needs(navigator: Path, tmp_path: Path) -> None:
    out = edgekit.package(navigator, "assets", tmp_path / "out").output
    assert (out / "assets/edgekit" / MODEL).read_bytes() == (navigator / MODEL).read_bytes()
    assert "noCompress 'litertlm', 'tflite', 'json', 'NOTICE'" in (out / "edgekit.gradle").read_text()
    assert (
        'noCompress += listOf("litertlm", "tflite", "json", "NOTICE")'
        in (out / "edgekit.gradle.kts").read_text()
    )
    kotlin = (out / "SettingsNavigator.kt").read_text()
    model = json.loads((navigator / "edgekit.json").read_text())["model"]
    for words in (
        f'MODEL_FILE = "{MODEL}"',
        f'MODEL_SHA256 = "{model["sha256"]}"',
        "MAX_TOKENS = 4096",
        "SamplerConfig(topK = 1,",
        "enableResponseFormat = true",
        "SuppressTokensConfig(listOf(1) + (15..142).toList())",
        "<end_of_turn> (6), <eos> (1)",
    ):
        assert words in kotlin
    literals = re.findall(r'^ +("\{.*|".*")(?: \+|,)$', kotlin, re.MULTILINE)
    schema = "".join(json.loads(literal.replace("\\$", "$")) for literal in literals)
    assert json.loads(schema) == json.loads((navigator / "edgekit.json").read_text())["answer"]["schema"]


@pytest.mark.parametrize("target", ["ai-pack", "asset-pack"])
def test_a_pack_is_a_module(navigator: Path, tmp_path: Path, target: str) -> None:
    out = edgekit.package(
        navigator, target, tmp_path / "out", options=PackOptions(delivery="on-demand", pack_name="navigator")
    ).output
    build = (out / "navigator/build.gradle").read_text()
    assert f"id 'com.android.{target}'" in build
    assert "packName = 'navigator'" in build
    assert "deliveryType = 'on-demand'" in build
    assert (out / "navigator/src/main/assets/edgekit" / MODEL).is_file()
    assert "include ':navigator'" in (out / "settings.gradle.fragment").read_text()
    assert "assetPacks += [':navigator']" in (out / "app.build.gradle.fragment").read_text()
    assert 'PACK = "navigator"' in (out / "SettingsNavigatorPack.kt").read_text()
    install_time = edgekit.package(
        navigator, target, tmp_path / "it", options=PackOptions(delivery="install-time")
    ).output
    assert not (install_time / "SettingsNavigatorPack.kt").exists()
    assert "copyOut" in (install_time / "SettingsNavigator.kt").read_text()


BAD: list[tuple[Callable[[], dict[str, Any]], str]] = [
    (lambda: {"to": "ipa"}, "nothing to package to"),
    (lambda: {"options": ApkOptions(abis=("armeabi-v7a",))}, "no engine for armeabi-v7a"),
    (lambda: {"options": ApkOptions(application_id="navigator")}, "no application id"),
    (lambda: {"label": ""}, "label is empty"),
    (lambda: {"options": ApkOptions(version="1.0+x")}, "is no version"),
    (lambda: {"options": ApkOptions(version="1.0+2", version_code=3)}, "two version codes"),
    (lambda: {"options": ApkOptions(version_code=0)}, "out of range"),
    (lambda: {"options": ApkOptions(icon="nowhere.png")}, "icon cannot be used"),
    (lambda: {"options": ApkOptions(keystore="nowhere.p12")}, "no such keystore"),
    (lambda: {"options": ApkOptions(key_alias="release")}, "no keystore"),
    (lambda: {"options": ApkOptions(device="x")}, "nothing is done on a device"),
    (lambda: {"options": PackOptions()}, "PackOptions says nothing to --to apk"),
    (lambda: {"presets": "nowhere.toml"}, "no such file"),
    (lambda: {"golden_from": "nowhere.jsonl"}, "golden prompts cannot be read"),
    (lambda: {"to": "ai-pack", "options": PackOptions(delivery="later")}, "no way of delivery"),
    (lambda: {"to": "ai-pack", "options": PackOptions(pack_name="1st")}, "cannot be the name of a pack"),
]


@pytest.mark.parametrize(("wanted", "message"), BAD)
def test_bad_input_is_one_clear_error_and_leaves_nothing(
    navigator: Path, tmp_path: Path, wanted: Callable[[], dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        edgekit.package(navigator, output=tmp_path / "out", **wanted())
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_was_changed_is_refused(navigator: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(navigator, tmp_path / "bundle")
    data = bytearray((bundle / MODEL).read_bytes())
    data[-100] ^= 1
    (bundle / MODEL).write_bytes(data)
    with pytest.raises(BundleError, match="SHA-256"):
        edgekit.package(bundle, "assets", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_bundle_is_refused(navigator: Path, tmp_path: Path, demo_path: Path) -> None:
    bare = tmp_path / "bare.litertlm"
    shutil.copy(navigator / MODEL, bare)
    with pytest.raises(BundleError, match="no manifest"):
        edgekit.package(bare, "assets", tmp_path / "out")
    graph = edgekit.convert(demo_path, tmp_path / "graph", file_format="tflite", check=False).bundle
    with pytest.raises(BundleError, match="neither tokenizer nor template"):
        edgekit.package(graph, "assets", tmp_path / "out")


def test_a_target_that_fails_in_the_middle_leaves_nothing(
    navigator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise EdgekitError("the power is out")

    monkeypatch.setattr(packaging, "write_record", fail)
    with pytest.raises(EdgekitError, match="power"):
        edgekit.package(navigator, "assets", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_examples_kept_by_convert_follow_those_of_the_presets(demo_path: Path, tmp_path: Path) -> None:
    bundle = edgekit.convert(
        demo_path, tmp_path / "b", text=edgekit.TextOptions(examples=["b", "a"]), check=False
    ).bundle
    (bundle / "edgekit.toml").write_text('examples = ["a"]')
    assert edgekit.package(bundle, "assets", tmp_path / "out").source.task.examples == ("a", "b")
