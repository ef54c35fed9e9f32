"""`edgekit sign` and `edgekit verify`: what they print, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.delivery.index import INDEX_NAME, index_bytes
from tests.bundle.test_signature import change, write_key
from tests.cli.running import Cli
from tests.fixtures.bundles import Bundles, model_of
from tests.fixtures.deliveries import INDEX, served, signing_key


@pytest.fixture
def bundle(bundles: Bundles, tmp_path: Path) -> Path:
    return bundles.copy(tmp_path / "bundle")


def test_signing_and_verifying(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    private, public = write_key(tmp_path, 1)
    assert "not signed" in cli("verify", bundle).out
    done = cli("sign", bundle, "--key", private)
    assert (done.code, done.err) == (0, "") and str(bundle / "edgekit.sig") in done.out
    done = cli("verify", bundle, "--key", public)
    assert done.code == 0 and "3 files are unchanged" in done.out and "signed by the key" in done.out
    assert "which was not checked" in cli("verify", bundle, "--quiet").out
    found = cli("verify", bundle, "--key", public, "--json").json
    assert (found["passed"], found["signature_verified"], found["problems"]) == (True, True, [])
    assert found["signed_by"] == cli("sign", bundle, "--key", private, "--json").json["signed_by"]


def test_a_delivery_is_verified_in_its_folder_and_at_its_address(cli: Cli, tmp_path: Path) -> None:
    key, place = signing_key(tmp_path), tmp_path / "public"
    (tmp_path / "key.pub").write_bytes(key.public.pem)
    place.mkdir()
    (place / INDEX_NAME).write_bytes(index_bytes(INDEX, key))
    found = cli("verify", place, "--key", tmp_path / "key.pub", "--json")
    assert found.code == 1 and found.json["version"] == 7 and found.json["signature_verified"]
    assert (len(found.json["checked"]), len(found.json["problems"])) == (6, 8)  # two manifests are not signed
    assert found.json["problems"][0].startswith("edgekit.json (files/aaaaaaaaaaaa…): is missing")
    with served(place) as address:
        done = cli("verify", address, "--key", tmp_path / "key.pub")
    assert done.code == 1 and "the host answers 404" in done.err and "→" in done.err
    done = cli("verify", "http://127.0.0.1:1/models")
    assert done.code == 1 and "the host cannot be reached: Connection refused" in done.err
    assert "network" in done.err and "publish" not in done.err


def test_what_does_not_verify_is_exit_1(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    (private, public), (_, other) = write_key(tmp_path, 1), write_key(tmp_path, 2)
    unsigned = cli("verify", bundle, "--key", public)
    assert unsigned.code == 1 and "the bundle is not signed" in unsigned.err and "→" in unsigned.err
    cli("sign", bundle, "--key", private)
    assert cli("verify", bundle, "--key", other).code == 1
    (bundle / "edgekit.json").write_text("{")
    assert cli("verify", bundle, "--key", public).code == 1
    cli_json = cli("verify", bundle, "--key", public, "--json")
    assert cli_json.code == 1 and cli_json.json["problems"] == [
        "edgekit.json: was changed since it was signed"
    ]


def test_a_damaged_model_is_found_without_any_key(cli: Cli, bundle: Path) -> None:
    change(model_of(bundle), 5000)
    done = cli("verify", bundle)
    assert done.code == 1 and "the manifest says" in done.err


def test_what_cannot_be_verified_is_exit_2(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    private, public = write_key(tmp_path, 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    for words in (
        ("verify", tmp_path / "none"),
        ("verify", empty),
        ("verify", bundle, "--key", private),
        ("verify", bundle, "--key", tmp_path / "none"),
        ("sign", bundle, "--key", public),
        ("sign", empty, "--key", private),
    ):
        done = cli(*words)
        assert done.code == 2 and "→" in done.err, words
    (bundle / "edgekit.json").write_text("{")
    assert cli("verify", bundle).code == 2
