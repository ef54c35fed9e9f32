"""The app with its options: its names, its key, what lies in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

import edgekit
from edgekit.errors import InputError
from edgekit.packaging.target import SizedPart
from edgekit.packaging.targets.apk.archive import read_members
from edgekit.packaging.targets.apk.keys import DEBUG_KEYSTORE, DEBUG_PASSWORD, PASSWORD_VARIABLE, debug_key
from edgekit.packaging.targets.apk.target import ApkOptions
from edgekit.packaging.targets.apk.verify import verify_apk
from tests.packaging.conftest import MODEL
from tests.packaging.targets.apk.tools import assets_of


@pytest.mark.slow
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
    assert sorted(assets) == ["NOTICE", "edgekit.json", "sbom.cdx.json", MODEL, "tasks.json"]
    for name in ("edgekit.json", "NOTICE", MODEL):
        assert assets[name] == (navigator / name).read_bytes()
    offer = json.loads(assets["tasks.json"])
    assert list(offer) == ["schema_version", "title", "tasks"]
    assert (offer["schema_version"], offer["title"]) == (2, "Settings navigator")
    (task,) = offer["tasks"]
    assert (task["id"], task["adapter"], task["turns"]) == ("base", None, "one")
    assert (task["title"], task["quality"], len(task["actions"])) == ("Settings navigator", None, 30)
    assert task["golden"][0] == {
        "prompt": "my screen is too dark",
        "answer": '{"screen": "display", "setting": "brightness", "action": "increase"}',
    }
    assert result.written.facts["identity"]["version_code"] == 7
    assert result.play.fit == "base"
    told = json.loads(json.dumps(result.to_json()))
    assert told["signer"]["debug_key"] is True
    assert told["parts"] == [asdict(part) for part in result.written.parts]
    parts_are_the_file(result.path, result.written.parts)
    with pytest.raises(InputError, match="there is an app already"):
        edgekit.package(navigator, "apk", tmp_path / "out", options=ApkOptions(version="2.0+7"))


def parts_are_the_file(path: Path, parts: Sequence[SizedPart]) -> None:
    named = {part.name: part for part in parts}
    assert [part.name for part in parts] == [
        *("model", "engine, arm64-v8a", "other native code, arm64-v8a", "code", "resources"),
        *("manifests, notices", "signature, ZIP"),
    ]
    assert sum(part.stored for part in parts) == path.stat().st_size
    with path.open("rb") as file:
        sizes = {member.name: member.packed for member in read_members(file, path)}
    assert named["model"].stored == sizes[f"assets/edgekit/{MODEL}"]
    assert named["engine, arm64-v8a"].stored == sizes["lib/arm64-v8a/liblitert-lm.so"]
    assert named["code"].stored == named["code"].download == sizes["classes.dex"]  # is compressed as it is
    assert all(0 < part.download <= part.stored for part in parts)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    debug_key(folder)
    return folder / DEBUG_KEYSTORE


@pytest.mark.parametrize("way", ["said", "given", "variable", "own variable", "file"])
@pytest.mark.slow
def test_a_keystores_password_comes_from_anywhere_but_the_command_line(
    keystore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    file = tmp_path / "password"
    file.write_text(DEBUG_PASSWORD + "\n")
    monkeypatch.setenv(PASSWORD_VARIABLE if way == "variable" else "SECRET", DEBUG_PASSWORD)
    options = {
        "said": ApkOptions(keystore=keystore, password=DEBUG_PASSWORD),
        "given": ApkOptions(keystore=keystore, password=lambda: DEBUG_PASSWORD),
        "variable": ApkOptions(keystore=keystore),
        "own variable": ApkOptions(keystore=keystore, keystore_password_env="SECRET"),
        "file": ApkOptions(keystore=keystore, keystore_password_file=file),
    }[way]
    assert options.key.debug is False


def test_a_password_is_asked_for_once(keystore: Path) -> None:
    asked = []

    def password() -> str:
        asked.append("again")
        return DEBUG_PASSWORD

    options = ApkOptions(keystore=keystore, password=password)
    assert options.key is options.key
    assert asked == ["again"]


def test_a_variable_that_is_not_set_is_told(keystore: Path) -> None:
    with pytest.raises(InputError, match="NOWHERE is not set"):
        _ = ApkOptions(keystore=keystore, keystore_password_env="NOWHERE").key
