"""The Gradle project and this build agree: one catalog, the same libraries, the same ABIs and names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from android_build import catalog
from android_build.components import SHOWN, shown_text
from android_build.engine import ABIS, engine_version
from android_build.layout import APP, CORE, IN_APP, MODULES, NAMESPACE, PROJECT, Module
from android_build.libraries import app_libraries, libraries_for_tests
from android_build.manifest import APPLICATION_ID
from android_build.maven import Artifact, fetch_artifacts, listed
from android_build.resources import LANGUAGES

BUILD_FILES = {module: (module.directory / "build.gradle").read_text(encoding="utf-8") for module in MODULES}
BUILD_FILE = BUILD_FILES[APP]
POM = {"": "http://maven.apache.org/POM/4.0.0"}


def pinned(use: str) -> dict[str, str]:
    return {f"{artifact.group}:{artifact.name}": artifact.version for artifact in listed(use)}


def as_numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.fixture(scope="module")
def bill_of_materials() -> dict[str, str]:
    version = catalog.version("composeBom")
    [pom] = fetch_artifacts("bom", [Artifact("androidx.compose", "compose-bom", version, "pom")])
    entries = ElementTree.parse(pom).getroot().findall(".//dependency", POM)
    return {
        f"{entry.findtext('groupId', '', POM)}:{entry.findtext('artifactId', '', POM)}": entry.findtext(
            "version", "", POM
        )
        for entry in entries
    }


def test_each_library_of_the_catalog_is_pinned_at_its_version(bill_of_materials: dict[str, str]) -> None:
    pins = pinned("app") | pinned("test")
    differing = {}
    for module, version in catalog.libraries().items():
        if module == "androidx.compose:compose-bom":
            continue
        wanted = version or bill_of_materials[module]
        found = next(
            (pins[name] for name in (f"{module}-android", f"{module}-jvm", module) if name in pins), None
        )
        if found != wanted:
            differing[module] = (wanted, found)
    assert differing == {}


def test_the_app_lists_what_it_carries() -> None:
    assert SHOWN.read_text(encoding="utf-8") == shown_text(), "run python android-build components"


def test_every_licence_of_it_has_its_text_in_the_app() -> None:
    about = (APP.kotlin / "dev/edgekit/sample/screens/AboutScreen.kt").read_text(encoding="utf-8")
    texts = dict(re.findall(r'\("([^"]+)", R\.string\.\w+, R\.raw\.(\w+)\)', about))
    assert {each["licence"] for each in json.loads(SHOWN.read_text(encoding="utf-8"))} == set(texts)
    assert all((SHOWN.with_name(f"{name}.txt")).stat().st_size > 1000 for name in texts.values())


def test_the_compilers_are_the_plugins_versions() -> None:
    kotlin = pinned("kotlin")
    assert {kotlin[f"org.jetbrains.kotlin:kotlin-{name}"] for name in (
        "compiler-embeddable", "compose-compiler-plugin-embeddable"
    )} == {catalog.version("kotlin")}  # fmt: skip
    assert pinned("apksig")["com.android.tools.build:apksig"] == catalog.version("agp")
    assert as_numbers(pinned("r8")["com.android.tools:r8"])[:2] == as_numbers(catalog.version("agp"))[:2]


@pytest.mark.parametrize("use", ["app", "test", "app-2024"])
def test_no_library_is_there_twice(use: str) -> None:
    names = [f"{artifact.group}:{artifact.name}" for artifact in listed(use)]
    assert sorted(names) == sorted(set(names))


def test_every_aar_is_content_with_the_project() -> None:
    """AGP refuses a build whose compileSdk or plugin is older than an AAR demands."""
    demands = [*app_libraries().demands, *libraries_for_tests().demands]
    assert len(demands) > 40
    have = {
        "minCompileSdk": [catalog.levels().compile],
        "minAndroidGradlePluginVersion": as_numbers(catalog.version("agp")),
        "minCompileSdkExtension": [0],
    }
    unmet = []
    for path in demands:
        stated = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
        unmet += [
            f"{path.parents[5].name}: {key}={stated[key]}"
            for key, value in have.items()
            if key in stated and as_numbers(stated[key]) > value
        ]
        unmet += [
            f"{path.parents[5].name}: desugaring"
            for _ in [0]
            if stated.get("coreLibraryDesugaringEnabled") == "true"
        ]
    assert unmet == []


def test_the_build_file_has_the_same_names_and_abis() -> None:
    for module, text in BUILD_FILES.items():
        assert re.search(r"namespace = '(.*)'", text)[1] == module.namespace  # type: ignore[index]
        used = re.findall(r"(?:api|implementation) project\(':(.*)'\)", text)
        assert {each.name for each in module.uses} >= set(used)
    assert APP.namespace == NAMESPACE
    assert re.search(r"applicationId = '(.*)'", BUILD_FILE)[1] == APPLICATION_ID  # type: ignore[index]
    for module in (APP, CORE):
        said = re.search(r"abiFilters\.(.*)", BUILD_FILES[module])
        assert said is not None and tuple(re.findall(r"'([^']*)'", said[1])) == ABIS
    assert all(
        f"{name} = libs.versions.{name}.get()" in BUILD_FILE
        for name in ("compileSdk", "minSdk", "targetSdk", "versionCode", "versionName")
    )


def test_both_builds_compile_the_same_files() -> None:
    """Gradle's own places are not changed, so what lies there is what it compiles."""
    assert re.findall(r":([\w-]+)'", (PROJECT / "settings.gradle").read_text()) == [
        "app", *(module.name for module in MODULES if module is not APP)
    ]  # fmt: skip
    for module, text in BUILD_FILES.items():
        assert "sourceSets" not in text
        assert not (module.main / "java").exists()
    native = Path(re.search(r"path = file\('(.*)'\)", BUILD_FILES[CORE])[1])  # type: ignore[index]
    assert (CORE.directory / native).parent == CORE.main / "cpp"
    assert 'CMAKE_CURRENT_SOURCE_DIR}/*.c"' in (CORE.directory / native).read_text()


@pytest.mark.parametrize("module", [module for module in IN_APP if module.resources.is_dir()])
def test_a_module_names_its_own_resources_only(module: Module) -> None:
    """Gradle's R has a module's own names; here one R has all of them."""
    values = "".join(path.read_text("utf-8") for path in module.resources.glob("values*/*.xml"))
    there = {(kind, name) for kind, name in re.findall(r'<(string|plurals) name="(\w+)"', values)}
    files = (path for path in module.resources.glob("*/*.*") if not path.parent.name.startswith("values"))
    there |= {(path.parent.name.split("-")[0], path.stem) for path in files}
    sources = "".join(path.read_text("utf-8") for path in module.kotlin.rglob("*.kt"))
    named = set(re.findall(r"(?<![\w.])R\.(\w+)\.(\w+)", sources))
    assert named and named <= there


def test_every_library_of_the_catalog_is_used() -> None:
    used = set(re.findall(r"libs\.([a-z0-9.]+)\b", "".join(BUILD_FILES.values())))
    assert {name.replace("-", ".") for name in catalog.catalog()["libraries"]} <= used


def test_the_app_says_the_release_of_the_engine_that_it_is_built_with() -> None:
    source = (CORE.kotlin / "dev/edgekit/core/engine/LiteRtLm.kt").read_text()
    assert f'RUNTIME_VERSION: String = "{engine_version()}"' in source


def test_the_system_offers_the_languages_that_the_app_speaks() -> None:
    name = "{http://schemas.android.com/apk/res/android}name"
    offered = [
        each.get(name) for each in ElementTree.parse(APP.resources / "xml/locales_config.xml").getroot()
    ]
    spoken = {"en", *(path.name.removeprefix("values-") for path in APP.resources.glob("values-??"))}
    assert offered == list(LANGUAGES)
    assert set(offered) == spoken
    (application,) = ElementTree.parse(APP.manifest).getroot().iter("application")
    assert application.get(name.replace("}name", "}localeConfig")) == "@xml/locales_config"


def test_the_profile_names_packages_that_there_are() -> None:
    rules = re.findall(
        r"L([a-z/]+)/(?:\*\*|[A-Z])", (APP.main / "baseline-prof.txt").read_text(encoding="utf-8")
    )
    assert rules
    for package in rules:
        assert any((module.kotlin / package).is_dir() for module in IN_APP), package
