"""`edgekit.package`: from a bundle to an output that is whole, or to one clear error."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.errors import BundleError, EdgekitError, InputError
from edgekit.packaging import package as packaging
from edgekit.packaging.targets.apk.target import ApkOptions
from edgekit.packaging.targets.packs import PackOptions
from tests.fixtures.bundles import model_of

pytestmark = pytest.mark.slow


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
    model = model_of(bundle)
    data = bytearray(model.read_bytes())
    data[-100] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleError, match="SHA-256"):
        edgekit.package(bundle, "assets", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_bundle_is_refused(navigator: Path, tmp_path: Path, demo_path: Path) -> None:
    bare = tmp_path / "bare.litertlm"
    shutil.copy(model_of(navigator), bare)
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
