"""The libraries as apps depend on them: AARs with their sources and POMs, in the layout of a Maven repository.

An AAR is a zip file (the format of Android's build tools): manifest, classes, resources with the list of their names,
rules for R8, native libraries. The same sources make the same bytes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from android_build.catalog import catalog, version
from android_build.demo import demo_assets
from android_build.engine import ABIS
from android_build.kotlin import classes_of
from android_build.layout import CATALOG, CORE, LIBRARIES, TESTING, Module
from android_build.manifest import library_manifest
from android_build.maven import listed
from android_build.outputs import made
from android_build.process import BuildError
from android_build.resources import resource_names
from android_build.shim import android_shim

GROUP: Final = "dev.edgekit"
DEMO: Final = "edgekit-demo-bundle"
"""Where the demo bundle lies among the classes of the library for tests, and the list of its files."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_RULES: Final = "consumer-rules.pro"
_METADATA: Final = """\
aarFormatVersion=1.0
aarMetadataVersion=1.0
minCompileSdk=1
minCompileSdkExtension=0
minAndroidGradlePluginVersion=1.0.0
coreLibraryDesugaringEnabled=false
"""
_SCOPES: Final = {"api": "compile", "implementation": "runtime"}
_POM: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{name}</artifactId>
  <version>{version}</version>
  <packaging>aar</packaging>
  <licenses>
    <license><name>Apache-2.0</name></license>
  </licenses>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY: Final = """\
    <dependency>
      <groupId>{0}</groupId>
      <artifactId>{1}</artifactId>
      <version>{2}</version>
      <scope>{3}</scope>
    </dependency>"""


def maven_repository() -> Path:
    """Return a directory with all libraries, to be named as a Maven repository in an app's Gradle project."""
    built = {module: library(module) for module in LIBRARIES}

    def gather(directory: Path) -> None:
        for module, files in built.items():
            place = directory / Path(*GROUP.split("."), module.name, version("versionName"))
            place.mkdir(parents=True)
            for path in files.iterdir():
                (place / path.name).write_bytes(path.read_bytes())

    return made("maven", list(built.values()), gather)


def library(module: Module) -> Path:
    """Return a directory with a library's AAR, its sources, and its POM."""
    classes = classes_of(module)
    native = {
        f"jni/{abi}/{path.name}": path for abi in ABIS for path in [android_shim(abi)] if module is CORE
    }
    extra = _demo_entries() if module is TESTING else {}
    stem = f"{module.name}-{version('versionName')}"

    def pack(directory: Path) -> None:
        inside = directory / "classes.jar"
        _zip(inside, {**_entries(classes), **extra})
        entries = {
            "AndroidManifest.xml": library_manifest(module).encode(),
            "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
            "R.txt": resource_names(module).encode(),
            "classes.jar": inside.read_bytes(),
            **{name: path.read_bytes() for name, path in native.items()},
        }
        if module.resources.is_dir():
            entries |= {f"res/{name}": content for name, content in _entries(module.resources).items()}
        rules = module.directory / _RULES
        if rules.is_file():
            entries["proguard.txt"] = rules.read_bytes()
        _zip(directory / f"{stem}.aar", entries)
        _zip(directory / f"{stem}-sources.jar", _entries(module.kotlin))
        (directory / f"{stem}.pom").write_text(pom(module), encoding="utf-8")
        inside.unlink()

    inputs = [classes, module.main, module.directory / "build.gradle", CATALOG, Path(__file__)]
    rules = [path for path in [module.directory / _RULES] if path.is_file()]
    demo = [demo_assets()] if module is TESTING else []
    return made(
        f"aar-{module.name}", [*inputs, *rules, *demo, *(path.parent for path in native.values())], pack
    )


def pom(module: Module) -> str:
    """Return a library's POM: what its build file says that it uses."""
    text = (module.directory / "build.gradle").read_text(encoding="utf-8")
    found = []
    for scope, name in re.findall(r"^    (api|implementation) project\(':(.*)'\)$", text, re.M):
        found.append((GROUP, name, version("versionName"), _SCOPES[scope]))
    for scope, name in re.findall(r"^    (api|implementation) libs\.([\w.]+)$", text, re.M):
        found.append((*_coordinates(name), _SCOPES[scope]))
    dependencies = "\n".join(_DEPENDENCY.format(*map(escape, each)) for each in found)
    return _POM.format(
        group=GROUP, name=module.name, version=version("versionName"), dependencies=dependencies
    )


def _coordinates(name: str) -> tuple[str, str, str]:
    """Return group, name and version of a library by its name in the catalog, where dots are hyphens."""
    entry: Mapping[str, str] = catalog()["libraries"][name.replace(".", "-")]
    group, artifact = entry["module"].split(":")
    pinned = {(each.group, each.name): each.version for use in ("app", "test") for each in listed(use)}
    for spelling in (artifact, f"{artifact}-android", f"{artifact}-jvm"):
        if (group, spelling) in pinned:
            return group, artifact, pinned[group, spelling]
    raise BuildError(f"{entry['module']} is not pinned in coordinates/")


def _demo_entries() -> dict[str, bytes]:
    files = _entries(demo_assets() / "edgekit")
    listing = "".join(f"{name}\n" for name in sorted(files)).encode()
    return {f"{DEMO}/{name}": content for name, content in {**files, "files.txt": listing}.items()}


def _entries(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def _zip(path: Path, entries: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED)
