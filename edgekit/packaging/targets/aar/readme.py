"""What the folder's README says: the lines to paste."""

from __future__ import annotations

from edgekit.packaging.core import KOTLIN_NEEDED, facts
from edgekit.packaging.kotlin.facade import Facade
from edgekit.packaging.maven import Coordinates
from edgekit.packaging.source import Source
from edgekit.quoting import markdown


def library_readme(source: Source, at: Coordinates, facade: Facade) -> str:
    """Of a folder of artifacts."""
    return _readme(
        source,
        facade,
        f"""\
```kotlin
// settings.gradle.kts, in dependencyResolutionManagement {{ repositories {{ … }} }}
maven {{ url = uri("FOLDER") }}  // this one, from the project's root; or where it is served

// app/build.gradle.kts
{_stored(facade)}dependencies {{ implementation("{at}") }}
```""",
    )


def module_readme(source: Source, at: Coordinates, facade: Facade) -> str:
    """Of a module."""
    return _readme(
        source,
        facade,
        f"""\
```kotlin
// settings.gradle.kts, with this folder copied into the project as {at.name}
include(":{at.name}")
dependencyResolutionManagement {{ repositories {{ maven {{ url = uri("{at.name}/maven") }} }} }}

// app/build.gradle.kts
{_stored(facade)}dependencies {{ implementation(project(":{at.name}")) }}
```""",
    )


def _stored(facade: Facade) -> str:
    """What keeps the app small, and the first start short: the model lies in the APK as it is."""
    stored = '    androidResources { noCompress += listOf("litertlm", "tflite") }\n' if facade.assets else ""
    # Tables of algorithms that nobody uses here, 1.2 MB.
    spared = '    packaging { resources { excludes += "org/bouncycastle/**" } }\n'
    return f"android {{\n{stored}{spared}}}\n"


def _readme(source: Source, facade: Facade, lines: str) -> str:
    return f"""\
# {markdown(source.offer.title)}, as a library

{lines}

{facade.readme}
Needs Android {facts().min_sdk} (API level) and Kotlin {KOTLIN_NEEDED}; R8 needs no rules of the app's. The engine maps
real files, so a model among the assets is copied at the first start, and takes its space twice. Its terms, `NOTICE`,
must stay with it.
"""
