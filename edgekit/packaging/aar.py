"""Android's library archive: manifest, classes, assets, native code and rules for R8 in a ZIP.

Its layout is Android's ("Anatomy of an AAR file"); `aar-metadata.properties` is what the Gradle plugin checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edgekit.packaging.maven import Content, write_archive
from edgekit.progress import SILENT, Progress

_METADATA: Final = (
    b"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\nminCompileSdkExtension=0\n"
)
_EMPTY_JAR: Final = b"PK\5\6" + bytes(18)


def write_aar(
    path: Path,
    manifest: str,
    *,
    classes: Content = _EMPTY_JAR,
    rules: str = "",
    notice: Content | None = None,
    assets: Mapping[str, Content] | None = None,
    native: Mapping[str, Content] | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Write one. manifest: its own, with package and API level. classes: a jar.

    assets: below `assets/`. native: below `jni/`, as ABI/NAME.so.

    notice: the terms of what is in it, for who opens the archive; an app gets those among the assets.
    """
    entries: dict[str, Content] = {
        "AndroidManifest.xml": manifest.encode(),
        "classes.jar": classes,
        "R.txt": b"",
        "proguard.txt": rules.encode(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA,
    }
    if notice is not None:
        entries["META-INF/NOTICE"] = notice
    entries |= {f"assets/{name}": each for name, each in (assets or {}).items()}
    entries |= {f"jni/{name}": each for name, each in (native or {}).items()}
    return write_archive(path, entries, progress)


def manifest(package: str | None = None, min_sdk: int | None = None) -> str:
    """A library's manifest; without both where a build file says them."""
    named = "" if package is None else f' package="{package}"'
    sdk = "" if min_sdk is None else f'\n    <uses-sdk android:minSdkVersion="{min_sdk}" />'
    return f"""\
<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android"{named}>{sdk}
</manifest>
"""
