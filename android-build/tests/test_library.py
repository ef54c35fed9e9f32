"""An app that depends on a folder of `edgekit package --to aar`, and on nothing else of ours, compiles and answers.

It runs on the JVM with the real engine, as its classes are and as R8 leaves them in its full mode.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

import edgekit
from android_build.core import compare_core, needed
from android_build.engine import host_engine
from android_build.kotlin import compile_kotlin
from android_build.libraries import libraries_for_tests
from android_build.maven import fetch, listed
from android_build.process import java, java_command, java_home, joined, run
from android_build.shim import host_shim
from android_build.tests import robolectric_platforms
from android_build.toolchain import aapt2, platform
from edgekit.examples import phone_actions, sentiment, settings_navigator
from edgekit.packaging.targets.aar.target import AarOptions

TINY = Path(__file__).with_name("tiny")
POM = "{http://maven.apache.org/POM/4.0.0}"
KEEP = "-keep class tiny.App { <init>(); java.lang.String run(android.content.Context); }\n"
MANIFEST = """\
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="com.example.tiny">
    <application/>
</manifest>
"""
WITH_COROUTINES = ("kotlin-stdlib", "kotlinx-coroutines-core-jvm", "annotations")
"""What comes with coroutines, by their own POM."""


@dataclass(frozen=True)
class App:
    """What an app's build takes from the folder. api: to compile against. all: what runs. assets, rules: of AARs."""

    api: list[Path]
    all: list[Path]
    assets: Path
    rules: list[Path]


@pytest.fixture(scope="module")
def navigator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "navigator"
    example = settings_navigator()
    edgekit.convert(
        example / "checkpoint",
        directory,
        name="settings-navigator",
        text=edgekit.TextOptions(answer_schema=example / "answer-schema.json"),
        check=False,
    )
    return directory


@pytest.fixture(scope="module")
def library(navigator: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edgekit.package(navigator, "aar", tmp_path_factory.mktemp("library") / "out").output


def resolve(folder: Path, coordinates: str, into: Path) -> App:
    """What Gradle does with one dependency, when the folder is all that there is beside other people's libraries."""
    others = libraries_of_others()
    compiled, ran, rules = list[Path](), list[Path](), list[Path]()

    def take(group: str, name: str, version: str, *, visible: bool) -> None:
        place = folder / group.replace(".", "/") / name / version / f"{name}-{version}"
        if not place.with_name(f"{place.name}.pom").is_file():
            jar = others[group, name]
            ran.append(jar)
            compiled.extend([jar] if visible else [])
            return
        with zipfile.ZipFile(f"{place}.aar") as aar:
            aar.extractall(into / name)
        jar = into / name / "classes.jar"
        ran.append(jar)
        rules.append(into / name / "proguard.txt")
        compiled.extend([jar] if visible else [])
        pom = ElementTree.parse(f"{place}.pom")
        for each in pom.iter(f"{POM}dependency"):
            at = [str(each.findtext(f"{POM}{key}")) for key in ("groupId", "artifactId", "version")]
            take(*at, visible=visible and each.findtext(f"{POM}scope") == "compile")

    take(*coordinates.split(":"), visible=True)
    extra = [path for (_, name), path in others.items() if name in WITH_COROUTINES]
    model = into / coordinates.split(":")[1]
    return App([*compiled, *extra], [*ran, *extra], model / "assets", rules)


def libraries_of_others() -> dict[tuple[str, str], Path]:
    return {(each.group, each.name): path for each, path in zip(listed("app"), fetch("app"), strict=True)}


def compiled(app: App, source: str, into: Path) -> Path:
    compile_kotlin([TINY / source], into, [*app.api, platform()])
    return into


def said(app: App, classes: list[Path], directory: Path) -> str:
    """Run the app under Robolectric: what it returns."""
    directory.mkdir(exist_ok=True)
    (directory / "AndroidManifest.xml").write_text(MANIFEST)
    package = directory / "package.apk"
    link = ("link", "-I", platform(), "--manifest", directory / "AndroidManifest.xml", "-A", app.assets)
    run(aapt2(), *link, "-o", package, "--min-sdk-version", "26", "--target-sdk-version", "35")
    settings = directory / "com/android/tools/test_config.properties"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        f"android_merged_manifest={directory / 'AndroidManifest.xml'}\nandroid_resource_apk={package}\n"
    )
    # Robolectric has a need of its own of what the app's may have been shrunk away.
    tests = [libraries_of_others()["org.bouncycastle", "bcprov-jdk18on"], *libraries_for_tests().classpath]
    harness = directory / "harness"
    places = [*tests, *classes, platform()]
    run(java_home() / "bin/javac", "-nowarn", "-cp", joined(places), "-d", harness, TINY / "Harness.java")
    native = directory / "native"
    native.mkdir()
    (native / "libedgekit.so").symlink_to(host_shim())
    options = (
        *(
            "-Xmx3g",
            "-XX:+UseSerialGC",
            "--add-opens=java.base/java.io=ALL-UNNAMED",
            "-Drobolectric.offline=true",
        ),
        f"-Drobolectric.dependency.dir={robolectric_platforms()}",
        f"-Djava.library.path={native}:{host_engine().parent}",
    )
    printed = run(
        *java_command(
            [directory, harness, *places], "org.junit.runner.JUnitCore", "tiny.Harness", options=options
        )
    )
    return printed.partition("SAID ")[2].partition("\n")[0]


def shrunk(app: App, classes: Path, directory: Path) -> Path:
    """What R8 leaves of the app, as classes that a JVM runs. It is told what AARs and jars tell it, and no more."""
    keep = directory / "keep.pro"
    keep.write_text(KEEP)
    rules = [keep, *app.rules]
    for jar in app.all:
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.startswith(
                    ("META-INF/com.android.tools/r8/", "META-INF/proguard/")
                ) and name.endswith(".pro"):
                    rules.append(directory / f"{len(rules)}.pro")
                    rules[-1].write_bytes(archive.read(name))
    own, output = directory / "own.jar", directory / "shrunk.jar"
    run(java_home() / "bin/jar", "--create", "--file", own, "-C", classes, ".")
    java(
        fetch("r8"),
        "com.android.tools.r8.R8",
        *("--release", "--classfile", "--output", output, "--lib", platform(), "--lib", java_home()),
        *(word for path in rules for word in ("--pg-conf", path)),
        *(own, *dict.fromkeys(app.all)),
        options=("-Xmx4g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    )
    return unsigned(output)


def unsigned(jar: Path) -> Path:
    """Without the signature of a library that was shrunk; an APK has none of it either."""
    kept = jar.with_name("unsigned.jar")
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(kept, "w") as target:
        for name in source.namelist():
            if not name.endswith((".SF", ".RSA", ".DSA")):
                target.writestr(name, source.read(name))
    return kept


@pytest.fixture(scope="module")
def navigating(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Path]]:
    directory = tmp_path_factory.mktemp("app")
    app = resolve(library, "com.example.models:settings-navigator:1.0", directory / "aars")
    yield app, compiled(app, "Navigator.kt", directory / "classes")
    shutil.rmtree(directory)


def test_an_app_that_adds_it_answers_in_its_types(navigating: tuple[App, Path], tmp_path: Path) -> None:
    app, classes = navigating
    answers = "typed streamed long-refused together stopped closed"
    assert said(app, [classes, *app.all], tmp_path / "run") == answers


def test_r8s_full_mode_keeps_it_working(navigating: tuple[App, Path], tmp_path: Path) -> None:
    app, classes = navigating
    jar = shrunk(app, classes, tmp_path)
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
    assert (
        "com/example/models/settingsnavigator/SettingsNavigator.class" not in names
    )  # it had a shorter name
    assert said(app, [jar], tmp_path / "run").startswith("typed streamed")


def test_what_tools_return_goes_back_to_the_model(tmp_path: Path) -> None:
    example = phone_actions()
    bundle = edgekit.convert(
        example / "checkpoint",
        tmp_path / "bundle",
        name="phone-actions",
        text=edgekit.TextOptions(tools=example / "tools.json"),
        check=False,
    ).bundle
    folder = edgekit.package(bundle, "aar", tmp_path / "library").output
    app = resolve(folder, "com.example.models:phone-actions:1.0", tmp_path / "aars")
    classes = compiled(app, "Phone.kt", tmp_path / "classes")
    assert said(app, [classes, *app.all], tmp_path / "run").startswith("called: ")


def test_adapters_leave_nothing_behind(tmp_path: Path) -> None:
    example = settings_navigator()
    base = edgekit.convert(
        example / "checkpoint",
        tmp_path / "base",
        name="settings-navigator",
        graph=edgekit.GraphOptions(adapters="16"),
        text=edgekit.TextOptions(answer_schema=example / "answer-schema.json"),
        check=False,
    ).bundle
    schema = sentiment() / "answer-schema.json"
    adapter = edgekit.adapter(
        sentiment() / "adapter",
        base,
        tmp_path / "sentiment",
        name="sentiment",
        text=edgekit.TextOptions(answer_schema=schema),
        check=False,
    ).directory
    folder = edgekit.package(
        base,
        "aar",
        tmp_path / "library",
        adapters=[adapter],
        with_base=True,
        options=AarOptions(abis=("x86_64",)),
    ).output
    app = resolve(folder, "com.example.models:settings-navigator:1.0", tmp_path / "aars")
    classes = compiled(app, "Several.kt", tmp_path / "classes")
    assert said(app, [classes, *app.all], tmp_path / "run").startswith("grown by ")


def test_the_core_is_what_the_sources_build_byte_for_byte() -> None:
    compare_core()


def test_it_asks_for_few_libraries_of_others() -> None:
    assert [(each["name"], each["scope"]) for each in needed()] == [
        ("kotlinx-coroutines-android", "compile"),
        ("annotation-jvm", "runtime"),
        ("bcprov-jdk18on", "runtime"),
    ]
