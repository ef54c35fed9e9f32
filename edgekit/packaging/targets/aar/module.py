"""With --sources: a Gradle module, which the app's own build compiles."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgekit.packaging.aar import manifest
from edgekit.packaging.core import core_coordinates, facts
from edgekit.packaging.kotlin.facade import Facade
from edgekit.packaging.maven import Coordinates
from edgekit.packaging.source import Job, place_assets, write_text
from edgekit.quoting import groovy_string

_RULES: Final = "consumer-rules.pro"


def write_module(job: Job, folder: Path, at: Coordinates, facade: Facade, rules: str) -> None:
    """Write the module into an empty directory."""
    if facade.assets is not None:
        place_assets(job.source.contents, folder / "src/main/assets" / facade.assets, job.progress)
    write_text(folder / "src/main/kotlin" / facade.path, facade.text)
    write_text(folder / "src/main/AndroidManifest.xml", manifest())
    write_text(folder / "build.gradle", build_file(at, facade.package))
    write_text(folder / _RULES, rules)


def build_file(at: Coordinates, package: str) -> str:
    """The module's build file. Since its version 9 the Android plugin brings Kotlin, for the same JVM as Java."""
    return f"""\
plugins {{
    id 'com.android.library'
}}
if (com.android.Version.ANDROID_GRADLE_PLUGIN_VERSION.tokenize('.').first().toInteger() < 9) {{
    apply plugin: 'org.jetbrains.kotlin.android'
    kotlin.compilerOptions.jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_17
}}

group = {groovy_string(at.group)}
version = {groovy_string(at.version)}

android {{
    namespace = {groovy_string(package)}
    compileSdk = 35

    defaultConfig {{
        minSdk = {facts().min_sdk}
        consumerProguardFiles {groovy_string(_RULES)}
    }}
    compileOptions {{
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }}
}}

dependencies {{
    api {groovy_string(str(core_coordinates()))}
}}
"""
