"""Packages of signed bundles, and apps that open no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.signature import read_key, read_signing_key
from edgekit.bundle.verify import sign, verify
from edgekit.errors import InputError
from edgekit.packaging.app import AppOptions
from edgekit.packaging.source import Choice, open_source, refuse_unsigned
from tests.bundle.test_signature import change, write_key

Keys = tuple[Path, Path]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return write_key(tmp_path, 1)


@pytest.fixture
def bundle(navigator: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(navigator, tmp_path / "bundle"))


@pytest.mark.slow
def test_everything_that_an_app_gets_is_signed(
    adapter_ready_bundle: Path, sentiment_adapter: Path, tmp_path: Path, keys: Keys
) -> None:
    made = edgekit.package(
        adapter_ready_bundle, "assets", tmp_path / "out", adapters=[sentiment_adapter], sign=keys[0]
    )
    assets = tmp_path / "out/assets/edgekit"
    key = read_key(keys[1])
    found = verify(assets, key)
    assert found.passed and found.signature
    files = {path.relative_to(assets).as_posix() for path in assets.rglob("*") if path.is_file()}
    assert set(found.checked) == {name for name in files if not name.endswith("edgekit.sig")}
    assert made.to_json()["bundle_signed_by"] == key.id
    for name in found.checked:
        before = (assets / name).read_bytes()
        change(assets / name)
        assert verify(assets, key).problems == (f"{name}: was changed since it was signed",)
        (assets / name).write_bytes(before)
    (assets / "adapters/sentiment/edgekit.sig").unlink()
    assert "adapters/sentiment/edgekit.sig: the bundle is not signed" in verify(assets, key).problems


@pytest.mark.slow
def test_an_app_carries_the_key_that_it_asks_for(bundle: Path, tmp_path: Path, keys: Keys) -> None:
    options = AppOptions(require_signed=keys[1])
    edgekit.package(bundle, "project", tmp_path / "out", options=options, sign=keys[0])
    assets = tmp_path / "out/app/src/main/assets"
    assert (assets / "edgekit-signer.pem").read_bytes() == keys[1].read_bytes()
    assert "assets/edgekit/" in (tmp_path / "out/.gitignore").read_text().split()[-2:][0]
    assert verify(assets / "edgekit", read_key(keys[1])).passed


def test_the_bundles_own_signature_goes_along(bundle: Path, keys: Keys) -> None:
    sign(bundle, read_signing_key(keys[0]))
    source = open_source(bundle, Choice())
    assert source.signed_in_part
    assert source.contents.assets["edgekit.sig"] == bundle / "edgekit.sig"
    refuse_unsigned(source.contents, read_key(keys[1]))
    again = open_source(bundle, Choice(sign=keys[0]))
    assert not again.signed_in_part and isinstance(again.contents.assets["edgekit.sig"], bytes)


def test_an_app_that_would_refuse_its_own_bundle_is_not_made(
    bundle: Path, tmp_path: Path, keys: Keys
) -> None:
    theirs, _ = write_key(tmp_path, 2)
    options = AppOptions(require_signed=keys[1])

    def refused(what: str, **more: Path) -> None:
        with pytest.raises(InputError, match=f"would refuse its own bundle.*{what}") as refusal:
            edgekit.package(bundle, "project", tmp_path / "out", options=options, **more)
        assert "--sign KEY" in str(refusal.value)
        assert not (tmp_path / "out").exists()

    refused("there is none")
    refused("of another key", sign=theirs)
    sign(bundle, read_signing_key(keys[0]))
    text = (bundle / "edgekit.json").read_text()
    (bundle / "edgekit.json").write_text(text.replace('"licence"', '"licence" '))
    refused("edgekit.json is not what was signed")


def test_the_gallery_looks_at_no_signature(bundle: Path, tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(InputError, match="looks at no signature"):
        edgekit.package(bundle, "gallery", tmp_path / "out", sign=keys[0])
