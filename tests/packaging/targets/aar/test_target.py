"""A bundle as a library that an app adds with Gradle."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

import edgekit
from edgekit.errors import InputError, MissingToolError
from edgekit.packaging.core import core_coordinates, deploy_core, engine_coordinates
from edgekit.packaging.targets.aar import compiler
from edgekit.packaging.targets.aar.target import AarOptions
from tests.packaging.conftest import MODEL

pytestmark = pytest.mark.slow

GROUP = "org.acme.models"


@pytest.fixture(scope="module")
def kotlinc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says that it is a compiler and writes one class; the tests of android-build have a real one."""
    program = tmp_path_factory.mktemp("kotlinc") / "kotlinc"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = -version ] && { echo "info: kotlinc-jvm 2.3.0 (JRE 17)" >&2; exit; }\n'
        'while [ "$1" != -d ]; do shift; done\n'
        'mkdir -p "$2/a" && cp "$3" "$2/a/Facade.class"\n'
    )
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def folder(navigator: Path, kotlinc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = AarOptions(group=GROUP, version="2.1", kotlinc=kotlinc)
    place = tmp_path_factory.mktemp("aar") / "out"
    return edgekit.package(navigator, "aar", place, options=options).output


def test_it_is_a_repository_with_the_model_the_core_and_the_engine(folder: Path, navigator: Path) -> None:
    artifact = folder / "org/acme/models/settings-navigator/2.1/settings-navigator-2.1"
    for at in (core_coordinates(), engine_coordinates()):
        assert (folder / at.folder / f"{at.name}-{at.version}.aar").is_file()
        assert (folder / at.folder / f"{at.name}-{at.version}.pom").is_file()
    with zipfile.ZipFile(f"{artifact}.aar") as aar:
        assets = "assets/edgekit/settings-navigator"
        assert aar.read(f"{assets}/{MODEL}") == (navigator / MODEL).read_bytes()
        assert {
            f"{assets}/{name}" for name in ("edgekit.json", "tasks.json", "NOTICE", "sbom.cdx.json")
        } < set(aar.namelist())
        assert aar.read("META-INF/NOTICE") == aar.read(f"{assets}/NOTICE")
        assert b'package="org.acme.models.settingsnavigator"' in aar.read("AndroidManifest.xml")
        (folder.parent / "classes.jar").write_bytes(aar.read("classes.jar"))
    with (
        zipfile.ZipFile(folder.parent / "classes.jar") as classes,
        zipfile.ZipFile(f"{artifact}-sources.jar") as jar,
    ):
        (source,) = jar.namelist()
        assert source == "org/acme/models/settingsnavigator/SettingsNavigator.kt"
        assert classes.read("a/Facade.class") == jar.read(source)
    assert str(core_coordinates()).split(":")[1] in Path(f"{artifact}.pom").read_text()


def test_its_bill_names_the_library_and_what_comes_with_it(folder: Path) -> None:
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    subject = bill["metadata"]["component"]
    assert (subject["group"], subject["name"], subject["version"]) == (GROUP, "settings-navigator", "2.1")
    names = {part["name"] for part in bill["components"]}
    assert {"edgekit-core", "litert-lm-api", "kotlinx-coroutines-android", "settings-navigator"} <= names


def test_its_readme_has_the_lines_to_paste(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert f'implementation("{GROUP}:settings-navigator:2.1")' in text
    assert 'noCompress += listOf("litertlm", "tflite")' in text
    assert 'model.ask("my screen is too dark")' in text


def test_the_same_bundle_gives_the_same_bytes(
    folder: Path, navigator: Path, kotlinc: Path, tmp_path: Path
) -> None:
    options = AarOptions(group=GROUP, version="2.1", kotlinc=kotlinc)
    again = edgekit.package(navigator, "aar", tmp_path / "again", options=options).output
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert [str(path) for path in files if (folder / path).read_bytes() != (again / path).read_bytes()] == []


def test_one_processor_takes_the_others_code_out_of_the_core(small_engine: Path, tmp_path: Path) -> None:
    deploy_core(tmp_path, {"arm64-v8a": small_engine})
    for at in (core_coordinates(), engine_coordinates()):
        with zipfile.ZipFile(tmp_path / at.folder / f"{at.name}-{at.version}.aar") as aar:
            abis = {name.split("/")[1] for name in aar.namelist() if name.startswith("jni/")}
        assert abis == {"arm64-v8a"}


def test_sources_need_no_compiler(navigator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "find_java", lambda: None)
    monkeypatch.setenv("PATH", "")
    made = edgekit.package(
        navigator, "aar", tmp_path / "module", options=AarOptions(group="acme", sources=True)
    )
    module = made.output
    assert (module / "src/main/kotlin/acme/settingsnavigator/SettingsNavigator.kt").is_file()
    assert (module / "src/main/assets/edgekit/settings-navigator" / MODEL).is_file()
    assert f"api '{core_coordinates()}'" in (module / "build.gradle").read_text()
    assert "package=" not in (module / "src/main/AndroidManifest.xml").read_text()
    at = engine_coordinates()
    assert (module / "maven" / at.folder / f"{at.name}-{at.version}.aar").is_file()
    assert 'implementation(project(":settings-navigator"))' in made.next_steps[-1]


def test_without_its_model_it_is_a_class_that_is_told_where_that_lies(
    navigator: Path, kotlinc: Path, tmp_path: Path
) -> None:
    options = AarOptions(without_model=True, kotlinc=kotlinc)
    out = edgekit.package(navigator, "aar", tmp_path / "out", options=options).output
    with zipfile.ZipFile(next(out.glob("com/**/*.aar"))) as aar:
        assert not [name for name in aar.namelist() if name.startswith("assets/")]
        assert "META-INF/NOTICE" in aar.namelist()
    with zipfile.ZipFile(next(out.glob("com/**/*-sources.jar"))) as jar:
        (source,) = jar.namelist()
        assert b"ASSETS" not in jar.read(source) and b"source: BundleSource,\n" in jar.read(source)
    readme = (out / "README.md").read_text()
    assert "SettingsNavigator.open(context, source)" in readme and "noCompress" not in readme


def test_without_a_compiler_nothing_is_written(
    navigator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "find_java", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match="no Kotlin compiler here, and no Java") as refusal:
        edgekit.package(navigator, "aar", tmp_path / "out")
    assert "--sources" in str(refusal.value.remedy)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (AarOptions(group="org.class"), "--group, --name"),
        (AarOptions(group="org acme"), "--group"),
        (AarOptions(name="…"), "--name"),
        (AarOptions(version="1.2.0+34"), "--version"),
        (AarOptions(kotlinc=Path("/nothing/here")), "/nothing/here"),
        (AarOptions(sources=True, kotlinc=Path("kotlinc")), "--kotlinc"),
    ],
    ids=lambda value: re.sub(r"\W+", " ", str(value))[:40],
)
def test_what_cannot_be_is_refused_before_the_engine_is_asked(
    navigator: Path, tmp_path: Path, options: AarOptions, where: str
) -> None:
    with pytest.raises(InputError) as refusal:
        edgekit.package(navigator, "aar", tmp_path / "out", options=options)
    assert refusal.value.where == where
    assert not (tmp_path / "out").exists()


def test_an_abi_without_an_engine_is_refused() -> None:
    with pytest.raises(InputError, match="there is no engine for mips"):
        AarOptions(abis=("mips",))
