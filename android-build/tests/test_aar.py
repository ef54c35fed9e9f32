"""The libraries as apps get them: whole, the same each time, and no other than their files of the interface say."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from android_build import aar, catalog, outputs
from android_build.aar import DEMO, GROUP, library, maven_repository, pom
from android_build.engine import ABIS
from android_build.gradle import differences
from android_build.layout import COMPOSE, CORE, DELIVERY, LIBRARIES, TESTING, Module
from android_build.process import BuildError
from android_build.public_api import api_file, check_public_api, public_api
from android_build.shim import SHIM
from edgekit import __version__

POM = {"": "http://maven.apache.org/POM/4.0.0"}
ANDROID = "{http://schemas.android.com/apk/res/android}"


def opened(module: Module) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(library(module).glob("*.aar")))


def classes_in(archive: zipfile.ZipFile) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as jar:
        return {name.removesuffix(".class") for name in jar.namelist() if name.endswith(".class")}


@pytest.mark.parametrize("module", LIBRARIES)
def test_a_library_holds_its_own_classes_and_says_what_it_is(module: Module) -> None:
    with opened(module) as archive:
        package = module.namespace.replace(".", "/")
        assert classes_in(archive) and all(name.startswith(f"{package}/") for name in classes_in(archive))
        manifest = ElementTree.fromstring(archive.read("AndroidManifest.xml"))
        uses = manifest.find("uses-sdk")
        assert manifest.get("package") == module.namespace
        assert uses is not None and uses.get(f"{ANDROID}minSdkVersion") == catalog.version("minSdk")
        assert bool(manifest.findall("uses-permission")) == (module is DELIVERY)
        assert b"aarFormatVersion=1.0" in archive.read(
            "META-INF/com/android/build/gradle/aar-metadata.properties"
        )
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_core_brings_the_shim_and_what_r8_must_know() -> None:
    with opened(CORE) as archive:
        assert {f"jni/{abi}/{SHIM}" for abi in ABIS} <= set(archive.namelist())
        assert "dev.edgekit.core.engine.Native" in archive.read("proguard.txt").decode()
        assert archive.read("R.txt") == b""


def test_the_cards_bring_their_texts_in_each_language() -> None:
    with opened(COMPOSE) as archive:
        listed = archive.read("R.txt").decode().splitlines()
        assert "int string edgekit_call_do 0x0" in listed and "int drawable edgekit_open 0x0" in listed
        # Resources of all libraries lie in one pot: what has no prefix could be another's.
        assert all(line.split()[2].startswith("edgekit_") for line in listed)
        texts = {f"res/{folder}/strings.xml" for folder in ("values", "values-nb", "values-ja")}
        assert texts <= set(archive.namelist())


def test_the_library_for_tests_brings_the_demo_bundle() -> None:
    with opened(TESTING) as archive, zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as jar:
        listed = jar.read(f"{DEMO}/files.txt").decode().splitlines()
        assert {"edgekit.json", "tasks.json", "settings-navigator.litertlm"} <= set(listed)
        assert all(len(jar.read(f"{DEMO}/{name}")) > 0 for name in listed)


def test_they_lie_as_in_a_maven_repository() -> None:
    place = maven_repository() / "dev" / "edgekit"
    assert {path.name for path in place.iterdir()} == {module.name for module in LIBRARIES}
    for module in LIBRARIES:
        stem = f"{module.name}-{__version__}"
        names = {f"{stem}.aar", f"{stem}.pom", f"{stem}-sources.jar"}
        assert {path.name for path in (place / module.name / __version__).iterdir()} == names


def test_a_pom_names_all_that_the_library_uses() -> None:
    def dependencies(module: Module) -> dict[str, str]:
        found = ElementTree.fromstring(pom(module)).findall(".//dependency", POM)
        return {each.findtext("artifactId", "", POM): each.findtext("scope", "", POM) for each in found}

    assert dependencies(CORE) == {
        "kotlinx-coroutines-android": "compile",
        "annotation": "runtime",
        "bcprov-jdk18on": "runtime",
    }
    assert dependencies(COMPOSE)["edgekit-core"] == "compile"
    assert {"foundation", "material3", "ui"} <= set(dependencies(COMPOSE))
    assert f"<version>{__version__}</version>" in pom(COMPOSE) and f"<groupId>{GROUP}</groupId>" in pom(
        COMPOSE
    )


def test_the_same_sources_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in library(COMPOSE).iterdir()}
    monkeypatch.setattr(outputs, "BUILD", tmp_path)
    again = library(COMPOSE)
    assert again.is_relative_to(tmp_path)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == before


def test_a_class_that_another_build_leaves_out_is_found(tmp_path: Path) -> None:
    aar, changed = next(library(COMPOSE).glob("*.aar")), tmp_path / "changed.aar"
    with zipfile.ZipFile(aar) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            if name == "classes.jar":
                jar = io.BytesIO()
                with (
                    zipfile.ZipFile(io.BytesIO(source.read(name))) as inside,
                    zipfile.ZipFile(jar, "w") as less,
                ):
                    for each in inside.namelist():
                        if "AnswerView" not in each:
                            less.writestr(each, inside.read(each))
                target.writestr(name, jar.getvalue())
            elif name != "res/values-ja/strings.xml":
                target.writestr(name, source.read(name))
    found = differences(aar, changed, COMPOSE)
    assert len(found) == 2 and "AnswerViewKt" in found[0] and "res/values-ja" in found[1]
    assert differences(aar, aar, COMPOSE) == []


def test_what_apps_can_use_is_what_the_files_say() -> None:
    check_public_api()


def test_a_change_of_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("android_build.public_api.public_api", lambda classes: "another\n")
    with pytest.raises(BuildError, match="edgekit-core and edgekit-compose and edgekit-delivery"):
        check_public_api()


def test_what_is_marked_as_internal_is_not_offered() -> None:
    offered = api_file(CORE).read_text(encoding="utf-8")
    for package in ("bundle", "engine", "tasks"):
        assert f"dev/edgekit/core/{package}/" not in "".join(
            line for line in offered.splitlines() if "class " in line
        )
    assert "dev/edgekit/core/Edgekit " in offered
    assert public_api(aar.classes_of(CORE)) == offered
