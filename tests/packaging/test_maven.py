"""A folder that Gradle and Maven take artifacts from."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgekit.errors import InputError
from edgekit.packaging.aar import manifest, write_aar
from edgekit.packaging.maven import Coordinates, Dependency, Described, deploy, write_archive

POM = "{http://maven.apache.org/POM/4.0.0}"
CORE = Coordinates("dev.edgekit", "edgekit-core", "0.1.0")
MODEL = Described(
    Coordinates("com.example", "my-model", "1.0"),
    "<Bob's & co>",
    "It says.",
    ("MIT",),
    [Dependency(CORE, type="aar")],
)


def test_an_artifact_lies_under_its_coordinates_with_checksums(tmp_path: Path) -> None:
    made = write_archive(tmp_path / "made", {"a": b"1"})
    content = made.read_bytes()
    deploy(tmp_path, MODEL, {".aar": made})
    folder = tmp_path / "com/example/my-model"
    artifact = folder / "1.0/my-model-1.0.aar"
    assert artifact.read_bytes() == content and not made.exists()
    for path in (artifact, artifact.with_suffix(".pom"), folder / "maven-metadata.xml"):
        for kind in ("md5", "sha1", "sha256", "sha512"):
            said = path.with_name(f"{path.name}.{kind}").read_text()
            assert said == hashlib.new(kind, path.read_bytes()).hexdigest()
    versions = ElementTree.parse(folder / "maven-metadata.xml").findall("versioning/versions/version")
    assert [version.text for version in versions] == ["1.0"]


def test_a_pom_names_what_is_needed_and_takes_any_title(tmp_path: Path) -> None:
    deploy(tmp_path, MODEL, {})
    pom = ElementTree.parse(tmp_path / "com/example/my-model/1.0/my-model-1.0.pom")
    assert pom.findtext(f"{POM}name") == "<Bob's & co>"
    assert pom.findtext(f"{POM}licenses/{POM}license/{POM}name") == "MIT"
    (needed,) = pom.findall(f"{POM}dependencies/{POM}dependency")
    assert [child.text for child in needed] == ["dev.edgekit", "edgekit-core", "0.1.0", "aar", "compile"]


@pytest.mark.parametrize("group", ["", "a b", "a..b", "../up", ".a", "a/b", "-"])
def test_what_cannot_be_a_folder_of_a_repository_is_refused(group: str) -> None:
    with pytest.raises(InputError, match="group of a Maven artifact") as refusal:
        Coordinates(group, "name", "1.0")
    assert refusal.value.where == "--group"


def test_an_aar_is_stored_and_the_same_twice(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"weights" * 1000)

    def write(name: str) -> Path:
        return write_aar(
            tmp_path / name,
            manifest("com.example.model", 26),
            notice=b"terms",
            assets={"edgekit/model": model},
            native={"x86_64/lib.so": b"code"},
        )

    assert write("one").read_bytes() == write("two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one") as archive:
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        assert archive.read("assets/edgekit/model") == model.read_bytes()
        assert {"jni/x86_64/lib.so", "META-INF/NOTICE", "R.txt", "proguard.txt"} <= set(archive.namelist())
        root = ElementTree.fromstring(archive.read("AndroidManifest.xml"))
    assert root.get("package") == "com.example.model"
    assert root[0].attrib == {"{http://schemas.android.com/apk/res/android}minSdkVersion": "26"}
