"""The prebuilt library: `edgekit-core` without the engine, on which what `edgekit package` writes is compiled."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from android_build.aar import library
from android_build.base import differing_entries
from android_build.catalog import catalog, levels
from android_build.components import components
from android_build.engine import ABIS, engine_version
from android_build.kotlin import compile_kotlin
from android_build.layout import CORE, TOOLS
from android_build.outputs import made
from android_build.process import BuildError
from android_build.shim import compiler_version
from android_build.sources import source_digest
from edgekit.packaging.core import AAR, COMPILE_ONLY, FACTS
from edgekit.packaging.maven import write_archive

MAXIMUM_SIZE: Final = 1_000_000
NAMES: Final = TOOLS / "compile-only"
"""Names of Android and of coroutines, for a compiler that has neither."""

_SCOPES: Final = {"api": "compile", "implementation": "runtime"}
_DEPENDENCY: Final = re.compile(r"^    (api|implementation) libs\.([\w.]+)$", re.MULTILINE)


def built_core() -> Path:
    """Return a directory with the AAR, the names to compile against, and core.json, built from the sources."""
    built = next(library(CORE).glob("*.aar"))
    if built.stat().st_size > MAXIMUM_SIZE:
        raise BuildError(f"{built.name} has {built.stat().st_size:,} bytes, more than {MAXIMUM_SIZE:,}")

    def pack(directory: Path) -> None:
        aar, names = directory / AAR.name, directory / "names"
        aar.write_bytes(built.read_bytes())
        compile_kotlin(sorted(NAMES.glob("*.kt")), names)
        files = sorted(path for path in names.rglob("*.class"))
        write_archive(
            directory / COMPILE_ONLY.name, {path.relative_to(names).as_posix(): path for path in files}
        )
        (directory / FACTS.name).write_text(json.dumps(_facts(aar), indent=2) + "\n", encoding="utf-8")

    return made("core", [built.parent, NAMES, source_digest((CORE,)), engine_version(), Path(__file__)], pack)


def ship_core() -> Path:
    """Put a freshly built core where edgekit has it; returns that directory."""
    built = built_core()
    AAR.parent.mkdir(parents=True, exist_ok=True)
    for path in (AAR, COMPILE_ONLY, FACTS):
        path.write_bytes((built / path.name).read_bytes())
    return AAR.parent


def compare_core() -> None:
    """Build the core and compare it with the one that ships. Raises BuildError naming what differs."""
    if not AAR.is_file():
        raise BuildError("there is no core yet: run `make android-base`")
    built = built_core()
    differing = differing_entries(built / COMPILE_ONLY.name, COMPILE_ONLY)
    differing += _differing(built / AAR.name, AAR)
    # The archive's digest is not compared, as entries are and not archives.
    shipped = json.loads(FACTS.read_text(encoding="utf-8"))
    if json.loads((built / FACTS.name).read_text()) | {"sha256": shipped["sha256"]} != shipped:
        differing.append(FACTS.name)
    if differing:
        raise BuildError(
            f"the core differs from its sources in {', '.join(differing)}: run `make android-base`"
        )


def needed() -> Iterator[dict[str, Any]]:
    """What the module's build file asks for, as the packager is told of it."""
    known = {(each["group"], each["name"]): each for each in components()}
    aliases = {name.replace("-", "."): entry for name, entry in catalog()["libraries"].items()}
    for kind, alias in _DEPENDENCY.findall((CORE.directory / "build.gradle").read_text(encoding="utf-8")):
        group, name = aliases[alias]["module"].split(":")
        # Of what is made for several platforms, the part for this one.
        component = known.get((group, name)) or known[group, f"{name}-jvm"]
        yield {**component, "scope": _SCOPES[kind]}


def _differing(one: Path, other: Path) -> list[str]:
    """The entries that two AARs do not share, and those of their classes."""
    found = differing_entries(one, other)
    if "classes.jar" not in found:
        return found
    with tempfile.TemporaryDirectory() as name:
        jars = [Path(name) / "one", Path(name) / "other"]
        for aar, jar in zip((one, other), jars, strict=True):
            with zipfile.ZipFile(aar) as archive:
                jar.write_bytes(archive.read("classes.jar"))
        return [*(each for each in found if each != "classes.jar"), *differing_entries(*jars)]


def _facts(aar: Path) -> dict[str, Any]:
    """Return what the packager must know of the core, and what it was built from."""
    return {
        "schema_version": 1,
        "sha256": hashlib.sha256(aar.read_bytes()).hexdigest(),
        "min_sdk": levels().minimum,
        "abis": list(ABIS),
        "engine": engine_version(),
        "dependencies": list(needed()),
        "sources": source_digest((CORE,)),
        "built_with": {"clang": compiler_version()},
    }
