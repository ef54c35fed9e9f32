"""The prebuilt base: the sample app without engine and bundle, which `edgekit package --to apk` completes and signs."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from android_build.catalog import levels, version
from android_build.components import components
from android_build.engine import ABIS, engine_version
from android_build.layout import BASE, NAMESPACE
from android_build.libraries import app_libraries
from android_build.manifest import APPLICATION_ID
from android_build.outputs import made
from android_build.process import BuildError
from android_build.resources import LANGUAGES, app_resources
from android_build.shim import SHIM, android_shim, compiler_version
from android_build.shrink import shrunk
from android_build.sources import source_digest

APK: Final = "app.apk"
FACTS: Final = "base.json"
MAXIMUM_SIZE: Final = 2_500_000
_ICON: Final = "ic_launcher_foreground.png"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def built_base() -> Path:
    """Return a directory with app.apk and base.json, built from the sources as they are."""
    resources, dex, libraries = app_resources(), shrunk(), app_libraries()
    native = {
        f"lib/{abi}/{path.name}": path for abi in ABIS for path in [android_shim(abi), *libraries.native(abi)]
    }

    def pack(directory: Path) -> None:
        entries = dict(_resource_entries(resources.apk))
        entries |= {path.relative_to(dex).as_posix(): path.read_bytes() for path in _code(dex)}
        entries |= {name: path.read_bytes() for name, path in native.items()}
        apk = directory / APK
        with zipfile.ZipFile(apk, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(entries, key=_order):
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED)
        if apk.stat().st_size > MAXIMUM_SIZE:
            raise BuildError(f"{APK} has {apk.stat().st_size:,} bytes, more than {MAXIMUM_SIZE:,}")
        facts = _facts(apk, icon=_icon(entries))
        (directory / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    inputs = [resources.apk.parent, dex, libraries.directory, *(path.parent for path in native.values())]
    return made("base", [*inputs, source_digest(), engine_version(), Path(__file__)], pack)


def ship_base() -> Path:
    """Put a freshly built base where edgekit has it; returns that directory."""
    built = built_base()
    BASE.mkdir(parents=True, exist_ok=True)
    for name in (APK, FACTS):
        (BASE / name).write_bytes((built / name).read_bytes())
    return BASE


def compare_base() -> None:
    """Build the base and compare it with the one that ships. Raises BuildError naming what differs."""
    if not (BASE / APK).is_file():
        raise BuildError("there is no base yet: run `make android-base`")
    shipped, here = _read_facts(BASE), _built_with()
    if shipped["built_with"] != here:
        raise BuildError(
            f"the base was built with {shipped['built_with']}, here is {here}: install the same to compare"
        )
    built = built_base()
    differing = differing_entries(built / APK, BASE / APK)
    # The archive's digest is not compared, as entries are and not archives.
    if _read_facts(built) | {"sha256": shipped["sha256"]} != shipped:
        differing.append(FACTS)
    if differing:
        raise BuildError(
            f"the base differs from its sources in {', '.join(differing)}: run `make android-base`"
        )


def differing_entries(one: Path, other: Path) -> list[str]:
    """Return the names of the entries that two archives do not share to the byte.

    Entries, not archives, are compared: how well zlib packs depends on its build.
    """
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        names = first.namelist(), second.namelist()
        shared = set(names[0]) & set(names[1])
        different = {name for name in shared if first.read(name) != second.read(name)}
        return sorted(different | set(names[0]) ^ set(names[1]))


def _resource_entries(apk: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def _code(dex: Path) -> list[Path]:
    """Return the dex files and what ServiceLoader reads; the rest of R8's output nobody asks for at run time."""
    services = dex / "META-INF" / "services"
    return [*sorted(dex.glob("classes*.dex")), *(sorted(services.iterdir()) if services.is_dir() else [])]


def _order(name: str) -> tuple[int, str]:
    """Sort the manifest first, as packages have it, then code and resources."""
    first = ("AndroidManifest.xml", "classes.dex", "resources.arsc")
    return (first.index(name) if name in first else len(first), name)


def _icon(entries: dict[str, bytes]) -> str:
    found = [name for name in entries if name.startswith("res/") and name.endswith(f"/{_ICON}")]
    if len(found) != 1:
        raise BuildError(
            f"the launcher's picture {_ICON} must be in the resources once, found: {found or 'none'}"
        )
    return found[0]


def _facts(apk: Path, icon: str) -> dict[str, Any]:
    """Return what the packager must know of the base, and what it was built from."""
    sdk = levels()
    return {
        "schema_version": 1,
        "sha256": hashlib.sha256(apk.read_bytes()).hexdigest(),
        "application_id": APPLICATION_ID,
        "namespace": NAMESPACE,
        "icon": icon,
        "shim": SHIM,
        "abis": list(ABIS),
        "engine": engine_version(),
        "languages": list(LANGUAGES),
        "min_sdk": sdk.minimum,
        "target_sdk": sdk.target,
        "compile_sdk": sdk.compile,
        "version_code": int(version("versionCode")),
        "version_name": version("versionName"),
        "components": components(),
        "sources": source_digest(),
        "built_with": _built_with(),
    }


def _read_facts(directory: Path) -> dict[str, Any]:
    return dict(json.loads((directory / FACTS).read_text(encoding="utf-8")))


def _built_with() -> dict[str, str]:
    """Return the tools that no list of coordinates pins, and on which the bytes depend."""
    return {"clang": compiler_version()}
