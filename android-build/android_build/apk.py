"""Reads a finished APK with Android's own tools: what the system would make of it."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from android_build.layout import TOOLS
from android_build.maven import fetch
from android_build.process import java, run
from android_build.toolchain import aapt2

_VERIFIER: Final = TOOLS / "java" / "ApkSignature.java"
_COMPONENTS: Final = ("application", "activity", "activity-alias", "provider", "receiver", "service")
_LOCAL_HEADER: Final = 30


@dataclass(frozen=True)
class Badging:
    """What the system reads of an APK before it installs it."""

    application_id: str
    label: str
    minimum_sdk: int
    target_sdk: int
    version_code: int
    version_name: str
    permissions: frozenset[str]
    abis: frozenset[str]
    launched: str


def badging(apk: Path) -> Badging:
    """Read an APK's manifest and resources with `aapt2 dump badging`."""
    text = run(aapt2(), "dump", "badging", apk)

    def one(pattern: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        return found[1] if found else ""

    return Badging(
        application_id=one(r"^package: name='([^']*)'"),
        label=one(r"^application-label:'(.*)'$"),
        minimum_sdk=int(one(r"^(?:minSdkVersion|sdkVersion):'(\d+)'")),
        target_sdk=int(one(r"^targetSdkVersion:'(\d+)'")),
        version_code=int(one(r"^package: .*versionCode='(\d*)'")),
        version_name=one(r"^package: .*versionName='([^']*)'"),
        permissions=frozenset(re.findall(r"^uses-permission: name='([^']*)'", text, re.MULTILINE)),
        abis=frozenset(re.findall(r"'([^']*)'", one(r"^native-code: (.*)$"))),
        launched=one(r"^launchable-activity: name='([^']*)'"),
    )


def classes_named(apk: Path) -> set[str]:
    """Return the classes that the manifest names: components, their factory, and what androidx.startup starts."""
    names, element, startup = set(), "", ""
    for line in run(aapt2(), "dump", "xmltree", "--file", "AndroidManifest.xml", apk).splitlines():
        if opened := re.match(r"\s*E: ([\w-]+)", line):
            element, startup = opened[1], ""
        attribute = re.match(r"\s*A: \S*?(\w+)(?:\(0x\w+\))?=\"([^\"]*)\"", line)
        if attribute is None:
            continue
        name, value = attribute.groups()
        if name in ("appComponentFactory", "targetActivity") or (name == "name" and element in _COMPONENTS):
            names.add(value)
        elif element == "meta-data" and name == "name":
            startup = value
        elif element == "meta-data" and value == "androidx.startup":
            names.add(startup)
    return names


def classes_in(apk: Path) -> set[str]:
    """Return the names of the classes that an APK's dex files define."""
    with zipfile.ZipFile(apk) as archive:
        return {
            name
            for entry in archive.namelist()
            if re.fullmatch(r"classes\d*\.dex", entry)
            for name in _defined(archive.read(entry))
        }


def signatures(apk: Path) -> dict[str, bool]:
    """Verify an APK with Google's apksig: which of the schemes `v2` and `v3` hold. Raises BuildError when none does."""
    lines = java(fetch("apksig"), str(_VERIFIER), apk).splitlines()
    return {
        name: value == "true"
        for name, value in (line.split(" ", 1) for line in lines)
        if value in ("true", "false")
    }


def data_offset(apk: Path, name: str) -> int:
    """Return where an entry's data begins in the file, in bytes."""
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as file:
        start = archive.getinfo(name).header_offset
        file.seek(start)
        name_size, extra_size = struct.unpack_from("<HH", file.read(_LOCAL_HEADER), 26)
    return start + _LOCAL_HEADER + int(name_size) + int(extra_size)


def _defined(dex: bytes) -> Iterator[str]:
    """Yield the classes of a dex file. Source: the Dalvik executable format, header_item and class_def_item."""
    (strings,), (types,) = struct.unpack_from("<I", dex, 60), struct.unpack_from("<I", dex, 68)
    count, classes = struct.unpack_from("<II", dex, 96)
    for index in range(count):
        (type_index,) = struct.unpack_from("<I", dex, classes + 32 * index)
        (string_index,) = struct.unpack_from("<I", dex, types + 4 * type_index)
        (place,) = struct.unpack_from("<I", dex, strings + 4 * string_index)
        while dex[place] & 0x80:  # the length, in LEB128, which the terminating zero makes unnecessary
            place += 1
        text = dex[place + 1 : dex.index(0, place + 1)].decode("utf-8", "surrogatepass")
        yield text[1:-1].replace("/", ".")
