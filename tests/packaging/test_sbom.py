"""Bills of materials: of bundles and of packages, by CycloneDX's own schema."""

from __future__ import annotations

import hashlib
import json
import runpy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.adapter.opening import read_adapter_bundle
from edgekit.bundle.opening import open_bundle
from edgekit.packaging.app import app_parts
from edgekit.packaging.sbom import Part, bill, bundle_bill, maven, pypi
from tests.packaging.conftest import MODEL, Packaged


@cache
def schema() -> Any:
    """The validator of CycloneDX 1.6, with the schemas that it refers to."""
    from jsonschema import Draft7Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT7

    folder = resources.files("cyclonedx.schema") / "_res"
    named = {name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()) for name in _SCHEMAS}
    registry: Registry[Any] = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", DRAFT7.create_resource(each))
        for name, each in named.items()
    )
    return Draft7Validator(named["bom-1.6"], registry=registry)


ROOT = Path(__file__).parents[2]
_SCHEMAS = ("bom-1.6", "spdx", "jsf-0.82")


def checked(content: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(content)
    schema().validate(document)
    refs = [
        document["metadata"]["component"]["bom-ref"],
        *(each["bom-ref"] for each in document["components"]),
    ]
    assert len(refs) == len(set(refs))
    assert {each["ref"] for each in document["dependencies"]} == set(refs)
    assert "timestamp" not in document["metadata"]
    return document


def test_the_schema_finds_what_is_wrong() -> None:
    document = checked(bill(Part("data", "x"), [pypi("a.b", "1")]))
    document["components"][0]["type"] = "thing"
    with pytest.raises(Exception, match="'thing' is not one of"):
        schema().validate(document)


def test_parts_are_told_with_version_purl_digest_and_licence() -> None:
    parts = (
        pypi("A_b.C", "1.0+x", licence="MIT", sha256="a" * 64),
        maven("org.x", "y", "2", "aar", "Apache-2.0 OR MIT", None),
        Part("file", "lib/arm64/x.so", "1", purl="pkg:pypi/a-b-c@1.0%2Bx", sha256="b" * 64),
        Part("library", "z", licence="as the author says", incomplete=True),
    )
    document = checked(bill(Part("application", "app", "3"), parts))
    by_name = {each["name"]: each for each in document["components"]}
    assert by_name["A_b.C"]["purl"] == "pkg:pypi/a-b-c@1.0%2Bx"
    assert by_name["A_b.C"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert by_name["A_b.C"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert by_name["y"]["licenses"] == [{"expression": "Apache-2.0 OR MIT"}]
    assert by_name["z"]["licenses"] == [{"license": {"name": "as the author says"}}]
    assert document["compositions"] == [{"aggregate": "incomplete", "assemblies": ["library:z@"]}]


def test_the_same_parts_give_the_same_bytes_in_any_order() -> None:
    parts = [pypi("a", "1"), pypi("b", "2")]
    subject = Part("data", "x")
    assert bill(subject, parts) == bill(subject, parts[::-1]) == bill(subject, [*parts, *parts])
    serials = {json.loads(bill(subject, parts[:n]))["serialNumber"] for n in range(3)}
    assert len(serials) == 3


def test_a_bundle_with_an_adapter(adapter_ready_bundle: Path, sentiment_adapter: Path) -> None:
    manifest = open_bundle(adapter_ready_bundle).manifest
    assert manifest is not None
    adapter = read_adapter_bundle(sentiment_adapter).manifest
    document = checked(bundle_bill(manifest, {"sentiment": adapter}))
    assert document["metadata"]["component"]["hashes"][0]["content"] == manifest.model.sha256
    tools = {each["name"]: each["version"] for each in document["metadata"]["tools"]["components"]}
    assert tools == manifest.tools
    told = {
        (each["name"], each.get("hashes", [{"content": None}])[0]["content"])
        for each in document["components"]
    }
    assert manifest.adapters is not None
    assert (manifest.adapters.empty.file, manifest.adapters.empty.sha256) in told
    assert (adapter.name, adapter.sidecar.sha256) in told
    digests = {
        prop["value"]
        for each in document["components"]
        for prop in each.get("properties", ())
        if prop["name"] == "edgekit:content-sha256"
    }
    assert digests == {manifest.source.digest, adapter.source.digest}


def test_an_apps_libraries_are_those_of_the_base() -> None:
    names = {part.name for part in app_parts({})}
    assert {"edgekit", "litert-lm-api", "activity-compose", "kotlin-stdlib", "bcprov-jdk18on"} <= names
    assert all(part.licence for part in app_parts({}))
    assert all(part.sha256 for part in app_parts({}) if part.group)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["assets", "project", "ai-pack"])
def test_a_package_has_its_own_and_that_of_its_bundle(packaged: Packaged, target: str) -> None:
    made = packaged(target)
    document = checked((made.output / "sbom.cdx.json").read_bytes())
    names = {each["name"] for each in document["components"]}
    assert "settings-navigator" in names
    assert ("kotlin-stdlib" if target == "project" else "edgekit-core") in names
    (inner,) = [path for path in made.output.rglob("sbom.cdx.json") if path.parent.name == "edgekit"]
    model = hashlib.sha256((inner.parent / MODEL).read_bytes()).hexdigest()
    assert checked(inner.read_bytes())["metadata"]["component"]["hashes"][0]["content"] == model
    if target == "project":
        library = next(made.output.rglob("liblitert-lm.so"))
        hashes = {
            each["name"]: each["hashes"][0]["content"] for each in document["components"] if "hashes" in each
        }
        assert hashes["lib/arm64-v8a/liblitert-lm.so"] == hashlib.sha256(library.read_bytes()).hexdigest()


def test_the_wheels_own_is_up_to_date() -> None:
    """The build puts it into the wheel: what the wheel needs, and the app's libraries in it."""
    written = (ROOT / "requirements/edgekit.cdx.json").read_bytes()
    made = runpy.run_path(str(ROOT / "requirements/bill.py"))
    assert made["content"]() == written, "run python requirements/bill.py"
    document = checked(written)
    purls = {each["purl"] for each in document["components"]}
    assert "pkg:pypi/litert-lm-api@0.18.1" in purls
    assert any(purl.startswith("pkg:maven/org.jetbrains.kotlin/kotlin-stdlib@") for purl in purls)
    assert all(each["hashes"] and each["licenses"] for each in document["components"])
    assert 'sbom-files = ["requirements/edgekit.cdx.json"]' in (ROOT / "pyproject.toml").read_text()
