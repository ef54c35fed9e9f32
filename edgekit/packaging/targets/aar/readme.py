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
android {{ androidResources {{ noCompress += listOf("litertlm", "tflite") }} }}
dependencies {{ implementation("{at}") }}
```

`settings.gradle` in Groovy: `maven {{ url 'FOLDER' }}`; `app/build.gradle`: `noCompress 'litertlm', 'tflite'` and
`implementation '{at}'`.""",
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
android {{ androidResources {{ noCompress += listOf("litertlm", "tflite") }} }}
dependencies {{ implementation(project(":{at.name}")) }}
```""",
    )


def _readme(source: Source, facade: Facade, lines: str) -> str:
    return f"""\
# {markdown(source.offer.title)}, as a library

{lines}

{facade.readme}
Needs Android {facts().min_sdk} (API level), Kotlin {KOTLIN_NEEDED} and, as the engine maps real files, room for a copy
of the model, which is made at the first start.

With `noCompress` the model lies in the APK as it is; without it the first start takes longer. R8 needs no rules of the
app's. The terms, `NOTICE`, go along among the assets and must stay with the model.
"""
