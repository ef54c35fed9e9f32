"""The Android library that generated code is written on: `edgekit-core`, prebuilt, and the engine that it loads.

`core/edgekit-core.aar` is built of the sample project's sources by `android-build`, and held to them there;
`core/core.json` says what it needs. The engine is an artifact of its own, so that an app with two models has it once.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

from edgekit.errors import InputError
from edgekit.packaging.aar import manifest, write_aar
from edgekit.packaging.maven import Coordinates, Dependency, Described, deploy, write_archive
from edgekit.packaging.sbom import ENGINE_LICENCE, Part, engine_parts, maven, packaged_part
from edgekit.packaging.source import Source
from edgekit.packaging.target import Flag
from edgekit.progress import SILENT, Progress
from edgekit.runtime.library import LIBRARY, WHEEL_PLATFORMS, engine_library, engine_version

GROUP: Final = "dev.edgekit"
REPOSITORY: Final = "maven"
"""The folder with core and engine, beside what is written on them."""

SHIPPED: Final = Path(__file__).with_name("core")
AAR: Final = SHIPPED / "edgekit-core.aar"
FACTS: Final = SHIPPED / "core.json"
COMPILE_ONLY: Final = SHIPPED / "compile-only.jar"
"""Names of Android and of coroutines that generated code mentions, without anything behind them: for the compiler."""

KOTLIN: Final = "2.2"
"""Language and library of the core and of what is compiled here: a compiler reads one version more than its own."""

KOTLIN_NEEDED: Final = "2.1"
"""The oldest compiler that reads it."""

_LICENCE: Final = "Apache-2.0"
_JNI: Final = "jni/"


@dataclass(frozen=True)
class CoreOptions:
    """For which processors the engine goes along; a library is tried in emulators too. Raises InputError for others."""

    abis: Annotated[
        tuple[str, ...],
        Flag(
            "arm64-v8a (phones) or x86_64 (emulators); several allowed. Unsaid: an app the first, a library both.",
            names=("--abi",),
        ),
    ] = ("arm64-v8a", "x86_64")

    def __post_init__(self) -> None:
        check_abis(self.abis)


def check_abis(abis: Sequence[str]) -> None:
    """Raise InputError for none, or one that there is no engine for."""
    known = [abi for kind, abi in WHEEL_PLATFORMS if kind == "android"]
    for abi in abis:
        if abi not in known:
            raise InputError(
                f"there is no engine for {abi}", where="--abi", remedy=f"there is one for: {', '.join(known)}"
            )
    if not abis:
        raise InputError("no ABI is named", where="--abi", remedy=f"one or more of {', '.join(known)}")


def engines(options: CoreOptions) -> Mapping[str, Path]:
    """The engine's libraries by ABI. Raises MissingToolError when one cannot be downloaded."""
    return {abi: engine_library("android", abi) for abi in dict.fromkeys(options.abis)}


def core_made_of(source: Source, options: CoreOptions) -> tuple[Part, tuple[Part, ...]]:
    """What is written with the core beside the bundle, for its bill of materials."""
    return packaged_part(source.manifest), core_parts(engines(options))


@dataclass(frozen=True)
class Facts:
    """What `core.json` says: the oldest Android, and what Gradle must bring beside the engine."""

    min_sdk: int
    dependencies: tuple[Mapping[str, Any], ...]


@cache
def facts() -> Facts:
    """Read what is known of the shipped core."""
    values = json.loads(FACTS.read_bytes())
    return Facts(values["min_sdk"], tuple(values["dependencies"]))


def core_coordinates() -> Coordinates:
    """The core in the version of this edgekit."""
    return Coordinates(GROUP, "edgekit-core", version("edgekit"))


def engine_coordinates() -> Coordinates:
    """The engine as the core needs it."""
    return Coordinates(GROUP, "edgekit-engine", engine_version())


def core_parts(libraries: Mapping[str, Path]) -> tuple[Part, ...]:
    """What an app gets with the core, for its bill of materials. libraries: the engine's, by ABI."""
    at = core_coordinates()
    return (
        maven(at.group, at.name, at.version, "aar", _LICENCE, None),
        *engine_parts(engine_version(), libraries),
        *(
            maven(each["group"], each["name"], each["version"], each["type"], each["licence"], each["sha256"])
            for each in facts().dependencies
        ),
    )


def deploy_core(repository: Path, libraries: Mapping[str, Path], progress: Progress = SILENT) -> None:
    """Put the core and the engine into a repository. libraries: the engine's, by ABI; the core has these ABIs only."""
    engine, core = engine_coordinates(), core_coordinates()
    repository.mkdir(parents=True, exist_ok=True)
    made = write_aar(
        repository / "engine.aar",
        manifest(f"{GROUP}.engine", facts().min_sdk),
        native={f"{abi}/{LIBRARY}": path for abi, path in sorted(libraries.items())},
        progress=progress,
    )
    deploy(
        repository,
        Described(engine, "LiteRT-LM's engine", f"{LIBRARY} of the official wheel.", (ENGINE_LICENCE,)),
        {".aar": made},
    )
    deploy(
        repository,
        Described(
            core,
            "edgekit-core",
            f"Opens, checks and asks the bundles that edgekit makes. For Kotlin {KOTLIN_NEEDED} and newer.",
            (_LICENCE,),
            (Dependency(engine, "runtime", "aar"), *map(_dependency, facts().dependencies)),
        ),
        {".aar": _core_for(repository / "core.aar", sorted(libraries))},
    )


def core_classes() -> bytes:
    """The core's classes, as a jar."""
    with zipfile.ZipFile(AAR) as archive:
        return archive.read("classes.jar")


def _core_for(place: Path, abis: Sequence[str]) -> Path:
    """The core without native code for other ABIs: an app would be installed on a device that it has no engine for."""
    with zipfile.ZipFile(AAR) as archive:
        kept = {
            name: archive.read(name)
            for name in archive.namelist()
            if not name.startswith(_JNI) or name.removeprefix(_JNI).split("/")[0] in abis
        }
    return write_archive(place, kept)


def _dependency(each: Mapping[str, Any]) -> Dependency:
    return Dependency(Coordinates(each["group"], each["name"], each["version"]), each["scope"], each["type"])
